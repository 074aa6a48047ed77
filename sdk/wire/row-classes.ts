import { MAX_TOKENS } from './tokens.ts';

/**
 * Rows of one weight often have different spreads (one step and one norm a row). Sorting them into a few classes, each
 * with its own frequencies, takes the difference out of the code. Classes are found like k-means with the code length as
 * the distance; everything is integer or IEEE arithmetic in a fixed order, so the result is reproducible.
 */
export const CLASS_COUNT = 4;
const ROUNDS = 4;
const LEAST_CODES = 8192;
const LEAST_ROWS = 16;
const LEAST_COLS = 8;

export interface RowClasses {
  /** Class of every row, 0 .. counts.length - 1, every class used. */
  readonly classes: Int8Array;
  /** Histogram of tokens of every class. */
  readonly counts: readonly Uint32Array[];
}

/** The classes of a matrix of tokens, or undefined where they cannot pay. */
export function classifyRows(tokens: Uint16Array, rows: number, cols: number): RowClasses | undefined {
  if (tokens.length < LEAST_CODES || rows < LEAST_ROWS || cols < LEAST_COLS) return undefined;
  const histograms = rowHistograms(tokens, rows, cols);
  let classes = initialClasses(histograms);
  for (let round = 0; round < ROUNDS; round++) {
    const costs = countsOf(histograms, classes).map(costsOf);
    const next = cheapestClasses(histograms, costs);
    const settled = next.every((k, r) => k === classes[r]);
    classes = next;
    if (settled) break;
  }
  return compacted(histograms, classes);
}

/** The distinct tokens of every row with their numbers: row r has entries [starts[r], starts[r + 1]). */
interface RowHistograms {
  readonly starts: Uint32Array;
  readonly tokens: Uint16Array;
  readonly counts: Uint32Array;
}

function rowHistograms(all: Uint16Array, rows: number, cols: number): RowHistograms {
  let alphabet = 0;
  for (let i = 0; i < all.length; i++) if (all[i] >= alphabet) alphabet = all[i] + 1;
  const most = Math.min(all.length, rows * alphabet);
  const starts = new Uint32Array(rows + 1);
  const tokens = new Uint16Array(most);
  const counts = new Uint32Array(most);
  const row = new Uint32Array(alphabet);
  let at = 0;
  for (let r = 0; r < rows; r++) {
    for (let i = r * cols; i < (r + 1) * cols; i++) row[all[i]]++;
    for (let t = 0; t < alphabet; t++) {
      if (row[t] === 0) continue;
      tokens[at] = t;
      counts[at++] = row[t];
      row[t] = 0;
    }
    starts[r + 1] = at;
  }
  return { starts, tokens, counts };
}

/** Quantiles of the rows' summed magnitude. */
function initialClasses({ starts, tokens, counts }: RowHistograms): Int8Array {
  const rows = starts.length - 1;
  const sums = new Float64Array(rows);
  for (let r = 0; r < rows; r++) for (let i = starts[r]; i < starts[r + 1]; i++) sums[r] += counts[i] * tokens[i];
  const order = Array.from(sums.keys()).sort((a, b) => sums[a] - sums[b] || a - b);
  const classes = new Int8Array(rows);
  order.forEach((row, i) => {
    classes[row] = Math.floor((i * CLASS_COUNT) / rows);
  });
  return classes;
}

function countsOf({ starts, tokens, counts }: RowHistograms, classes: Int8Array): Uint32Array[] {
  const sums = Array.from({ length: CLASS_COUNT }, () => new Uint32Array(MAX_TOKENS));
  for (let r = 0; r < classes.length; r++) {
    const sum = sums[classes[r]];
    for (let i = starts[r]; i < starts[r + 1]; i++) sum[tokens[i]] += counts[i];
  }
  return sums;
}

/** Bits of every token under a class's frequencies, smoothed so that an unseen token has a price. */
function costsOf(counts: Uint32Array): Float64Array {
  const total = counts.reduce((sum, c) => sum + c + 0.5, 0);
  return Float64Array.from(counts, (c) => Math.log2(total / (c + 0.5)));
}

function cheapestClasses({ starts, tokens, counts }: RowHistograms, costs: readonly Float64Array[]): Int8Array {
  const [c0, c1, c2, c3] = costs;
  const out = new Int8Array(starts.length - 1);
  for (let r = 0; r < out.length; r++) {
    const sums = [0, 0, 0, 0];
    for (let i = starts[r]; i < starts[r + 1]; i++) {
      const [t, n] = [tokens[i], counts[i]];
      sums[0] += n * c0[t];
      sums[1] += n * c1[t];
      sums[2] += n * c2[t];
      sums[3] += n * c3[t];
    }
    out[r] = sums.indexOf(Math.min(...sums));
  }
  return out;
}

/** Drops empty classes; undefined when only one is left. */
function compacted(histograms: RowHistograms, classes: Int8Array): RowClasses | undefined {
  const used = Array.from({ length: CLASS_COUNT }, (_, k) => k).filter((k) => classes.includes(k));
  if (used.length < 2) return undefined;
  const counts = countsOf(histograms, classes);
  return { classes: classes.map((k) => used.indexOf(k)), counts: used.map((k) => counts[k]) };
}
