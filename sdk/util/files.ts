import { randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EigenError } from './errors.ts';
import { makeFolder } from './folders.ts';
import { sha256OfFile } from './hash.ts';

/**
 * The few things the SDK does to a file system. Failures are the platform's own errors (with a `code` such as ENOENT or
 * ENOSPC); `readBytes` and `writeAtomic` turn them into EigenErrors. The fake is sdk/testing/memory-fs.ts.
 */
export interface FileSystem {
  read(path: string): Promise<Uint8Array>;
  /** SHA-256 of a file, 64 lower-case hex digits, without having all of it in memory. */
  hash(path: string): Promise<string>;
  /** Creates or truncates, writes everything, and returns when it is on the medium. May leave a partial file when it fails. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Replaces the file `to`, atomically; folders only onto nothing. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a whole folder; nothing there is not an error. */
  remove(path: string): Promise<void>;
  /** Creates a folder and its parents; already there is not an error. */
  makeFolder(path: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** Names in a folder, sorted. */
  list(path: string): Promise<string[]>;
}

export const nodeFileSystem: FileSystem = {
  async read(path) {
    return new Uint8Array(await readFile(path));
  },
  async hash(path) {
    const file = await open(path);
    try {
      // A file that became shorter meanwhile is not the one that anybody means.
      return (await sha256OfFile(file, (await file.stat()).size)) ?? '';
    } finally {
      await file.close();
    }
  },
  async write(path, bytes) {
    const file = await open(path, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async rename(from, to) {
    await rename(from, to);
    await syncFolder(dirname(to));
  },
  remove: (path) => rm(path, { recursive: true, force: true }),
  makeFolder: (path) => makeFolder(path),
  exists: (path) =>
    stat(path).then(
      () => true,
      () => false,
    ),
  list: async (path) => (await readdir(path)).sort(),
};

/** A rename is durable only when its folder is; where folders cannot be opened (Windows) it is left to the system. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  if (!folder) return;
  await folder.sync().catch(() => undefined);
  await folder.close();
}

/**
 * Whole content of a file.
 * @throws EigenError EW1002_FILE_NOT_FOUND when it is absent or cannot be read.
 */
export async function readBytes(path: string, fs: FileSystem = nodeFileSystem): Promise<Uint8Array> {
  return fs.read(path).catch((e) => unreadable(path, e));
}

/** SHA-256 of a file. Throws what readBytes does. */
export async function hashOf(path: string, fs: FileSystem = nodeFileSystem): Promise<string> {
  return fs.hash(path).catch((e) => unreadable(path, e));
}

function unreadable(path: string, e: unknown): never {
  const code = codeOf(e);
  const message = code === 'ENOENT' ? `${path}: no such file` : `${path}: cannot be read (${reasonOf(e)})`;
  throw new EigenError('EW1002_FILE_NOT_FOUND', message, {
    hint: READ_HINTS[code] ?? 'Check the path.',
    details: { path, code },
    cause: e,
  });
}

const READ_HINTS: Record<string, string> = {
  EACCES: 'Check the permissions of the file and its folder.',
  EISDIR: 'It is a folder: give the file in it.',
};

/**
 * Writes a file so that its name holds either the old content or all of the new: temporary file in the same folder,
 * fsync, rename. Creates the folder.
 * @throws EigenError EW1003_WRITE_FAILED; the temporary file is gone then.
 */
export async function writeAtomic(
  path: string,
  bytes: Uint8Array | string,
  fs: FileSystem = nodeFileSystem,
): Promise<void> {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  await replaceAtomically(path, fs, (temporary) => fs.write(temporary, data));
}

/**
 * The same for anything `fill` creates at the temporary path it is given, a folder included (the final name must be free
 * then).
 * @throws EigenError EW1003_WRITE_FAILED; what was created is gone then. EigenErrors of `fill` pass through.
 */
export async function replaceAtomically(
  path: string,
  fs: FileSystem,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await fs.makeFolder(folder);
    await fill(temporary);
    await fs.rename(temporary, path);
  } catch (e) {
    await fs.remove(temporary).catch(() => undefined);
    throw e instanceof EigenError ? e : writeFailed(path, e);
  }
}

function writeFailed(path: string, e: unknown): EigenError {
  const code = codeOf(e);
  return new EigenError('EW1003_WRITE_FAILED', `${path}: not written (${reasonOf(e)})`, {
    hint: WRITE_HINTS[code] ?? 'Check the path and the permissions of its folder; nothing was left under this name.',
    details: { path, code },
    cause: e,
  });
}

const WRITE_HINTS: Record<string, string> = {
  ENOSPC: 'The disk is full: free some space or choose another folder; nothing half-written was left.',
  EDQUOT: 'The disk quota is used up: free some space or choose another folder; nothing half-written was left.',
  EFBIG:
    'The file is larger than may be written here: raise the limit or choose another folder; nothing half-written was left.',
  EACCES: 'Choose a folder that you may write to.',
  EROFS: 'The file system is read-only: choose another folder.',
};

function codeOf(e: unknown): string {
  return typeof e === 'object' && e !== null && 'code' in e ? String(e.code) : '';
}

function reasonOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
