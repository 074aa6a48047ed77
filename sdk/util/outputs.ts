import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EigenError } from './errors.ts';

/**
 * Looks whether a file can be written where it is to go, before the work whose result it is: what shows at the end costs all of it.
 * @throws EigenError EW1001_USAGE when it is one of the files in `reads`, EW1003_WRITE_FAILED when it is a folder or a device, or when its
 * folder cannot be written.
 */
export async function checkOutput(path: string, reads: readonly string[] = []): Promise<void> {
  const there = await statOf(path);
  if (there && !there.isFile())
    throw refused(path, `it is a ${there.isDirectory() ? 'folder' : 'device'}`, 'Give the name of a file.');
  for (const read of reads) {
    const other = there && (await statOf(read));
    if (other && other.ino === there.ino && other.dev === there.dev)
      throw new EigenError('EW1001_USAGE', `${path} is read, and would be written over`, {
        hint: 'Give the output another name.',
        details: { path },
      });
  }
  await checkFolder(path, dirname(path));
}

/** The folder, or the nearest one above that is there: the others will be made. */
async function checkFolder(path: string, folder: string): Promise<void> {
  const there = await statOf(folder);
  if (!there && folder !== dirname(folder)) return checkFolder(path, dirname(folder));
  if (there && !there.isDirectory()) throw refused(path, `${folder} is no folder`, 'Check the path.');
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw refused(path, `${folder} cannot be written`, 'Choose a folder that you may write to.', cause);
  });
}

function refused(path: string, why: string, hint: string, cause?: unknown): EigenError {
  return new EigenError('EW1003_WRITE_FAILED', `${path}: not written (${why})`, { hint, details: { path }, cause });
}

const statOf = (path: string) => stat(path).catch(() => undefined);
