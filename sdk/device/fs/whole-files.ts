import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { DeviceFileSystem, OpenFile } from './file-system.ts';

/** Opens, works, closes; an error of the work counts more than one of closing. */
export async function withFile<T>(
  fs: DeviceFileSystem,
  path: string,
  mode: 'read' | 'write',
  work: (file: OpenFile) => Promise<T>,
): Promise<T> {
  const file = await fs.open(path, mode);
  let result: T;
  try {
    result = await work(file);
  } catch (e) {
    await file.close().catch(() => undefined);
    throw e;
  }
  await file.close();
  return result;
}

/** Writes all bytes, however short single writes are. */
export async function writeFully(file: OpenFile, at: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += await file.write(at + done, bytes.subarray(done));
}

/** Content of a file; undefined where there is none. */
export async function readIfThere(fs: DeviceFileSystem, path: string): Promise<Uint8Array | undefined> {
  try {
    return await withFile(fs, path, 'read', async (file) => file.read(0, await file.size()));
  } catch (e) {
    if (codeOf(e) === 'ENOENT') return undefined;
    throw e;
  }
}

/** Size of a file in bytes and its SHA-256, read a stretch at a time; undefined where there is none. */
export async function digestOf(
  fs: DeviceFileSystem,
  path: string,
): Promise<{ readonly bytes: number; readonly sha256: string } | undefined> {
  const stretch = spare ?? new Uint8Array(STRETCH);
  spare = undefined;
  try {
    return await hashed(fs, path, () => () => stretch);
  } finally {
    spare = stretch;
  }
}

/** Content of a file, and its SHA-256; undefined where there is none. */
export async function readHashed(
  fs: DeviceFileSystem,
  path: string,
): Promise<{ readonly content: Uint8Array; readonly sha256: string } | undefined> {
  let content: Uint8Array = new Uint8Array();
  const found = await hashed(fs, path, (bytes) => {
    content = new Uint8Array(bytes);
    return (at) => content.subarray(at, at + STRETCH);
  });
  return found && { content, sha256: found.sha256 };
}

/** @param begin is told the size, and gives where the stretch at a place is read to. */
async function hashed(
  fs: DeviceFileSystem,
  path: string,
  begin: (bytes: number) => (at: number) => Uint8Array,
): Promise<{ readonly bytes: number; readonly sha256: string } | undefined> {
  try {
    return await withFile(fs, path, 'read', async (file) => {
      const hash = createHash('sha256');
      const bytes = await file.size();
      const into = begin(bytes);
      for (let at = 0; at < bytes; at += STRETCH)
        hash.update(await file.read(at, Math.min(STRETCH, bytes - at), into(at)));
      return { bytes, sha256: hash.digest('hex') };
    });
  } catch (e) {
    if (codeOf(e) === 'ENOENT') return undefined;
    throw e;
  }
}

/** Hashed at a time: inferences wait for it. */
const STRETCH = 1 << 16;

/** Read into again and again: what files leave behind has to be collected, and inferences wait for that too. */
let spare: Uint8Array | undefined;

/** Puts new content under a name: after a power cut the name has the old content or all of the new, after the return the new. */
export async function replaceFile(fs: DeviceFileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await withFile(fs, temporary, 'write', async (file) => {
    await file.truncate(0);
    await writeFully(file, 0, bytes);
    await file.sync();
  });
  await fs.rename(temporary, path);
  await fs.syncFolder(posix.dirname(path));
}

/** Removes a file; nothing there is no error. The name may come back with a power cut until the folder is synced. */
export async function unlinkIfThere(fs: DeviceFileSystem, path: string): Promise<void> {
  await fs.unlink(path).catch((e) => {
    if (codeOf(e) !== 'ENOENT') throw e;
  });
}

/** The platform's error code; empty where it has none. */
export function codeOf(e: unknown): string {
  return typeof e === 'object' && e !== null && 'code' in e ? String(e.code) : '';
}
