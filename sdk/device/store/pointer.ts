import { posix } from 'node:path';
import { sha256 } from '../../util/hash.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { readIfThere, withFile, writeFully } from '../fs/whole-files.ts';

interface Copy<T> {
  readonly sequence: number;
  readonly state: T;
}

const NAMES = ['pointer.0', 'pointer.1'] as const;

/** Hex digits of a SHA-256. */
const CHECK = 64;

/**
 * A small state that changes atomically. It is in two files, each with a sequence number and a checksum; a change overwrites the older
 * one, and the newest that is whole counts. A write that power cuts short so leaves the state from before, and damage to one file the
 * state from one change earlier.
 */
export class Pointer<T> {
  private readonly fs: DeviceFileSystem;
  private readonly folder: string;
  private readonly copies: (Copy<T> | undefined)[];
  /** What writes that failed may have left on the medium. */
  private uncertain: T[] = [];
  private named = false;

  private constructor(fs: DeviceFileSystem, folder: string, copies: (Copy<T> | undefined)[]) {
    this.fs = fs;
    this.folder = folder;
    this.copies = copies;
  }

  /** Reads the pointer of a folder. Writes nothing. */
  static async open<T>(fs: DeviceFileSystem, folder: string): Promise<Pointer<T>> {
    const copies: (Copy<T> | undefined)[] = [];
    for (const name of NAMES) {
      const bytes = await readIfThere(fs, posix.join(folder, name));
      copies.push(bytes && parseCopy<T>(bytes));
    }
    return new Pointer<T>(fs, folder, copies);
  }

  /** The present state; undefined where nothing was ever written, or nothing of it is whole. */
  get state(): T | undefined {
    return this.copies[this.newest]?.state;
  }

  /** Every state that a start after a power cut could find, or fall back to. */
  get reachable(): T[] {
    return [...this.copies.flatMap((c) => (c ? [c.state] : [])), ...this.uncertain];
  }

  private get newest(): 0 | 1 {
    const [first, second] = this.copies;
    return second && (!first || second.sequence > first.sequence) ? 1 : 0;
  }

  /** Changes the state. Where it throws, `state` is as before; a later start may find either. */
  async write(state: T): Promise<void> {
    const present = this.copies[this.newest];
    const copy = { sequence: (present?.sequence ?? 0) + 1, state };
    const older = present ? 1 - this.newest : 0;
    this.uncertain.push(state);
    await withFile(this.fs, posix.join(this.folder, NAMES[older]!), 'write', async (file) => {
      await writeFully(file, 0, bytesOfCopy(copy));
      await file.sync();
    });
    if (!this.named) await this.fs.syncFolder(this.folder);
    // Both names exist from the second write on.
    this.named = this.copies.every((c) => c !== undefined);
    this.copies[older] = copy;
    this.uncertain = [];
  }

  /** Brings the older file up to the present state, so that nothing can fall back to what was before. */
  async settle(): Promise<void> {
    const { state } = this;
    if (state !== undefined && JSON.stringify(this.copies[1 - this.newest]?.state) !== JSON.stringify(state))
      await this.write(state);
  }
}

/** The checksum of the JSON, a space, the JSON, a newline; behind it may be the rest of something longer. */
function bytesOfCopy(copy: Copy<unknown>): Uint8Array {
  const json = JSON.stringify(copy);
  return new TextEncoder().encode(`${sha256(json)} ${json}\n`);
}

function parseCopy<T>(bytes: Uint8Array): Copy<T> | undefined {
  const end = bytes.indexOf(0x0a);
  if (end < 0) return undefined;
  const line = new TextDecoder().decode(bytes.subarray(0, end));
  const json = line.slice(CHECK + 1);
  return line[CHECK] === ' ' && sha256(json) === line.slice(0, CHECK) ? (JSON.parse(json) as Copy<T>) : undefined;
}
