/**
 * Quality kept at 8x, task by task, on the models and labelled data of ../shared/models: original (onnxruntime-web), compressed with the
 * command's defaults, the smallest size that keeps 98.5 %, and plain rounding of the same size. Prints Markdown tables and writes
 * out/quality.json and out/quality.html. What a task has measured is kept in out/quality/ under a hash of sources and data, so an
 * interrupted run goes on where it stopped.
 *
 * --filter TEXT  tasks whose name has one of these parts (a,b)      --samples N  a limit of labelled samples
 * --ablation     each stage of the compressor left out, at equal bytes   --fresh    forget what was kept
 * --export       the bundles at 8x as ONNX files in onnxruntime-web, against their own kernels
 * --json         print the document instead of the tables                 --write    put the tables into README.md
 */
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeAtomic } from '../sdk/util/files.ts';
import { sha256 } from '../sdk/util/hash.ts';
import { variants } from './quality/ablation.ts';
import { keyOf, sourcesHash } from './quality/key.ts';
import { qualityPage } from './quality/present/page.ts';
import { withQuality } from './quality/present/readme.ts';
import { ablationMarkdown, documentMarkdown, exportMarkdown } from './quality/present/tables.ts';
import { bundleChild, runChild } from './quality/process.ts';
import type {
  Ablation,
  CompressionStep,
  ExportStep,
  QualityDocument,
  QualityFailure,
  QualityRow,
} from './quality/results.ts';
import { MODELS, type QualityTask } from './quality/task.ts';
import { TASKS } from './quality/tasks.ts';

const root = resolve(import.meta.dirname, '..');
const OUT = join(root, 'out');
/** Tasks that an ablation takes when none are named. */
const ABLATED = ['kws_dscnn', 'cifar_resnet8_large', 'lm_charrnn_shakespeare'];
/** What is measured of a task, step by step. */
const STEPS = {
  quality: ['compress', 'smallest', 'evaluate'],
  ablation: ['compress', ...variants().map((v) => `variant-${v.id}`), 'ablation'],
  export: ['compress', 'export'],
} as const;
type Mode = keyof typeof STEPS;

/** A task's folder of results, emptied when they are of other sources or data. */
async function openFolder(task: QualityTask, key: string, fresh: boolean): Promise<string> {
  const folder = join(OUT, 'quality', task.id);
  const kept = await readFile(join(folder, 'key'), 'utf8').catch(() => '');
  if (fresh || kept !== key) await rm(folder, { recursive: true, force: true });
  await writeAtomic(join(folder, 'key'), key);
  return folder;
}

/** Runs the steps that have no result yet and reads all of them; a failure where one did not work out. */
async function results(
  script: string,
  task: QualityTask,
  steps: readonly string[],
  folder: string,
  limit: string | undefined,
): Promise<Record<string, unknown> | QualityFailure> {
  const started = performance.now();
  const failed = (step: string, error: string): QualityFailure => ({
    task: task.id,
    step,
    error,
    seconds: (performance.now() - started) / 1000,
  });
  const found: Record<string, unknown> = {};
  let calibration: string | undefined;
  for (const step of steps) {
    const path = join(folder, `${step}.json`);
    if (!existsSync(path)) {
      try {
        calibration ??= await task.calibration(MODELS, folder);
      } catch (cause) {
        return failed('calibration', cause instanceof Error ? cause.message : String(cause));
      }
      const args = [step, task.id, MODELS, calibration, folder, ...(limit ? [limit] : [])];
      // What compressing takes is told without kernels that an earlier run has compiled.
      const env = step === 'compress' ? { EIGEN_CACHE: await emptied(join(folder, 'kernels')) } : {};
      const { error, treeBytes } = await runChild(script, args, env);
      if (error !== '') return failed(step, error);
      if (step === 'compress') await notePeak(path, treeBytes);
    }
    found[step] = JSON.parse(await readFile(path, 'utf8'));
  }
  return found;
}

async function emptied(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  return folder;
}

/** The step itself knows the peak of its own process only. */
async function notePeak(path: string, treeBytes: number): Promise<void> {
  const step = JSON.parse(await readFile(path, 'utf8')) as CompressionStep;
  const peakBytes = Math.max(step.peakBytes, treeBytes);
  await writeAtomic(path, `${JSON.stringify({ ...step, peakBytes }, null, 2)}\n`);
}

const isFailure = (r: Record<string, unknown> | QualityFailure): r is QualityFailure => 'error' in r;

async function writeDocument(document: QualityDocument): Promise<void> {
  await writeAtomic(join(OUT, 'quality.json'), `${JSON.stringify(document, null, 2)}\n`);
  await writeAtomic(join(OUT, 'quality.html'), qualityPage(document));
}

/** What an earlier run with the same sources and samples found; this one replaces the tasks that it looks at. */
async function earlier(run: string): Promise<Pick<QualityDocument, 'rows' | 'ablations' | 'exports'>> {
  const text = await readFile(join(OUT, 'quality.json'), 'utf8').catch(() => undefined);
  const document = text === undefined ? undefined : (JSON.parse(text) as QualityDocument);
  return document?.run === run ? document : { rows: [], ablations: [], exports: [] };
}

const ORDER = new Map(TASKS.map((t, i) => [t.id, i]));
const byTask = (a: { task: string }, b: { task: string }): number => ORDER.get(a.task)! - ORDER.get(b.task)!;

function replaced<T extends { readonly task: string }>(all: readonly T[], one: T): T[] {
  return [...all.filter((r) => r.task !== one.task), one].sort(byTask);
}

function chosen(filter: string, mode: Mode): QualityTask[] {
  const parts = filter.split(',').filter(Boolean);
  if (parts.length === 0 && mode === 'ablation') return TASKS.filter((t) => ABLATED.includes(t.id));
  return TASKS.filter((t) => parts.length === 0 || parts.some((p) => t.id.includes(p)));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      samples: { type: 'string' },
      ablation: { type: 'boolean', default: false },
      export: { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  if (!existsSync(MODELS)) {
    console.error(`bench-quality: there is no ${MODELS}, the models and labelled data that it measures on`);
    return 2;
  }
  const mode: Mode = values.ablation ? 'ablation' : values.export ? 'export' : 'quality';
  const tasks = chosen(values.filter, mode);
  if (tasks.length === 0) {
    const names = TASKS.map((t) => t.id).join(', ');
    console.error(`bench-quality: no task's name contains '${values.filter}', there are: ${names}`);
    return 2;
  }
  const script = await bundleChild(root, OUT);
  const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  const sources = await sourcesHash(root);
  const run = sha256(sources, values.samples ?? 'all');
  let { rows, ablations, exports } = await earlier(run);
  const failures: QualityFailure[] = [];
  const folders = new Map<QualityTask, string>();
  // Compressing comes first, for all: it is what is timed.
  for (const [i, task] of tasks.entries()) {
    console.error(`compressing ${i + 1}/${tasks.length} ${task.id}`);
    const key = await keyOf(task, MODELS, sources, values.samples ?? 'all');
    const folder = await openFolder(task, key, values.fresh);
    const found = await results(script, task, ['compress'], folder, values.samples);
    if (isFailure(found)) failures.push(found);
    else folders.set(task, folder);
  }
  let done = 0;
  for (const [task, folder] of folders) {
    console.error(`${++done}/${folders.size} ${task.id}`);
    const found = await results(script, task, STEPS[mode], folder, values.samples);
    if (isFailure(found)) failures.push(found);
    else if (mode === 'ablation') ablations = replaced(ablations, found.ablation as Ablation);
    else if (mode === 'export') exports = replaced(exports, found.export as ExportStep);
    else rows = replaced(rows, rowOf(task, found));
    // After every task, so that an interrupted run leaves what it found.
    await writeDocument({ run, machine, rows, ablations, exports, failures });
  }
  const document = { run, machine, rows, ablations, exports, failures };
  if (values.json) console.log(JSON.stringify(document, null, 2));
  else console.log(textOf(document, mode));
  for (const f of failures) console.error(`FAILED ${f.task}, ${f.step}, after ${f.seconds.toFixed(0)} s: ${f.error}`);
  if (values.write) await writeReadme(document);
  return failures.length > 0 ? 1 : 0;
}

function textOf(document: QualityDocument, mode: Mode): string {
  if (mode === 'ablation') return ablationMarkdown(document.ablations);
  return mode === 'export' ? exportMarkdown(document.exports) : documentMarkdown(document);
}

function rowOf(task: QualityTask, found: Record<string, unknown>): QualityRow {
  const { compress, smallest, evaluate } = found;
  return { task: task.id, metric: task.metric, compression: compress, smallest, evaluation: evaluate } as QualityRow;
}

async function writeReadme(document: QualityDocument): Promise<void> {
  const path = join(root, 'README.md');
  await writeFile(path, withQuality(await readFile(path, 'utf8'), document));
}

process.exitCode = await main();
