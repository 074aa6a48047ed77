import { posix } from 'node:path';
import { sha256 } from '../../util/hash.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { readIfThere, replaceFile, withFile, writeFully } from '../fs/whole-files.ts';

/** Hex digits of SHA-256 that a line begins with: 64 bits against torn and rotten lines. */
const CHECK = 16;

/**
 * Entries in a file, one line each: the beginning of the SHA-256 of the entry's JSON, a space, the JSON. An entry is there after a power
 * cut once `append` has returned; a line that is not as it was written is skipped, wherever it stands.
 */
export class AppendLog<T> {
  /** Size of the file as far as it is known to be good; what a failed append left behind it is overwritten. */
  bytes: number;
  private readonly fs: DeviceFileSystem;
  private readonly path: string;
  /** The name may not be durable yet, even where the file was found: the first append sees to it. */
  private named = false;
  /** Whether something stands behind the good bytes: lines of it could come to life again when what is before them is written over. */
  private littered: boolean;

  private constructor(fs: DeviceFileSystem, path: string, bytes: number, littered: boolean) {
    this.fs = fs;
    this.path = path;
    this.bytes = bytes;
    this.littered = littered;
  }

  /**
   * Opens a log that may not be there yet, and reads its entries. Writes nothing.
   * @param isEntry what it says no to, an entry of another version, is left out.
   */
  static async open<T>(
    fs: DeviceFileSystem,
    path: string,
    isEntry: (value: unknown) => value is T,
  ): Promise<{ readonly log: AppendLog<T>; readonly entries: T[] }> {
    const content = await readIfThere(fs, path);
    const entries: T[] = [];
    let end = 0;
    const bytes = content ?? new Uint8Array();
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, start);
      if (newline < 0) break;
      const entry = parseLine(bytes.subarray(start, newline));
      start = newline + 1;
      if (entry === undefined) continue;
      end = start;
      if (isEntry(entry.value)) entries.push(entry.value);
    }
    return { log: new AppendLog<T>(fs, path, end, bytes.length > end), entries };
  }

  async append(entry: T): Promise<void> {
    const line = lineOf(entry);
    await withFile(this.fs, this.path, 'write', async (file) => {
      if (this.littered) await file.truncate(this.bytes);
      this.littered = true;
      await writeFully(file, this.bytes, line);
      await file.sync();
    });
    if (!this.named) await this.fs.syncFolder(posix.dirname(this.path));
    this.named = true;
    this.littered = false;
    this.bytes += line.length;
  }

  /** Replaces all entries at once. */
  async rewrite(entries: readonly T[]): Promise<void> {
    const lines = Buffer.concat(entries.map(lineOf));
    await replaceFile(this.fs, this.path, lines);
    this.named = true;
    this.littered = false;
    this.bytes = lines.length;
  }
}

const NEWLINE = 0x0a;

function lineOf(entry: unknown): Uint8Array {
  const json = JSON.stringify(entry);
  return new TextEncoder().encode(`${sha256(json).slice(0, CHECK)} ${json}\n`);
}

function parseLine(bytes: Uint8Array): { readonly value: unknown } | undefined {
  const line = new TextDecoder().decode(bytes);
  const json = line.slice(CHECK + 1);
  if (line[CHECK] !== ' ' || sha256(json).slice(0, CHECK) !== line.slice(0, CHECK)) return undefined;
  return { value: JSON.parse(json) };
}
