import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EigenError } from '../../util/errors.ts';

/** A change of metadata takes milliseconds: a lock that is older than this is of a process that ended without a word. */
const STALE = 60_000;
const LOOK_AGAIN = 50;
const PATIENCE = 10_000;

/**
 * Works while no other process changes the metadata in a folder: a controller renews what is online, people sign the rest.
 * @throws EigenError EW8104_METADATA_IN_USE.
 */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, 'lock');
  await mkdir(folder, { recursive: true });
  for (let waited = 0; !(await taken(path)); waited += LOOK_AGAIN) {
    if (waited >= PATIENCE)
      throw new EigenError('EW8104_METADATA_IN_USE', `${folder}: another process is changing the metadata`, {
        hint: `Try again. If there is no such process, remove ${path}.`,
        details: { folder },
      });
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function taken(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
    return true;
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'EEXIST') throw e;
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > STALE) await rm(path, { force: true });
    return false;
  }
}
