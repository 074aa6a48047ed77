import { sha256 } from '../util/hash.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { digestText, MANIFEST, MANIFEST_DIGEST } from './names.ts';
import { firstFile, type TarEntry, tampered, tarLayout, unreadable } from './tar.ts';

/** Bytes that can be read anywhere: a file, a blob in memory. Fewer bytes than asked for is an error of the source. */
export interface ByteSource {
  readonly bytes: number;
  read(from: number, count: number): Promise<Uint8Array>;
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return { bytes: bytes.length, read: async (from, count) => bytes.subarray(from, from + count) };
}

/** Largest manifest that is read. */
export const MAX_MANIFEST = 16 << 20;

/** Sizes of the files of an archive, in order; the manifest has the rest. */
export function filesOf(manifest: Manifest, manifestBytes: number): { readonly name: string; readonly bytes: number }[] {
  return [
    { name: MANIFEST, bytes: manifestBytes },
    { name: MANIFEST_DIGEST, bytes: digestText('0'.repeat(64)).length },
    ...manifest.parts.map(({ name, bytes }) => ({ name, bytes })),
  ];
}

/** A bundle of which no more than the manifest has been read: its parts are where they should be, unverified. */
export interface BundleDirectory {
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  readonly digest: string;
  /** Files of the archive by name. */
  readonly files: ReadonlyMap<string, TarEntry>;
}

/** Reads the directory of a bundle. @throws EigenError EW6001_BUNDLE_UNREADABLE, EW6002_BUNDLE_TAMPERED, EW6003_BUNDLE_VERSION. */
export async function readDirectory(source: ByteSource): Promise<BundleDirectory> {
  const first = firstFile(await source.read(0, Math.min(512, source.bytes)));
  if (first.name !== MANIFEST || first.bytes > MAX_MANIFEST)
    throw unreadable(`its first part is '${first.name}' of ${first.bytes} bytes`);
  const manifestBytes = await source.read(512, Math.min(first.bytes, source.bytes - 512));
  const manifest = parseManifest(manifestBytes);
  const { entries, bytes } = tarLayout(filesOf(manifest, manifestBytes.length));
  if (bytes !== source.bytes) throw tampered(`it has ${source.bytes} bytes, not ${bytes}`);
  const files = new Map(entries.map((e) => [e.name, e]));
  return { manifest, manifestBytes, digest: sha256(manifestBytes), files };
}
