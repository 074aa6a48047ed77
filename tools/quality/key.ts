import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { sha256 } from '../../sdk/util/hash.ts';
import type { QualityTask } from './task.ts';

/** What results depend on besides models and data. How they are shown is none of it. */
const SOURCES = ['sdk', 'targets', 'profiles', 'tools/quality'];
const SHOWN = ['sdk/report', 'sdk/cli', 'tools/quality/present'];

/** Hash of the sources that decide what comes out. */
export async function sourcesHash(root: string): Promise<string> {
  const files = (await Promise.all(SOURCES.map((folder) => filesIn(join(root, folder))))).flat();
  const counted = files.filter((f) => !SHOWN.some((s) => relative(root, f).startsWith(`${s}/`)));
  return hashOf(root, counted);
}

/** Hash of a task's model and data, the sources and the limit of samples: results under another one are of another run. */
export async function keyOf(task: QualityTask, models: string, sources: string, limit: string): Promise<string> {
  const data = await hashOf(models, await filesIn(join(models, dirname(task.model))));
  return sha256(JSON.stringify([task.id, task.model, task.dims ?? {}, task.set ?? {}, data, sources, limit]));
}

/** Every file under a folder, in the order of names. */
export async function filesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return (await stat(path)).isDirectory() ? filesIn(path) : [path];
    }),
  );
  return found.flat();
}

/** Of paths relative to `root` and contents. */
export async function hashOf(root: string, files: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const f of files) parts.push(relative(root, f), sha256(await readFile(f)));
  return sha256(parts.join('\n'));
}
