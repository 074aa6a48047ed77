import { constants, type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EigenError } from '../../util/errors.ts';
import type { BlobFolder } from './blob-folder.ts';

/** Largest blob that is taken, bytes. */
export const MOST_UPLOAD = 2 ** 32;
/** An upload that nobody went on with for so long is given up, milliseconds. */
const STALE = 86_400_000;

/** How far an upload is. */
export interface Held {
  /** Bytes that are here. */
  readonly bytes: number;
  /** It is a blob that devices can fetch. */
  readonly whole: boolean;
}

/** A stretch of a blob. */
export interface Stretch {
  readonly from: number;
  /** Of the whole blob, bytes. */
  readonly total: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Blobs on their way to a folder, a file each below `uploads/`. They are named by their SHA-256: what was cut short goes on where it stopped,
 * whoever sends it, and what is there is not sent twice. A chunk is in memory at a time.
 */
export class Uploads {
  private readonly folder: string;
  private readonly blobs: BlobFolder;
  private readonly now: () => number;
  /** What somebody sends at present. */
  private readonly busy = new Set<string>();

  constructor(folder: string, blobs: BlobFolder, now: () => number) {
    this.folder = join(folder, 'uploads');
    this.blobs = blobs;
    this.now = now;
  }

  async held(sha256: string): Promise<Held> {
    const spec = await this.blobs.spec(sha256);
    if (spec) return { bytes: spec.bytes, whole: true };
    const found = await stat(this.path(sha256)).catch(() => undefined);
    return { bytes: found?.size ?? 0, whole: false };
  }

  /**
   * Takes a stretch; with the last one the blob is verified, and is one. What came before a connection broke stays.
   * @throws EigenError EW2101_REQUEST_INVALID for a stretch that leaves a gap or is too long, and for a blob that is another.
   */
  async take(sha256: string, stretch: Stretch): Promise<Held> {
    if (this.busy.has(sha256))
      throw refused('somebody sends this blob already', 'Ask how far it is, and go on from there.');
    // Before the first look: what is held does not change from here on.
    this.busy.add(sha256);
    try {
      const held = await this.held(sha256);
      if (held.whole) return held;
      check(stretch, held.bytes);
      await this.clear();
      await mkdir(this.folder, { recursive: true });
      const bytes = await this.write(sha256, stretch);
      if (bytes < stretch.total) return { bytes, whole: false };
      return await this.finish(sha256, bytes);
    } finally {
      this.busy.delete(sha256);
    }
  }

  private async write(sha256: string, { from, total, chunks }: Stretch): Promise<number> {
    const file = await open(this.path(sha256), constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      await file.truncate(from);
      const bytes = await append(file, { from, total, chunks });
      await file.sync();
      return bytes;
    } finally {
      await file.close();
    }
  }

  private async finish(sha256: string, bytes: number): Promise<Held> {
    const found = await this.blobs.adopt(this.path(sha256), sha256);
    if (found === sha256) return { bytes, whole: true };
    await rm(this.path(sha256), { force: true });
    throw refused(`what came has SHA-256 ${found}`, 'Send it again from the beginning, under the digest that it has.');
  }

  private async clear(): Promise<void> {
    for (const name of await readdir(this.folder).catch(() => [])) {
      if (this.busy.has(name)) continue;
      const found = await stat(join(this.folder, name)).catch(() => undefined);
      if (found && this.now() - found.mtimeMs > STALE) await rm(join(this.folder, name), { force: true });
    }
  }

  private path(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new RangeError(`'${sha256}' is no SHA-256`);
    return join(this.folder, sha256);
  }
}

function check({ from, total }: Stretch, held: number): void {
  if (total < 1 || total > MOST_UPLOAD) throw refused(`a blob has 1 to ${MOST_UPLOAD} bytes, not ${total}`);
  if (from > held || from >= total)
    throw refused(
      `it goes on at ${from}, and ${held} of ${total} bytes are here`,
      'Ask how far it is, and go on from there.',
    );
}

/** Writes no faster than it is sent; gives the bytes that are there then. What breaks the stream off is its sender's to find. */
async function append(file: FileHandle, { from, total, chunks }: Stretch): Promise<number> {
  let at = from;
  try {
    for await (const chunk of chunks) {
      if (at + chunk.length > total) throw refused(`more than the ${total} bytes that were announced`);
      for (let done = 0; done < chunk.length; )
        done += (await file.write(chunk, done, chunk.length - done, at + done)).bytesWritten;
      at += chunk.length;
    }
  } catch (e) {
    if (e instanceof EigenError || isStorageError(e)) throw e;
  }
  return at;
}

function isStorageError(e: unknown): boolean {
  return e instanceof Error && 'syscall' in e && (e.syscall === 'write' || e.syscall === 'pwrite');
}

function refused(what: string, hint?: string): EigenError {
  return new EigenError('EW2101_REQUEST_INVALID', `upload: ${what}`, hint === undefined ? {} : { hint });
}
