import { createRandom } from './random.ts';

/** Edit distance between two texts: insertions, deletions and substitutions of characters. */
export function editDistance(a: string, b: string): number {
  const s = [...a];
  const t = [...b];
  let row = Uint32Array.from({ length: t.length + 1 }, (_, j) => j);
  for (let i = 1; i <= s.length; i++) {
    const next = new Uint32Array(t.length + 1);
    next[0] = i;
    for (let j = 1; j <= t.length; j++) {
      const substituted = row[j - 1]! + (s[i - 1] === t[j - 1] ? 0 : 1);
      next[j] = Math.min(substituted, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[t.length]!;
}

/** One line: its true text and what a reader made of it. */
export interface Reading {
  readonly truth: string;
  readonly read: string;
}

export interface Accuracy {
  /** 1 - edit distance / length of the truth, over all lines together. */
  readonly character: number;
  /** Share of lines that are exact. */
  readonly line: number;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Estimate extends Interval {
  readonly value: number;
}

/** Original and compressed on the same lines, with 95 % intervals over the lines (paired bootstrap). */
export interface Comparison {
  readonly lines: number;
  readonly characters: number;
  readonly original: { readonly character: Estimate; readonly line: Estimate };
  readonly compressed: { readonly character: Estimate; readonly line: Estimate };
  /** Compressed / original. */
  readonly retention: { readonly character: Estimate; readonly line: Estimate };
  /** Share of lines where both read the same text, right or wrong. */
  readonly agreement: Estimate;
}

export function accuracyOf(readings: readonly Reading[]): Accuracy {
  let length = 0;
  let errors = 0;
  let exact = 0;
  for (const { truth, read } of readings) {
    length += [...truth].length;
    errors += editDistance(truth, read);
    if (truth === read) exact++;
  }
  return { character: 1 - errors / length, line: exact / readings.length };
}

const RESAMPLES = 2000;

/** The columns that every statistic is a ratio of: sums over lines. */
interface Counts {
  readonly length: Float64Array;
  readonly errorsA: Float64Array;
  readonly errorsB: Float64Array;
  readonly exactA: Float64Array;
  readonly exactB: Float64Array;
  readonly same: Float64Array;
}

function countLines(original: readonly Reading[], compressed: readonly Reading[]): Counts {
  const column = (value: (i: number) => number): Float64Array => Float64Array.from(original, (_, i) => value(i));
  const errors = (r: Reading): number => editDistance(r.truth, r.read);
  const exact = (r: Reading): number => (r.truth === r.read ? 1 : 0);
  return {
    length: column((i) => [...original[i]!.truth].length),
    errorsA: column((i) => errors(original[i]!)),
    errorsB: column((i) => errors(compressed[i]!)),
    exactA: column((i) => exact(original[i]!)),
    exactB: column((i) => exact(compressed[i]!)),
    same: column((i) => (original[i]!.read === compressed[i]!.read ? 1 : 0)),
  };
}

/** The seven statistics of a selection of lines, in the order of `compareReadings`. */
function statistics(counts: Counts, pick: ArrayLike<number>): number[] {
  const sum = (column: Float64Array): number => {
    let total = 0;
    for (let i = 0; i < pick.length; i++) total += column[pick[i]!]!;
    return total;
  };
  const length = sum(counts.length);
  const characterA = 1 - sum(counts.errorsA) / length;
  const characterB = 1 - sum(counts.errorsB) / length;
  const lineA = sum(counts.exactA) / pick.length;
  const lineB = sum(counts.exactB) / pick.length;
  return [characterA, lineA, characterB, lineB, characterB / characterA, lineB / lineA, sum(counts.same) / pick.length];
}

/** Compares two readers on the same lines; the intervals are percentiles of `RESAMPLES` seeded resamples of the lines. */
export function compareReadings(
  original: readonly Reading[],
  compressed: readonly Reading[],
  seed = 'bootstrap',
): Comparison {
  const n = original.length;
  if (n === 0 || compressed.length !== n || original.some((r, i) => r.truth !== compressed[i]!.truth)) {
    throw new RangeError(`compareReadings: needs the same lines twice, got ${n} and ${compressed.length}`);
  }
  const counts = countLines(original, compressed);
  const values = statistics(
    counts,
    Array.from({ length: n }, (_, i) => i),
  );
  const r = createRandom(seed);
  const samples = values.map(() => new Float64Array(RESAMPLES));
  const pick = new Uint32Array(n);
  for (let b = 0; b < RESAMPLES; b++) {
    for (let i = 0; i < n; i++) pick[i] = r.int(0, n - 1);
    statistics(counts, pick).forEach((v, k) => {
      samples[k]![b] = v;
    });
  }
  const estimates = values.map((value, k) => {
    const sorted = samples[k]!.sort();
    return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
  });
  const [characterA, lineA, characterB, lineB, character, line, agreement] = estimates as [
    Estimate,
    Estimate,
    Estimate,
    Estimate,
    Estimate,
    Estimate,
    Estimate,
  ];
  return {
    lines: n,
    characters: counts.length.reduce((a, b) => a + b, 0),
    original: { character: characterA, line: lineA },
    compressed: { character: characterB, line: lineB },
    retention: { character, line },
    agreement,
  };
}

/** Quantile of sorted values, linear between neighbours. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low);
}
