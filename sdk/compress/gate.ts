import type { Evaluation } from './evaluate.ts';
import { qualityOf } from './quality.ts';
import type { GateResult, Verdict } from './types.ts';

/** Quality of one held-out sample when the caller has a measure of their own. */
export interface MetricScore {
  readonly compressed: number;
  readonly original: number;
}

/** Sums what the held-out samples say into one verdict, with a 95 % interval. */
export function gateOf(evaluation: Evaluation, minQuality: number, seed: number): GateResult {
  const { quality, low, high, measure } = qualityOf(evaluation, seed);
  return {
    quality,
    low,
    high,
    minQuality,
    passed: quality >= minQuality,
    verdict: verdictOf({ quality, low }, minQuality),
    ...nearnessOf(evaluation),
    samples: evaluation.samples,
    measure,
  };
}

/** How near the outputs are to the original's. */
export function nearnessOf({ scores }: Evaluation): Pick<GateResult, 'agreement' | 'divergence'> {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const rows = sum(scores.map((s) => s.rows));
  return {
    agreement: sum(scores.map((s) => s.agreeing)) / rows,
    divergence: sum(scores.map((s) => s.divergence)) / rows,
  };
}

function verdictOf({ quality, low }: { readonly quality: number; readonly low: number }, minQuality: number): Verdict {
  if (low >= minQuality) return 'passed';
  return quality >= minQuality ? 'uncertain' : 'failed';
}
