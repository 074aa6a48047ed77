/**
 * One step of one task in a process of its own, so that memory and time are its own:
 * `child.ts STEP TASK MODELS CALIBRATION FOLDER [LIMIT]`. Writes FOLDER/STEP.json and tells its progress on stderr.
 */
import { join } from 'node:path';
import type { ProgressEvent } from '../../sdk/index.ts';
import { writeAtomic } from '../../sdk/util/files.ts';
import { variants } from './ablation.ts';
import { exportStep } from './export.ts';
import { ablationStep, compressStep, evaluateStep, type Setting, smallestStep, variantStep } from './steps.ts';
import { TASKS } from './tasks.ts';

/** Seconds between two lines of progress. */
const QUIET = 10;

const STEPS: Readonly<Record<string, (s: Setting) => Promise<unknown>>> = {
  compress: compressStep,
  smallest: smallestStep,
  evaluate: evaluateStep,
  ablation: ablationStep,
  export: exportStep,
  ...Object.fromEntries(variants().map((v) => [`variant-${v.id}`, (s: Setting) => variantStep(s, v)])),
};

const [step = '', id, models, calibration, folder, limit] = process.argv.slice(2);
const run = STEPS[step];
const task = TASKS.find((t) => t.id === id);
if (!run || !task || !models || !calibration || !folder) {
  throw new Error(`child.ts: no step '${step}', no task '${id}', or too few arguments`);
}

const started = performance.now();
let told = 0;
function progress({ stage, done, total, note }: ProgressEvent): void {
  const seconds = (performance.now() - started) / 1000;
  if (seconds - told < QUIET) return;
  told = seconds;
  console.error(`  ${step}, ${seconds.toFixed(0)} s: ${stage} ${done}/${total}${note ? ` ${note}` : ''}`);
}

const result = await run({
  task,
  models,
  calibration,
  folder,
  limit: limit === undefined ? undefined : Number(limit),
  progress,
});
await writeAtomic(join(folder, `${step}.json`), `${JSON.stringify(result, null, 2)}\n`);
