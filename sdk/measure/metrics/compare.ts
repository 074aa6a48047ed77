import { EigenError } from '../../util/errors.ts';
import { Rng } from '../../util/rng.ts';
import { newArray, sizeOf, type Tensor } from '../../util/tensor.ts';
import type { Arrays, Metric, Outcome, Score } from './metric.ts';

export interface Comparison extends Score {
  readonly metric: string;
  readonly unit: string;
  readonly samples: number;
  /** Bootstrap interval of `quality`, 95 %, samples drawn in pairs (both models see the same draw). */
  readonly interval: readonly [number, number];
}

/** A user's metric: one number for a set of samples, higher is better. */
export type MetricFunction = (outputs: Arrays, arrays: Arrays) => number | Promise<number>;

const RESAMPLES = 2000;
/** A user's function sees whole arrays each time, so it is asked less often. */
const FUNCTION_RESAMPLES = 200;
const SEED = 20240607;

/** Scores both models with a built-in metric and gives the interval of the quality kept. */
export function compareWith(metric: Metric, outcome: Outcome): Comparison {
  const samples = checkOutcome(outcome);
  const rows = metric.rows(outcome);
  const score = metric.score(sumRows(rows, metric.width, (i) => i, samples));
  const qualities = new Float64Array(RESAMPLES);
  const rng = new Rng(SEED);
  for (let b = 0; b < RESAMPLES; b++) {
    qualities[b] = metric.score(sumRows(rows, metric.width, () => rng.below(samples), samples)).quality;
  }
  return { metric: metric.name, unit: metric.unit, samples, ...score, interval: intervalOf(qualities) };
}

/** As compareWith, for a user's function. Throws EW3202_DATA_INVALID when it does not return a finite number. */
export async function compareWithFunction(name: string, f: MetricFunction, outcome: Outcome): Promise<Comparison> {
  const samples = checkOutcome(outcome);
  const ask = async (outputs: Arrays, arrays: Arrays): Promise<number> => {
    const value = await f(outputs, arrays);
    if (Number.isFinite(value)) return value;
    throw new EigenError('EW3202_DATA_INVALID', `metric ${name} returned ${String(value)}`, {
      hint: 'A metric module returns one finite number, higher is better.',
    });
  };
  const original = await ask(outcome.original, outcome.arrays);
  const ours = await ask(outcome.ours, outcome.arrays);
  const qualities = new Float64Array(FUNCTION_RESAMPLES);
  const rng = new Rng(SEED);
  for (let b = 0; b < FUNCTION_RESAMPLES; b++) {
    const picks = Array.from({ length: samples }, () => rng.below(samples));
    const arrays = takeSamples(outcome.arrays, picks);
    qualities[b] =
      (await ask(takeSamples(outcome.ours, picks), arrays)) / (await ask(takeSamples(outcome.original, picks), arrays));
  }
  return { metric: name, unit: '', samples, original, ours, quality: ours / original, interval: intervalOf(qualities) };
}

function checkOutcome({ ours, original }: Outcome): number {
  const samples = Object.values(original)[0]?.shape[0] ?? 0;
  if (samples < 1) throw new EigenError('EW3202_DATA_INVALID', 'there is no sample to evaluate on');
  for (const [name, t] of Object.entries(original)) {
    const o = ours[name];
    if (!o || sizeOf(o.shape) !== sizeOf(t.shape))
      throw new Error(`output '${name}' differs in shape between the two models`);
  }
  return samples;
}

function sumRows(rows: Float64Array, width: number, pick: (i: number) => number, samples: number): Float64Array {
  const sums = new Float64Array(width);
  for (let i = 0; i < samples; i++) {
    const at = pick(i) * width;
    for (let k = 0; k < width; k++) sums[k]! += rows[at + k]!;
  }
  return sums;
}

/** 2.5 % and 97.5 % quantiles. Draws without any defined score (0 / 0) are left out. */
function intervalOf(qualities: Float64Array): [number, number] {
  const sorted = qualities.filter((q) => !Number.isNaN(q)).sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return [at(0.025), at(0.975)];
}

/** The given samples of every array, in that order. */
export function takeSamples(arrays: Arrays, picks: readonly number[]): Record<string, Tensor> {
  const out: Record<string, Tensor> = {};
  for (const [name, t] of Object.entries(arrays)) {
    const size = sizeOf(t.shape.slice(1));
    const taken = newArray(t.dtype, picks.length * size);
    for (const [i, p] of picks.entries()) taken.set(t.data.subarray(p * size, (p + 1) * size) as never, i * size);
    out[name] = { dtype: t.dtype, shape: [picks.length, ...t.shape.slice(1)], data: taken } as Tensor;
  }
  return out;
}
