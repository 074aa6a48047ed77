import { dirname, join, relative } from 'node:path';
import { sha256 } from '../../sdk/util/hash.ts';
import { filesIn, hashOf, sourcesOf, UNDECIDING } from '../lib/sources.ts';
import type { QualityTask } from './task.ts';

/** What the steps of a task call, and their own folder. */
const PROGRAMS = ['build', 'export', 'inspect', 'session']
  .map((f) => `sdk/app/${f}.ts`)
  .concat('sdk/measure/oracle/ort.ts');
const STEPS = 'tools/quality';
const SHOWN = `${STEPS}/present/`;

/** Hash of the sources that decide what comes out. */
export async function sourcesHash(root: string): Promise<string> {
  const whole = await Promise.all(['profiles', STEPS].map((folder) => filesIn(join(root, folder))));
  const files = [...(await sourcesOf(root, PROGRAMS)), ...whole.flat().map((f) => relative(root, f))];
  const deciding = files.filter((f) => ![...UNDECIDING, SHOWN].some((u) => f.startsWith(u)));
  return hashOf(
    root,
    deciding.map((f) => join(root, f)),
  );
}

/** Hash of a task's model and data, the sources and the limit of samples: results under another one are of another run. */
export async function keyOf(task: QualityTask, models: string, sources: string, limit: string): Promise<string> {
  const data = await hashOf(models, await filesIn(join(models, dirname(task.model))));
  return sha256(JSON.stringify([task.id, task.model, task.dims ?? {}, task.set ?? {}, data, sources, limit]));
}
