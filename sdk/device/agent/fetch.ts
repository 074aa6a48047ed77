import { applyDelta, type ByteSource, describeBlob } from '../../bundle/index.ts';
import { EigenError, isEigenError } from '../../util/errors.ts';
import type { Assignment, Delta } from '../../wire/assignment.ts';
import type { Attack } from '../../wire/attacks.ts';
import { type BlobSpec, offsetsOf } from '../../wire/blob.ts';
import type { BlobStore } from '../store/blobs.ts';
import type { Download } from '../store/download.ts';

/** Where pieces come from: a folder, a network. Nothing of it is trusted. */
export interface PieceSource {
  /** Pieces by their index, in any order; it may leave some out, repeat some, and deliver wrong bytes. */
  fetch(
    blob: BlobSpec,
    pieces: readonly number[],
  ): AsyncIterable<{ readonly index: number; readonly bytes: Uint8Array }>;
}

/** What a fetch came to. */
export interface Fetched {
  /** Bytes that a source delivered and that were right. */
  readonly received: number;
  /** Why the delta that was offered did not lead to the blob; absent where it did, or was not needed. */
  readonly deltaProblem?: string;
}

export interface FetchRequest extends Pick<Assignment, 'blob' | 'deltas'> {
  /** Blobs that are whole on the device: pieces are taken from them, and deltas start from them. */
  readonly held: readonly string[];
}

/** What is known of deltas for good, by the SHA-256 of their files. */
export interface DeltaNotes {
  /** Why a delta did not lead where it should; undefined where that is not known. */
  deltaProblem(sha256: string): string | undefined;
  /** Remembers it, also where that cannot be written. */
  failDelta(sha256: string, reason: string): Promise<void>;
}

export interface FetcherOptions {
  /** Most bytes that may be fetched where a delta has failed; no limit where it is absent. */
  readonly fallbackBytes?: number;
  /** Without them a delta that failed is tried again after a restart. */
  readonly notes?: DeltaNotes;
}

/** Times that a source is asked for what is missing, in one attempt. */
const ROUNDS = 4;

/**
 * Fetches blobs: what other blobs on the device have, then a delta where that is less than what is missing, then the rest. Every piece is
 * verified whatever it came from, and what was fetched stays, also where it throws.
 */
export class Fetcher {
  private readonly blobs: BlobStore;
  private readonly source: PieceSource;
  private readonly fallbackBytes: number;
  private readonly notes: DeltaNotes | undefined;
  /** Deltas that did not lead where they should, since the device was started. */
  private readonly useless = new Map<string, string>();

  constructor(blobs: BlobStore, source: PieceSource, { fallbackBytes, notes }: FetcherOptions = {}) {
    this.blobs = blobs;
    this.source = source;
    this.fallbackBytes = fallbackBytes ?? Number.POSITIVE_INFINITY;
    this.notes = notes;
  }

  /**
   * Fetches what is missing of a blob.
   * @throws EigenError EW7002_PIECE_REFUSED when the source does not deliver all of it; EW7105_BYTE_BUDGET. Errors of the source and the
   * storage pass.
   */
  async fetch({ blob, deltas = [], held }: FetchRequest): Promise<Fetched> {
    if (await this.blobs.isWhole(blob.sha256)) return { received: 0 };
    const others = held.filter((name) => name !== blob.sha256);
    const delta = bestDelta(deltas, others);
    const tried = delta && (await this.byDelta(blob, delta, others));
    return this.withDownload(blob, async (download) => {
      await this.reuse(download, others);
      const rest = bytesOf(blob, download.missing());
      const { received = 0, deltaProblem } = tried ?? {};
      if (deltaProblem === undefined) return { received: received + (await fetchMissing(download, this.source)) };
      if (rest > this.fallbackBytes) throw overBudget(rest, this.fallbackBytes, deltaProblem);
      return { received: received + (await fetchMissing(download, this.source)), deltaProblem };
    });
  }

  /** Other blobs are a source of pieces that is never away. */
  private async reuse(download: Download, names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (download.complete) return;
      await this.blobs
        .reading(name, 'whole', (source) => takeHeld(download, source))
        .catch((e) => {
          // Not there, or not readable: the network has the rest.
          if (!isStorageError(e)) throw e;
        });
    }
  }

  /**
   * Fetches a delta and applies it where the blob's download is, if that is less than what is missing. What comes of it is verified there,
   * piece by piece.
   */
  private async byDelta(blob: BlobSpec, delta: Delta, held: readonly string[]): Promise<Fetched | undefined> {
    const name = delta.blob.sha256;
    const before = this.useless.get(name) ?? this.notes?.deltaProblem(name);
    if (before !== undefined) return { received: 0, deltaProblem: `it failed before: ${before}` };
    const missing = await this.withDownload(blob, async (download) => {
      await this.reuse(download, held);
      return bytesOf(blob, download.missing());
    });
    if (missing <= delta.blob.bytes) return undefined;
    let received = 0;
    let deltaProblem: string | undefined;
    try {
      received = await this.withDownload(delta.blob, (download) => fetchMissing(download, this.source));
      await this.apply(blob, delta);
    } catch (e) {
      // A network that is away comes back: a delta that is not here yet has not failed.
      if (!(isEigenError(e) ? e.code !== 'EW7101_NOT_CONNECTED' : isStorageError(e))) throw e;
      deltaProblem = e instanceof Error ? e.message : String(e);
      this.useless.set(name, deltaProblem);
      // Storage may have room, or be whole, another time.
      if (isEigenError(e)) await this.notes?.failDelta(name, deltaProblem);
    }
    await this.blobs.discard(name);
    return { received, ...(deltaProblem === undefined ? {} : { deltaProblem }) };
  }

  private async apply(blob: BlobSpec, delta: Delta): Promise<void> {
    await this.blobs.reading(delta.from, 'whole', (old) =>
      this.blobs.reading(delta.blob.sha256, 'coming', (source) =>
        this.blobs.building(blob, (target) => applyDelta({ delta: source, old, target })),
      ),
    );
    const wrong = await this.withDownload(blob, async (download) => {
      await download.adopt();
      return download.missing().length;
    });
    if (wrong > 0) throw new EigenError('EW6008_DELTA_INVALID', `delta: ${wrong} pieces of what it makes are wrong`);
  }

  /** Works on a download and closes it, also where that throws. */
  private async withDownload<T>(spec: BlobSpec, work: (download: Download) => Promise<T>): Promise<T> {
    const download = await this.blobs.download(spec);
    let result: T;
    try {
      result = await work(download);
    } catch (e) {
      await download.close().catch(() => undefined);
      throw e;
    }
    await download.close();
    return result;
  }
}

/** The smallest of those that start from a blob that is there. */
function bestDelta(deltas: readonly Delta[], held: readonly string[]): Delta | undefined {
  const usable = deltas.filter((d) => held.includes(d.from));
  return usable.sort((a, b) => a.blob.bytes - b.blob.bytes)[0];
}

function bytesOf(blob: BlobSpec, indices: readonly number[]): number {
  return indices.reduce((sum, i) => sum + blob.pieces[i]!.bytes, 0);
}

function overBudget(needed: number, allowed: number, why: string): EigenError {
  return new EigenError(
    'EW7105_BYTE_BUDGET',
    `the delta failed (${why}), and ${needed} bytes are to be fetched where ${allowed} are allowed`,
    {
      hint: 'Offer a delta from what the device runs, or allow more bytes; it is tried again later.',
      details: { needed, allowed },
    },
  );
}

/** Asks a source for what is missing, some times; gives the bytes that came. */
async function fetchMissing(download: Download, source: PieceSource): Promise<number> {
  let [received, wrong] = [0, 0];
  for (let round = 0; round < ROUNDS && !download.complete; round++) {
    const came = await fetchRound(download, source);
    received += came.received;
    wrong += came.wrong;
  }
  // Pieces that are not durable count as missing.
  await download.flush();
  const missing = download.missing();
  if (missing.length === 0) return received;
  throw piecesRefused(`${missing.length} pieces did not come, the first is ${missing[0]}`, wrong);
}

/** @param wrong pieces that came and were others: that is what an attack looks like. */
export function piecesRefused(what: string, wrong: number): EigenError {
  const attack: Attack = 'arbitrary-installation';
  return new EigenError('EW7002_PIECE_REFUSED', what, {
    hint: 'Check what the source serves; what has come is kept.',
    details: wrong > 0 ? { wrong, attack } : {},
  });
}

async function fetchRound(
  download: Download,
  source: PieceSource,
): Promise<{ readonly received: number; readonly wrong: number }> {
  const missing = download.missing();
  // A source that sends without an end is left.
  let left = 2 * missing.length;
  let [received, wrong] = [0, 0];
  for await (const { index, bytes } of source.fetch(download.spec, missing)) {
    if (await put(download, index, bytes)) received += bytes.length;
    else wrong++;
    if (--left === 0 || download.complete) break;
  }
  return { received, wrong };
}

/** Takes a piece if it is right, and says whether it was. */
async function put(download: Download, index: number, bytes: Uint8Array): Promise<boolean> {
  try {
    await download.put(index, bytes);
    return true;
  } catch (e) {
    if (isEigenError(e) && e.code === 'EW7002_PIECE_REFUSED') return false;
    throw e;
  }
}

/** Takes the pieces that another file has, wherever they are in it. */
async function takeHeld(download: Download, source: ByteSource): Promise<void> {
  const { pieces } = await describeBlob(source);
  const offsets = offsetsOf(pieces);
  const places = new Map(pieces.map((p, i) => [p.sha256, { from: offsets[i]!, bytes: p.bytes }]));
  for (const index of download.missing()) {
    const place = places.get(download.spec.pieces[index]!.sha256);
    if (place) await put(download, index, await source.read(place.from, place.bytes));
  }
}

/** Of the platform: ENOSPC, EIO, ... */
function isStorageError(e: unknown): boolean {
  return e instanceof Error && 'code' in e && typeof e.code === 'string' && /^E[A-Z]+$/.test(e.code);
}
