import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder and those it is in. Node's own recursive mkdir does not end where the system says of a folder in one that is there that
 * there is no such folder, as in /proc. Rejects with the system's error.
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (e) {
    if (await isFolder(path)) return;
    const parent = dirname(path);
    if (codeOf(e) !== 'ENOENT' || parent === path) throw e;
    if (!(await isFolder(parent))) await makeFolder(parent, mode);
    await mkdir(path, { mode }).catch(async (again: unknown) => {
      if (!(await isFolder(path))) throw again;
    });
  }
}

/** Whether nothing but another path helps: the system makes no folders there, or something that is none is in the way. */
export function isNoPlace(e: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EEXIST'].includes(codeOf(e));
}

function codeOf(e: unknown): string {
  return e instanceof Error && 'code' in e ? String(e.code) : '';
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (s) => s.isDirectory(),
    () => false,
  );
}
