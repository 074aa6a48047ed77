import { type Estimate, quantile } from './accuracy.ts';

/** Median of many inferences; half of them lie within [low, high]. Seconds. */
export interface Latency {
  readonly original: Estimate;
  readonly compressed: Estimate;
  /** How many times faster the compressed one is: median over lines of the two times of the same line, with its quartiles. */
  readonly speedup: Estimate;
  readonly runs: number;
}

function spread(values: readonly number[]): Estimate {
  const sorted = Float64Array.from(values).sort();
  return { value: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) };
}

/** Compares times taken on the same lines in turn. */
export function compareLatency(original: readonly number[], compressed: readonly number[]): Latency {
  return {
    original: spread(original),
    compressed: spread(compressed),
    speedup: spread(original.map((t, i) => t / compressed[i]!)),
    runs: original.length,
  };
}
