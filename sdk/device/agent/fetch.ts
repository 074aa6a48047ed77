import { EigenError, isEigenError } from '../../util/errors.ts';
import type { BlobSpec } from '../../wire/blob.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { Download } from '../store/download.ts';

/** Where pieces come from: a folder, a network, another model's blob. Nothing of it is trusted. */
export interface PieceSource {
  /** Pieces by their index, in any order; it may leave some out, repeat some, and deliver wrong bytes. */
  fetch(
    blob: BlobSpec,
    pieces: readonly number[],
  ): AsyncIterable<{ readonly index: number; readonly bytes: Uint8Array }>;
}

/** Times that a source is asked for what is missing, in one attempt. */
const ROUNDS = 4;

/**
 * Fetches what is missing of a blob. What was fetched stays, also where this throws.
 * @throws EigenError EW7002_PIECE_REFUSED when the source does not deliver all of it.
 */
export async function fetchBlob(blobs: BlobStore, blob: BlobSpec, source: PieceSource): Promise<void> {
  if (await blobs.isWhole(blob.sha256)) return;
  const download = await blobs.download(blob);
  try {
    for (let round = 0; round < ROUNDS && download.missing().length > 0; round++) await fetchRound(download, source);
  } catch (e) {
    await download.close().catch(() => undefined);
    throw e;
  }
  await download.close();
  const missing = download.missing();
  if (missing.length === 0) return;
  throw new EigenError('EW7002_PIECE_REFUSED', `${missing.length} pieces did not come, the first is ${missing[0]}`, {
    hint: 'Check what the source serves; what has come is kept.',
    details: { missing: missing.length },
  });
}

async function fetchRound(download: Download, source: PieceSource): Promise<void> {
  const missing = download.missing();
  // A source that sends without an end is left.
  let left = 2 * missing.length;
  for await (const { index, bytes } of source.fetch(download.spec, missing)) {
    await download.put(index, bytes).catch((e) => {
      if (!isEigenError(e) || e.code !== 'EW7002_PIECE_REFUSED') throw e;
    });
    if (--left === 0 || download.missing().length === 0) return;
  }
}
