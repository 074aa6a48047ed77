import { EigenError, isEigenError } from '../util/errors.ts';
import { sha256 } from '../util/hash.ts';
import { type ByteSource, type ByteTarget, verifyArchive, writeFrame } from './archive.ts';
import { type Chunk, type ChunkIndex, invalidChunk } from './chunks.ts';

/**
 * A bundle that is put together from chunks in any order and from any source. A chunk is verified before it is written, the bundle
 * when it is whole.
 */
export class BundleAssembly {
  private readonly index: ChunkIndex;
  private readonly target: ByteTarget;
  /** Chunks by digest: equal ones are written together. */
  private readonly places = new Map<string, Chunk[]>();
  private readonly there = new Set<string>();

  constructor(index: ChunkIndex, target: ByteTarget) {
    this.index = index;
    this.target = target;
    for (const chunk of index.chunks) {
      const equal = this.places.get(chunk.digest);
      if (equal) equal.push(chunk);
      else this.places.set(chunk.digest, [chunk]);
    }
  }

  /** Indices of the chunks that are not there yet, equal ones once, in the order of the archive. */
  get missing(): number[] {
    const seen = new Set(this.there);
    return this.index.chunks.flatMap(({ digest }, i) => {
      if (seen.has(digest)) return [];
      seen.add(digest);
      return [i];
    });
  }

  /**
   * Takes chunk i; one that is there already is no error.
   * @throws EigenError EW6010_CHUNK_INVALID for bytes that are not that chunk: nothing is written then.
   */
  async put(i: number, bytes: Uint8Array): Promise<void> {
    const chunk = this.index.chunks[i];
    if (!chunk) throw invalidChunk(`there are ${this.index.chunks.length} chunks, none has the number ${i}`);
    if (bytes.length !== chunk.bytes || sha256(bytes) !== chunk.digest)
      throw invalidChunk(`chunk ${i} of '${chunk.file}' does not have its digest`, { chunk: i });
    await this.write(chunk.digest, bytes);
  }

  /** Takes what is the same in another bundle; gives the bytes that are there by that. Damaged chunks are left out. */
  async reuse(other: ChunkIndex, source: ByteSource): Promise<number> {
    let reused = 0;
    for (const { digest, from, bytes } of other.chunks) {
      const wanted = this.places.get(digest);
      if (!wanted || this.there.has(digest)) continue;
      const content = await source.read(from, bytes);
      if (content.length !== wanted[0]!.bytes || sha256(content) !== digest) continue;
      await this.write(digest, content);
      reused += wanted.reduce((sum, c) => sum + c.bytes, 0);
    }
    return reused;
  }

  /** After an interruption: looks which of these chunks are in the target, whatever wrote them; gives how many. */
  async recheck(written: Iterable<number>): Promise<number> {
    let found = 0;
    for (const i of written) {
      const chunk = this.index.chunks[i];
      if (!chunk || this.there.has(chunk.digest)) continue;
      const content = await this.target.read(chunk.from, chunk.bytes);
      if (content.length !== chunk.bytes || sha256(content) !== chunk.digest) continue;
      await this.write(chunk.digest, content);
      found++;
    }
    return found;
  }

  /**
   * Completes the archive and verifies all of it against the bundle's digest; gives its size.
   * @throws EigenError EW6010_CHUNK_INVALID when chunks are missing, or when the index does not lead to the bundle.
   */
  async finish(): Promise<number> {
    const { missing } = this;
    if (missing.length > 0) throw invalidChunk(`${missing.length} of them are missing`, { missing: missing.length });
    const { digest, bytes, files } = this.index;
    await writeFrame(this.target, files, digest);
    try {
      await verifyArchive({ bytes, read: (from, count) => this.target.read(from, count) }, digest);
    } catch (e) {
      if (!isEigenError(e)) throw e;
      throw new EigenError(
        'EW6010_CHUNK_INVALID',
        `chunks: the index does not lead to bundle ${digest}: ${e.message}`,
        {
          hint: 'Drop the index and fetch it from another source, or fetch the whole bundle.',
          cause: e,
        },
      );
    }
    return bytes;
  }

  private async write(digest: string, bytes: Uint8Array): Promise<void> {
    for (const { from } of this.places.get(digest)!) await this.target.write(from, bytes);
    this.there.add(digest);
  }
}
