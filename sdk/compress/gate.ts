import { bootstrapRatio } from '../util/stats.ts';
import type { Score } from './divergence.ts';
import type { GateResult } from './types.ts';

/** Quality of one held-out sample when the caller has a measure of their own. */
export interface MetricScore {
  readonly compressed: number;
  readonly original: number;
}

/** Sums of the scores of all held-out samples into one verdict, with a paired bootstrap interval over samples. */
export function gateOf(
  scores: readonly Score[],
  metric: readonly MetricScore[] | undefined,
  minQuality: number,
  seed: number,
): GateResult {
  const kept = metric ? metric.map((m) => m.compressed) : scores.map((s) => s.kept);
  const full = metric ? metric.map((m) => m.original) : scores.map((s) => s.full);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const rows = sum(scores.map((s) => s.rows));
  const quality = sum(full) === 0 ? 1 : sum(kept) / sum(full);
  const { low, high } = bootstrapRatio(kept, full, seed);
  return {
    quality,
    low,
    high,
    minQuality,
    passed: quality >= minQuality,
    established: low >= minQuality,
    agreement: sum(scores.map((s) => s.agreeing)) / rows,
    divergence: sum(scores.map((s) => s.divergence)) / rows,
    samples: scores.length,
    measure: metric ? 'metric' : "expected score under the original's own predictions",
  };
}
