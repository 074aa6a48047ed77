import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { relativeError } from '../../sdk/app/self-test.ts';
import {
  buildCompressed,
  buildFloat,
  type Contestant,
  compareSpeed,
  inspectPath,
  isEigenError,
  type NamedType,
  type Oracle,
  openOracle,
  openSession,
  ROUND_TO_NEAREST,
  samplesOf,
  type Tensor,
  type Timing,
  writeArrays,
} from '../../sdk/index.ts';
import { type SampleModel, samplesFor, setInputs } from './models.ts';

/** Timings depend on shapes and bit widths, not on how well the weights are rounded: plain rounding on few samples is enough. */
const SAMPLES = 8;
const TARGET = 'host';
const ORACLES = ['onnxruntime-web', 'onnxruntime-node'] as const;

export interface SpeedRow extends Timing {
  readonly version: string;
  /** Largest difference of an output from onnxruntime-web's, relative to the largest magnitude of that output. */
  readonly error: number;
  /** How many times faster this is than onnxruntime-web, and onnxruntime-node where it is there. */
  readonly over: Readonly<Record<string, Ratio>>;
}

/** Of the two times of a round: median over the rounds, and the quartiles. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface SpeedResult {
  readonly model: string;
  readonly rows: readonly SpeedRow[];
}

interface Runnable {
  readonly name: string;
  readonly version: string;
  run(): Promise<Record<string, Tensor>>;
  close(): unknown;
}

/** Builds a model in both precisions, runs all implementations on one sample, compares and times them, one thread each. */
export async function measureSpeed(
  model: SampleModel,
  folder: string,
  options: { readonly rounds?: number; readonly version: string },
): Promise<SpeedResult> {
  const { inputs } = (await inspectPath(model)) as { inputs: readonly NamedType[] };
  const calibration = join(folder, 'samples.npz');
  const arrays = await samplesFor(model, inputs, SAMPLES);
  await writeArrays(calibration, arrays);
  const paths = await build(model, calibration, folder);
  const sample = samplesOf(arrays, inputs).at(0);
  const runnables = await openAll(model, paths, sample, options.version);
  try {
    const outputs = new Map<string, Record<string, Tensor>>();
    for (const r of runnables) outputs.set(r.name, await r.run());
    const reference = outputs.get('onnxruntime-web')!;
    const contestants = runnables.map(({ name, run }): Contestant => ({ name, run }));
    const { timings, seconds } = await compareSpeed(contestants, options.rounds ? { rounds: options.rounds } : {});
    const rows = timings.map((t, i) => ({
      ...t,
      version: runnables[i]!.version,
      error: largestError(outputs.get(t.name)!, reference),
      over: Object.fromEntries(
        ORACLES.filter((o) => seconds[o]).map((o) => [o, ratioOf(seconds[o]!, seconds[t.name]!)]),
      ),
    }));
    return { model: model.id, rows };
  } finally {
    for (const r of runnables) await r.close();
  }
}

function ratioOf(theirs: readonly number[], ours: readonly number[]): Ratio {
  const sorted = theirs.map((t, round) => t / ours[round]!).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!;
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

async function build(
  model: SampleModel,
  calibration: string,
  folder: string,
): Promise<{ int8: string; float: string }> {
  const paths = { int8: join(folder, 'int8.ewb'), float: join(folder, 'float.ewb') };
  await buildFloat(model, { target: TARGET, out: paths.float, force: true });
  await buildCompressed(model, {
    target: TARGET,
    calibration,
    budget: { factor: 8 },
    minQuality: 0,
    stages: { ...ROUND_TO_NEAREST, frontierPoints: 0 },
    cwd: folder,
    force: true,
    out: paths.int8,
  });
  return paths;
}

async function openAll(
  model: SampleModel,
  paths: { readonly int8: string; readonly float: string },
  sample: Record<string, Tensor>,
  version: string,
): Promise<Runnable[]> {
  const opened: Runnable[] = [];
  for (const [precision, path] of Object.entries(paths)) {
    const session = await openSession(path);
    const name = `ours ${precision} (${session.engine})`;
    opened.push({ name, version, run: () => session.run(sample), close: () => session.close() });
  }
  const file = await readFile(model.path);
  const all = { ...sample, ...setInputs(model) };
  for (const name of ORACLES) {
    const oracle = await openIfInstalled(name, file);
    if (oracle) opened.push({ name, version: oracle.version, run: () => oracle.run(all), close: () => oracle.close() });
  }
  return opened;
}

/** onnxruntime-node is an extra that a user may have; without onnxruntime-web there is nothing to compare with. */
async function openIfInstalled(name: Oracle['name'], file: Uint8Array): Promise<Oracle | undefined> {
  return openOracle(name, file).catch((cause: unknown) => {
    if (name === 'onnxruntime-node' && isEigenError(cause) && cause.code === 'EW5001_TOOL_MISSING') return undefined;
    throw cause;
  });
}

/** Of all outputs; infinite when one is missing. */
function largestError(ours: Readonly<Record<string, Tensor>>, reference: Readonly<Record<string, Tensor>>): number {
  const errors = Object.entries(reference).map(([name, expected]) => {
    const got = ours[name];
    return got ? relativeError(got, expected) : Number.POSITIVE_INFINITY;
  });
  return Math.max(0, ...errors);
}
