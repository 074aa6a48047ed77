import { createHash } from 'node:crypto';
import { sha256 } from '../util/hash.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { digestText, MANIFEST, MANIFEST_DIGEST } from './names.ts';
import { firstFile, type TarEntry, tampered, tarFrame, tarLayout, unreadable } from './tar.ts';

/** Bytes that can be read anywhere: a file, a blob in memory. Fewer bytes than asked for is an error of the source. */
export interface ByteSource {
  readonly bytes: number;
  read(from: number, count: number): Promise<Uint8Array>;
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return { bytes: bytes.length, read: async (from, count) => bytes.subarray(from, from + count) };
}

/** Where a bundle is built: written in any order, and read again. */
export interface ByteTarget {
  write(at: number, bytes: Uint8Array): Promise<void>;
  read(from: number, count: number): Promise<Uint8Array>;
}

/** A range of an archive or of a part of it. */
export interface Range {
  readonly from: number;
  readonly bytes: number;
}

/** Bytes that are copied or hashed at once. */
const PIECE = 262_144;

/** Copies the bytes at `at` into a range of a target. */
export async function copyRange(from: ByteSource, at: number, to: ByteTarget, range: Range): Promise<void> {
  for (let done = 0; done < range.bytes; done += PIECE)
    await to.write(range.from + done, await from.read(at + done, Math.min(PIECE, range.bytes - done)));
}

/** SHA-256 of a range. */
export async function sha256OfRange(source: Pick<ByteSource, 'read'>, { from, bytes }: Range): Promise<string> {
  const hash = createHash('sha256');
  for (let done = 0; done < bytes; done += PIECE)
    hash.update(await source.read(from + done, Math.min(PIECE, bytes - done)));
  return hash.digest('hex');
}

/** Writes everything of a bundle's archive that neither manifest nor parts hold. */
export async function writeFrame(
  target: ByteTarget,
  files: readonly { name: string; bytes: number }[],
  digest: string,
) {
  for (const { at, bytes } of tarFrame(files)) await target.write(at, bytes);
  const place = tarLayout(files).entries.find((e) => e.name === MANIFEST_DIGEST);
  if (place) await target.write(place.from, new TextEncoder().encode(digestText(digest)));
}

/** Largest manifest that is read. */
export const MAX_MANIFEST = 16 << 20;

/** Sizes of the files of an archive, in order; the manifest has the rest. */
export function filesOf(
  manifest: Manifest,
  manifestBytes: number,
): { readonly name: string; readonly bytes: number }[] {
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

/**
 * Verifies a bundle piece by piece, to its last byte.
 * @throws EigenError EW6001_BUNDLE_UNREADABLE, EW6002_BUNDLE_TAMPERED, EW6003_BUNDLE_VERSION.
 */
export async function verifyArchive(source: ByteSource, digest: string): Promise<BundleDirectory> {
  const directory = await readDirectory(source);
  const { manifest, manifestBytes, files } = directory;
  if (directory.digest !== digest) throw tampered(`its digest is ${directory.digest}, expected ${digest}`);
  for (const { name, sha256: hash } of manifest.parts)
    if ((await sha256OfRange(source, files.get(name)!)) !== hash)
      throw tampered(`part '${name}' does not have the listed hash`);
  const frame = tarFrame(filesOf(manifest, manifestBytes.length));
  const text = { at: files.get(MANIFEST_DIGEST)!.from, bytes: new TextEncoder().encode(digestText(digest)) };
  for (const { at, bytes } of [...frame, text])
    if (Buffer.compare(await source.read(at, bytes.length), bytes) !== 0)
      throw tampered(`bytes at ${at} are not as they were written`);
  return directory;
}
