/**
 * One step of one task in a process of its own, so that memory and time are its own:
 * `child.ts compress|evaluate TASK MODELS CALIBRATION FOLDER [LIMIT]`. Writes FOLDER/<step>.json.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BundleSession,
  buildCompressed,
  type CompressRequest,
  openOracle,
  openSession,
  ROUND_TO_NEAREST,
} from '../../sdk/index.ts';
import { compareOn, type Forward } from './compare.ts';
import { originalParameters } from './parameters.ts';
import type { CompressionStep, EvaluationStep } from './row.ts';
import type { QualityTask } from './task.ts';
import { TASKS } from './tasks.ts';

const TARGET = 'raspberry-pi-4b';
const FACTOR = 8;
const MIN_QUALITY = 0.985;

const [step, id, models, calibration, folder, limit] = process.argv.slice(2) as [string, ...string[]];
const task = TASKS.find((t) => t.id === id);
if (!task || !models || !calibration || !folder) throw new Error(`child.ts: no task '${id}', or too few arguments`);
const model = { path: join(models, task.model), ...(task.dims ? { dims: task.dims } : {}) };
const request = { target: TARGET, calibration, minQuality: MIN_QUALITY, cwd: folder, force: true };

/** The command's defaults and nothing else. */
async function compressStep(): Promise<CompressionStep> {
  const started = performance.now();
  const originalBytes = 4 * originalParameters(await readFile(model.path));
  const budget: CompressRequest['budget'] = { bytes: Math.floor(originalBytes / FACTOR) };
  const built = await buildCompressed(model, { ...request, budget, out: join(folder!, 'ours.ewb') });
  const report = built.report!;
  return {
    originalBytes,
    wireBytes: built.weightWireBytes!,
    budgetBytes: built.wireBudgetBytes,
    residentBytes: report.totals.residentBytes,
    gate: report.gate,
    ...(report.smallestPassing ? { smallestPassing: report.smallestPassing } : {}),
    frontier: report.frontier,
    layers: report.layers.map(({ components: _, ...layer }) => layer),
    timings: built.timings,
    seconds: (performance.now() - started) / 1000,
    // Kilobytes on Linux.
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** Plain rounding at our size, then all three on the labelled samples. */
async function evaluateStep(task: QualityTask): Promise<EvaluationStep> {
  const ours = JSON.parse(await readFile(join(folder!, 'compress.json'), 'utf8')) as CompressionStep;
  const built = await buildCompressed(model, {
    ...request,
    budget: { bytes: ours.wireBytes },
    stages: { ...ROUND_TO_NEAREST, frontierPoints: 0 },
    out: join(folder!, 'plain.ewb'),
  });
  const oracle = await openOracle('onnxruntime-web', await readFile(model.path));
  const sessions = [await openSession(join(folder!, 'ours.ewb')), await openSession(join(folder!, 'plain.ewb'))];
  const started = performance.now();
  try {
    const result = await compareOn(
      task,
      await task.evaluation(models!),
      async (inputs) => firstOf(await oracle.run(inputs)),
      sessions.map(
        (s): Forward =>
          async (inputs) =>
            firstOf(await s.run(inputs)),
      ),
      limit === undefined ? undefined : Number(limit),
    );
    const { weightBytes, arenaBytes } = sessions[0]!.bundle.manifest.program;
    return {
      samples: result.samples,
      counted: result.counted,
      original: result.original,
      ours: result.models[0]!,
      plain: result.models[1]!,
      plainWireBytes: built.weightWireBytes!,
      engine: sessions[0]!.engine,
      weightBytes,
      arenaBytes,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    for (const s of sessions as BundleSession[]) s.close();
    await oracle.close();
  }
}

function firstOf<T>(outputs: Readonly<Record<string, T>>): T {
  const first = Object.values(outputs)[0];
  if (first === undefined) throw new Error(`${id}: the model has no output`);
  return first;
}

const result = step === 'compress' ? await compressStep() : await evaluateStep(task);
await writeFile(join(folder, `${step}.json`), `${JSON.stringify(result, null, 2)}\n`);
