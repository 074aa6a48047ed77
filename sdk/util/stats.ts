import { Rng } from './rng.ts';

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Bits a symbol of an order-0 model: the entropy of the histogram of `codes`. 0 for no codes. */
export function entropyBits(codes: Int8Array): number {
  const counts = new Uint32Array(256);
  for (let i = 0; i < codes.length; i++) counts[codes[i]! + 128]!++;
  return entropyOfCounts(counts, codes.length);
}

/** Entropy in bits of a histogram with `total` entries. */
export function entropyOfCounts(counts: ArrayLike<number>, total: number): number {
  let bits = 0;
  for (let i = 0; i < counts.length; i++) {
    const n = counts[i]!;
    if (n > 0) bits -= (n / total) * Math.log2(n / total);
  }
  return bits;
}

/**
 * Percentile bootstrap interval of a ratio of sums, sum(numerators) / sum(denominators), resampling pairs; seeded.
 * With fewer than two pairs it is the point itself.
 */
export function bootstrapRatio(
  numerators: ArrayLike<number>,
  denominators: ArrayLike<number>,
  seed: number,
  level = 0.95,
  rounds = 2000,
): Interval {
  const n = numerators.length;
  const rng = new Rng(seed);
  const ratios = new Float64Array(rounds);
  for (let r = 0; r < rounds; r++) {
    let a = 0;
    let b = 0;
    for (let i = 0; i < n; i++) {
      const k = rng.below(n);
      a += numerators[k]!;
      b += denominators[k]!;
    }
    ratios[r] = b === 0 ? 1 : a / b;
  }
  ratios.sort();
  const tail = (1 - level) / 2;
  return { low: ratios[Math.floor(tail * (rounds - 1))]!, high: ratios[Math.ceil((1 - tail) * (rounds - 1))]! };
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? 0 : sum / values.length;
}

/** Root mean square of values[from, to). */
export function rms(values: ArrayLike<number>, from = 0, to = values.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i]! * values[i]!;
  return to > from ? Math.sqrt(sum / (to - from)) : 0;
}

/** Largest magnitude of values[from, to). */
export function maxAbs(values: ArrayLike<number>, from = 0, to = values.length): number {
  let m = 0;
  for (let i = from; i < to; i++) {
    const a = Math.abs(values[i]!);
    if (a > m) m = a;
  }
  return m;
}
