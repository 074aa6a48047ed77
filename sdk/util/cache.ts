import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { EigenError } from './errors.ts';
import { isNoPlace, makeFolder } from './folders.ts';

/** Where things are kept that can be made again; EIGEN_CACHE moves it, EIGEN_CACHE=off turns it off. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const set = env.EIGEN_CACHE;
  if (set === 'off') return undefined;
  if (set) return set;
  return join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'eigenweights');
}

/**
 * The cached bytes of `name` (a path in the cache, named by its content), made where they are not there.
 * @throws EigenError EW1003_WRITE_FAILED before anything is made where there can be no such folder.
 */
export async function cached(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
  const folder = cacheFolder();
  const file = folder && join(folder, name);
  const hit = file && (await readFile(file).catch(() => undefined));
  if (hit) {
    await used(file!);
    // Whole, because it was renamed into place.
    return new Uint8Array(hit);
  }
  if (file) await makeFolder(dirname(file)).catch((e) => isNoPlace(e) && refuse(folder!, e));
  const bytes = await make();
  // Read-only or full: made again next time.
  if (file) await keep(file, bytes).catch(() => undefined);
  return bytes;
}

function refuse(folder: string, cause: unknown): never {
  throw new EigenError('EW1003_WRITE_FAILED', `the cache cannot be in ${folder}: no folder can be made there`, {
    hint: 'Set EIGEN_CACHE to a folder that can be written, or to off.',
    cause,
  });
}

/** What one folder of the cache may hold before what was not used for longest goes, bytes. */
const MOST_BYTES = 256 << 20;

/**
 * Writes a file of the cache so that its name holds nothing or all of it, and removes what its folder has too much of. A process that has
 * a removed file mapped keeps what is in it.
 */
export async function keep(file: string, bytes: Uint8Array, mostBytes = MOST_BYTES): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  await makeFolder(dirname(file));
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, file);
  } catch (e) {
    await rm(temporary, { force: true });
    throw e;
  }
  await prune(dirname(file), file, mostBytes);
}

/** Notes that a file of the cache is in use: those that are not are removed first. */
export async function used(file: string): Promise<void> {
  const now = new Date();
  await utimes(file, now, now).catch(() => undefined);
}

async function prune(folder: string, newest: string, mostBytes: number): Promise<void> {
  const paths = (await readdir(folder)).map((name) => join(folder, name)).filter((path) => path !== newest);
  // Another process may remove them too.
  const found = await Promise.all(
    paths.map(async (path) => ({ path, ...(await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }))) })),
  );
  found.sort((a, b) => b.mtimeMs - a.mtimeMs);
  let bytes = (await stat(newest)).size;
  for (const { path, size } of found) {
    bytes += size;
    if (bytes > mostBytes) await rm(path, { force: true });
  }
}
