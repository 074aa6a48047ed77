import { createHash } from 'node:crypto';
import { isEigenError } from '../util/errors.ts';
import { sha256 } from '../util/hash.ts';
import type { BlobSpec, Piece } from '../wire/blob.ts';
import { DEFAULT_PIECE } from '../wire/protocol/messages.ts';
import type { ByteSource } from './archive.ts';
import { indexBundle } from './chunks.ts';

/** Headers and padding between the chunks of a bundle go with the chunk before them, up to so many bytes. */
const MOST_BETWEEN = 3072;

/**
 * A file as a device fetches it. The pieces of a bundle begin where its chunks do, so that a device finds in one bundle what stayed the
 * same in another; any other file is in pieces of one size. The same file has the same pieces. Holds a piece at a time.
 */
export async function describeBlob(source: ByteSource): Promise<BlobSpec> {
  const whole = createHash('sha256');
  const pieces: Piece[] = [];
  for (const { from, bytes } of cutAt(await startsOf(source), source.bytes)) {
    const content = await source.read(from, bytes);
    whole.update(content);
    pieces.push({ bytes, sha256: sha256(content) });
  }
  return { sha256: whole.digest('hex'), bytes: source.bytes, pieces };
}

/** Where chunks begin in a bundle; nowhere in another file. */
async function startsOf(source: ByteSource): Promise<number[]> {
  try {
    const { chunks } = await indexBundle(source);
    return chunks.map((c) => c.from);
  } catch (e) {
    if (isEigenError(e)) return [];
    throw e;
  }
}

function* cutAt(starts: readonly number[], size: number): Generator<{ from: number; bytes: number }> {
  const ends = [...starts.slice(1), size];
  let from = 0;
  for (const end of ends)
    while (from < end) {
      const rest = end - from;
      const bytes = rest <= DEFAULT_PIECE + MOST_BETWEEN ? rest : DEFAULT_PIECE;
      yield { from, bytes };
      from += bytes;
    }
}
