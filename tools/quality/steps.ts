import { readFile, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import {
  type BundleSession,
  buildCompressed,
  buildFloat,
  type CompressedBuild,
  type CompressRequest,
  inspectPath,
  isEigenError,
  type Oracle,
  openOracle,
  openSession,
  type Progress,
  ROUND_TO_NEAREST,
  type Tensor,
} from '../../sdk/index.ts';
import { setInputs } from '../speed/models.ts';
import { type Variant, variants } from './ablation.ts';
import { compareOn, type TaskComparison } from './compare.ts';
import { originalParameters } from './parameters.ts';
import type { Ablation, CompressionStep, EvaluationStep, ProgramBytes, SmallestStep, VariantStep } from './results.ts';
import { type Forward, modelOf, type QualityTask } from './task.ts';

const TARGET = 'raspberry-pi-4b';
const FACTOR = 8;
export const MIN_QUALITY = 0.985;
/** What the compressor's processes may take together at their peak: 4 x the fp32 weights and this. */
const PEAK_EXTRA = 500e6;

/** One task in work: where things are, and how it tells of its progress. */
export interface Setting {
  readonly task: QualityTask;
  readonly models: string;
  readonly calibration: string;
  /** Where bundles and results of steps are. */
  readonly folder: string;
  readonly limit: number | undefined;
  readonly progress: Progress;
}

type Build = Partial<CompressRequest> & Pick<CompressRequest, 'out'>;

async function build(s: Setting, { out, ...more }: Build): Promise<CompressedBuild> {
  const fixed = { target: TARGET, calibration: s.calibration, cwd: s.folder, force: true };
  return buildCompressed(
    modelOf(s.task, s.models),
    { ...fixed, ...more, out: join(s.folder, out) },
    { progress: s.progress, threads: availableParallelism() },
  );
}

/** fp32 bytes of the parameters as the file has them; of a model with fixed inputs, of what is left when they are. */
async function originalBytes({ task, models }: Setting): Promise<number> {
  const model = modelOf(task, models);
  if (!task.set) return 4 * originalParameters(await readFile(model.path));
  const inspected = await inspectPath(model);
  if (inspected.kind !== 'model') throw new Error(`${model.path} is no model`);
  return 4 * inspected.parameters;
}

async function readStep<T>({ folder }: Setting, step: string): Promise<T> {
  return JSON.parse(await readFile(join(folder, `${step}.json`), 'utf8')) as T;
}

const since = (started: number): number => (performance.now() - started) / 1000;

/** The command's defaults and nothing else. */
export async function compressStep(s: Setting): Promise<CompressionStep> {
  const started = performance.now();
  const original = await originalBytes(s);
  const built = await build(s, { budget: { bytes: Math.floor(original / FACTOR) }, out: 'ours.ewb' });
  const report = built.report!;
  return {
    originalBytes: original,
    wireBytes: built.weightWireBytes!,
    budgetBytes: built.wireBudgetBytes,
    residentBytes: report.totals.residentBytes,
    gate: report.gate,
    binds: report.binds,
    progressive: report.progressive ?? [],
    stages: report.stages,
    layers: report.layers.map(({ components: _, ...layer }) => layer),
    timings: built.timings,
    seconds: since(started),
    // Kilobytes on Linux.
    peakBytes: process.resourceUsage().maxRSS * 1024,
    peakLimitBytes: 4 * original + PEAK_EXTRA,
  };
}

/** No size given: as small as keeps the quality. */
export async function smallestStep(s: Setting): Promise<SmallestStep> {
  const started = performance.now();
  const built = await build(s, { minQuality: MIN_QUALITY, out: 'smallest.ewb' });
  const { gate, frontier } = built.report!;
  return { wireBytes: built.weightWireBytes!, gate, points: frontier, seconds: since(started) };
}

/** Plain rounding at our size, then everything on the labelled samples. */
export async function evaluateStep(s: Setting): Promise<EvaluationStep> {
  const { wireBytes } = await readStep<CompressionStep>(s, 'compress');
  const plain = await build(s, {
    budget: { bytes: wireBytes },
    stages: { ...ROUND_TO_NEAREST, frontierPoints: 0 },
    out: 'plain.ewb',
  });
  const { program: float } = await buildFloat(modelOf(s.task, s.models), { target: TARGET, force: true });
  const started = performance.now();
  const whole = join(s.folder, 'ours.ewb');
  const firstBytes = (await stat(whole)).size - Math.floor(wireBytes / 2);
  const half = await opensPart(whole, firstBytes);
  const { result, program, engine } = await compareBundles(s, [
    ...['ours.ewb', 'smallest.ewb', 'plain.ewb'].map((name) => ({ name })),
    ...(half ? [{ name: 'ours.ewb', firstBytes }] : []),
  ]);
  const [ours, smallest, plainly, halved] = result.models;
  return {
    samples: result.samples,
    counted: result.counted,
    original: result.original,
    ours: ours!,
    smallest: smallest!,
    ...(halved ? { half: halved } : {}),
    plain: plainly!,
    plainWireBytes: plain.weightWireBytes!,
    engine,
    program,
    floatProgram: { weights: float.weightBytes, arena: float.arenaBytes, scratch: float.scratchBytes },
    seconds: since(started),
  };
}

/** The compressor with one of its stages changed, at the bytes of the full recipe. */
export async function variantStep(s: Setting, { id, stages }: Variant): Promise<VariantStep> {
  const started = performance.now();
  const { wireBytes } = await readStep<CompressionStep>(s, 'compress');
  const budget = { bytes: wireBytes };
  const built = await build(s, { budget, stages: { ...stages, frontierPoints: 0 }, out: `variant-${id}.ewb` });
  return { wireBytes: built.weightWireBytes!, stages: built.report!.stages, seconds: since(started) };
}

/** The full recipe and all variants on the labelled samples. */
export async function ablationStep(s: Setting): Promise<Ablation> {
  const full = await readStep<CompressionStep>(s, 'compress');
  const others = variants();
  const steps = [full, ...(await Promise.all(others.map(({ id }) => readStep<VariantStep>(s, `variant-${id}`))))];
  const bundles = ['ours.ewb', ...others.map(({ id }) => `variant-${id}.ewb`)];
  const { result } = await compareBundles(
    s,
    bundles.map((name) => ({ name })),
  );
  const names = ['full recipe', ...others.map((v) => v.name)];
  return {
    task: s.task.id,
    metric: s.task.metric,
    samples: result.samples,
    original: result.original,
    rows: steps.map(({ wireBytes, stages, seconds }, i) => ({
      variant: names[i]!,
      wireBytes,
      stages,
      seconds,
      judgement: result.models[i]!,
    })),
  };
}

interface Compared {
  readonly result: TaskComparison;
  /** Of the first bundle. */
  readonly program: ProgramBytes;
  readonly engine: string;
}

/** Whether the first bytes of a bundle hold a model. */
async function opensPart(path: string, firstBytes: number): Promise<boolean> {
  try {
    (await openSession(path, { firstBytes })).close();
    return true;
  } catch (e) {
    if (isEigenError(e) && e.code === 'EW6005_BUNDLE_INCOMPLETE') return false;
    throw e;
  }
}

interface Part {
  readonly name: string;
  /** Of the file; all of it when absent. */
  readonly firstBytes?: number;
}

async function compareBundles(s: Setting, bundles: readonly Part[]): Promise<Compared> {
  const model = modelOf(s.task, s.models);
  const oracle = await openOracle('onnxruntime-web', await readFile(model.path));
  const sessions: BundleSession[] = [];
  try {
    for (const { name, ...part } of bundles) sessions.push(await openSession(join(s.folder, name), part));
    const result = await compareOn(
      s.task,
      await s.task.evaluation(s.models),
      originalOf(oracle, setInputs(model)),
      sessions.map(
        (session): Forward =>
          (inputs) =>
            session.run(inputs),
      ),
      s.limit,
      (done, total) => s.progress({ stage: 'evaluate', done, total }),
    );
    const { weightBytes, arenaBytes, scratchBytes } = sessions[0]!.bundle.manifest.program;
    const program = { weights: weightBytes, arena: arenaBytes, scratch: scratchBytes };
    return { result, program, engine: sessions[0]!.engine };
  } finally {
    for (const session of sessions) session.close();
    await oracle.close();
  }
}

function originalOf(oracle: Oracle, fixed: Readonly<Record<string, Tensor>>): Forward {
  return (inputs) => oracle.run({ ...inputs, ...fixed });
}
