import { EigenError } from '../../util/errors.ts';
import { sha256 } from '../../util/hash.ts';
import { type BlobSpec, offsetsOf } from '../../wire/blob.ts';
import type { DeviceFileSystem, OpenFile } from '../fs/file-system.ts';
import { unlinkIfThere, withFile, writeFully } from '../fs/whole-files.ts';
import { AppendLog } from './append-log.ts';

/** What may have to be fetched again after a power cut: so many bytes, and not more than this share of the blob. */
const FLUSH_BYTES = 1 << 20;
const FLUSH_SHARE = 1 / 16;

/** The first entry binds the log to one list of pieces, the others say which pieces are on the medium: from, how many. */
type Entry = { readonly pieces: string } | { readonly have: readonly [number, number] };

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  if ('pieces' in value) return typeof value.pieces === 'string';
  return (
    'have' in value && Array.isArray(value.have) && value.have.length === 2 && value.have.every(Number.isSafeInteger)
  );
}

/**
 * A blob on its way: its bytes in `path`.part, each at its place, and a bitmap of the pieces that are there, kept in `path`.log. A piece
 * is noted only after its bytes were synced, and checked again on opening: what is counted as there is there.
 */
export class Download {
  readonly spec: BlobSpec;
  private readonly log: AppendLog<Entry>;
  private readonly file: OpenFile;
  private readonly offsets: readonly number[];
  private readonly have: boolean[];
  private absent: number;
  private readonly unsynced = new Set<number>();
  private unsyncedBytes = 0;
  private logged: boolean;

  private constructor(
    spec: BlobSpec,
    opened: { log: AppendLog<Entry>; file: OpenFile; have: boolean[]; logged: boolean },
  ) {
    this.spec = spec;
    this.offsets = offsetsOf(spec.pieces);
    this.log = opened.log;
    this.file = opened.file;
    this.have = opened.have;
    this.absent = opened.have.filter((have) => !have).length;
    this.logged = opened.logged;
  }

  /** Begins or resumes; `close` or `finish` ends it. */
  static async open(fs: DeviceFileSystem, path: string, spec: BlobSpec): Promise<Download> {
    const { log, entries } = await AppendLog.open(fs, `${path}.log`, isEntry);
    const [first, ...rest] = entries;
    const logged = first !== undefined && 'pieces' in first && first.pieces === listDigest(spec);
    const file = await fs.open(`${path}.part`, 'write');
    try {
      const have = await verifiedPieces(file, spec, logged ? rest : []);
      return new Download(spec, { log, file, have, logged });
    } catch (e) {
      await file.close().catch(() => undefined);
      throw e;
    }
  }

  /** Bytes that are there. */
  get bytes(): number {
    return this.spec.pieces.reduce((sum, p, i) => sum + (this.have[i] ? p.bytes : 0), 0);
  }

  get complete(): boolean {
    return this.absent === 0;
  }

  missing(): number[] {
    return this.spec.pieces.flatMap((_, i) => (this.have[i] ? [] : [i]));
  }

  /**
   * Takes a piece, from wherever it comes.
   * @throws EigenError EW7002_PIECE_REFUSED when the bytes are not those of the piece: nothing has changed then.
   */
  async put(index: number, bytes: Uint8Array): Promise<void> {
    const piece = this.spec.pieces[index];
    if (piece === undefined || bytes.length !== piece.bytes || sha256(bytes) !== piece.sha256)
      throw new EigenError('EW7002_PIECE_REFUSED', `piece ${index} of ${this.spec.sha256} is not what was announced`, {
        hint: 'It was damaged on the way or its source is wrong; it is fetched again.',
        details: { index, bytes: bytes.length },
      });
    if (this.have[index]) return;
    await writeFully(this.file, this.offsets[index]!, bytes);
    this.note(index);
    this.unsyncedBytes += bytes.length;
    if (this.unsyncedBytes >= Math.min(FLUSH_BYTES, this.spec.bytes * FLUSH_SHARE)) await this.flush();
  }

  /** Takes the pieces that are at their places, whatever wrote them. */
  async adopt(): Promise<void> {
    for (const index of this.missing()) {
      const piece = this.spec.pieces[index]!;
      if (sha256(await this.file.read(this.offsets[index]!, piece.bytes)) === piece.sha256) this.note(index);
    }
    await this.flush();
  }

  /** Makes what was put durable. Where it throws, pieces that are not durable count as missing. */
  async flush(): Promise<void> {
    if (this.unsynced.size === 0) return;
    const pieces = [...this.unsynced].sort((a, b) => a - b);
    try {
      await this.file.sync();
      if (!this.logged) await this.log.rewrite([{ pieces: listDigest(this.spec) }]);
      this.logged = true;
      for (const have of runsOf(pieces)) await this.log.append({ have });
    } catch (e) {
      for (const index of pieces) this.have[index] = false;
      this.absent += pieces.length;
      throw e;
    } finally {
      this.unsynced.clear();
      this.unsyncedBytes = 0;
    }
  }

  private note(index: number): void {
    this.have[index] = true;
    this.absent--;
    this.unsynced.add(index);
  }

  /** Ends it for now, keeping what is there. */
  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }
}

function listDigest({ sha256: whole, pieces }: BlobSpec): string {
  return sha256(JSON.stringify([whole, pieces.map((p) => [p.bytes, p.sha256])]));
}

/** Of the pieces that a log lists, those whose bytes are right. */
async function verifiedPieces(file: OpenFile, spec: BlobSpec, entries: readonly Entry[]): Promise<boolean[]> {
  const listed = new Set<number>();
  for (const entry of entries)
    if ('have' in entry) {
      const [from, count] = entry.have;
      const end = Math.min(from + count, spec.pieces.length);
      for (let i = Math.max(0, from); i < end; i++) listed.add(i);
    }
  const offsets = offsetsOf(spec.pieces);
  const have: boolean[] = [];
  for (const [i, piece] of spec.pieces.entries())
    have.push(listed.has(i) && sha256(await file.read(offsets[i]!, piece.bytes)) === piece.sha256);
  return have;
}

/** Ascending numbers as runs: from, how many. */
function runsOf(numbers: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const n of numbers) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === n) last[1]++;
    else runs.push([n, 1]);
  }
  return runs;
}

/** Puts a finished download under its final name; its bytes must be synced and verified. */
export async function promote(fs: DeviceFileSystem, folder: string, name: string): Promise<void> {
  await withFile(fs, `${folder}/${name}.part`, 'write', (file) => file.sync());
  await fs.rename(`${folder}/${name}.part`, `${folder}/${name}`);
  await fs.syncFolder(folder);
  await unlinkIfThere(fs, `${folder}/${name}.log`);
}
