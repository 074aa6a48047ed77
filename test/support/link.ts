import { type ByteSource, bytesSource, describeBlob } from '../../sdk/bundle/index.ts';
import type { BlobSource, MetadataFiles } from '../../sdk/fleet/blobs/index.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { Rng } from '../../sdk/util/rng.ts';
import type { BlobSpec } from '../../sdk/wire/blob.ts';

/** So many bytes that do not compress. */
export function noise(bytes: number, seed = 1): Uint8Array {
  const rng = new Rng(seed);
  const words = Uint32Array.from({ length: Math.ceil(bytes / 4) }, () => rng.next());
  return new Uint8Array(words.buffer, 0, bytes);
}

/** Blobs and metadata in memory. */
export class MemoryBlobs implements BlobSource, MetadataFiles {
  private readonly blobs = new Map<string, { readonly spec: BlobSpec; readonly source: ByteSource }>();
  private readonly files = new Map<string, { readonly version: number; readonly bytes: Uint8Array }>();

  async add(bytes: Uint8Array): Promise<BlobSpec> {
    const source = bytesSource(bytes);
    const spec = await describeBlob(source);
    this.blobs.set(sha256(bytes), { spec, source });
    return spec;
  }

  addMetadata(role: string, version: number, bytes: Uint8Array): void {
    this.files.set(`${version}.${role}`, { version, bytes });
    this.files.set(role, { version, bytes });
  }

  async spec(name: string): Promise<BlobSpec | undefined> {
    return this.blobs.get(name)?.spec;
  }

  async read(name: string, from: number, bytes: number): Promise<Uint8Array>;
  async read(
    role: string,
    version?: number,
  ): Promise<{ readonly version: number; readonly bytes: Uint8Array } | undefined>;
  async read(name: string, from?: number, bytes?: number): Promise<unknown> {
    if (bytes !== undefined) return this.blobs.get(name)!.source.read(from!, bytes);
    return this.files.get(from === undefined ? name : `${from}.${name}`);
  }
}
