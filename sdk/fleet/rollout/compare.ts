import { studentQuantile } from './distributions.ts';
import type { MetricGate } from './spec.ts';

/** A metric on one device: before its cohort's turn, where it was measured, and after. */
export interface Measured {
  readonly before?: number;
  readonly after: number;
}

export interface Comparison {
  readonly metric: string;
  /** How much worse it is with the new model, as a share of its value (of `failures`: of runs); below 0 it is better. */
  readonly loss: number;
  /** Each bound is kept with the probability of one look. */
  readonly low: number;
  readonly high: number;
  readonly devices: { readonly treated: number; readonly control: number };
}

/** With fewer on either side nothing is said. */
export const FEWEST = 3;

/**
 * Compares the change of a metric on devices that have the new model with its change on those that do not (Welch's test on differences in
 * differences). Devices are the units: what is particular to one is in both of its values and cancels, what happens to all is in both
 * groups. Where too few were measured before, values are compared instead of changes.
 * @param error probabilities that `low` is above and `high` is below the truth.
 */
export function compareMetric(
  { name, better }: Pick<MetricGate, 'name' | 'better'>,
  treated: readonly Measured[],
  control: readonly Measured[],
  error: { readonly low: number; readonly high: number },
): Comparison | undefined {
  const changes = (all: readonly Measured[]): number[] =>
    all.flatMap(({ before, after }) => (before === undefined ? [] : [after - before]));
  const paired = Math.min(changes(treated).length, changes(control).length) >= FEWEST;
  const [a, b] = [treated, control].map((all) => momentsOf(paired ? changes(all) : all.map((m) => m.after)));
  if (a!.count < FEWEST || b!.count < FEWEST) return undefined;
  const level = momentsOf(control.map((m) => m.after)).mean;
  const unit = name === 'failures' ? 1 : Math.abs(level) || 1;
  const difference = better === 'higher' ? b!.mean - a!.mean : a!.mean - b!.mean;
  const [va, vb] = [a!.variance / a!.count, b!.variance / b!.count];
  const spread = Math.sqrt(va + vb);
  const scaled = (v: number): number => (v === 0 ? 0 : v / unit);
  const devices = { treated: a!.count, control: b!.count };
  const loss = scaled(difference);
  if (spread === 0) return { metric: name, loss, low: loss, high: loss, devices };
  const freedom = (va + vb) ** 2 / (va ** 2 / (a!.count - 1) + vb ** 2 / (b!.count - 1));
  const bound = (p: number): number => studentQuantile(1 - p, freedom) * spread;
  return {
    metric: name,
    loss,
    low: scaled(difference - bound(error.low)),
    high: scaled(difference + bound(error.high)),
    devices,
  };
}

/** Count, mean and variance (of a sample). */
function momentsOf(values: readonly number[]): { count: number; mean: number; variance: number } {
  const count = values.length;
  const mean = values.reduce((sum, v) => sum + v, 0) / (count || 1);
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { count, mean, variance: count > 1 ? squares / (count - 1) : 0 };
}
