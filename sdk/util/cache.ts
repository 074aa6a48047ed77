import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where things are kept that can be made again; EIGEN_CACHE moves it, EIGEN_CACHE=off turns it off. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const set = env.EIGEN_CACHE;
  if (set === 'off') return undefined;
  if (set) return set;
  return join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'eigenweights');
}

/** The cached bytes of `name` (a path in the cache, named by its content), made where they are not there. */
export async function cached(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
  const folder = cacheFolder();
  const file = folder && join(folder, name);
  const hit = file && (await readFile(file).catch(() => undefined));
  // Whole, because it was renamed into place.
  if (hit) return new Uint8Array(hit);
  const bytes = await make();
  // Read-only or full: made again next time.
  if (file) await keep(file, bytes).catch(() => undefined);
  return bytes;
}

/** Writes a file so that its name holds nothing or all of it. */
export async function keep(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(temporary, bytes);
  await rename(temporary, file);
}
