import { MAX_TOKENS } from './tokens.ts';

/**
 * Rows of one weight often have different spreads (one step and one norm a row). Sorting them into a few classes, each
 * with its own frequencies, takes the difference out of the code. Classes are found like k-means with the code length as
 * the distance; everything is integer or IEEE arithmetic in a fixed order, so the result is reproducible.
 */
const CLASS_COUNT = 4;
const ROUNDS = 4;
const LEAST_CODES = 8192;
const LEAST_ROWS = 16;
const LEAST_COLS = 8;

export interface RowClasses {
  /** Class of every row, 0 .. counts.length - 1, every class used. */
  readonly classes: Int8Array;
  readonly sizes: readonly number[];
  /** Histogram of tokens of every class. */
  readonly counts: readonly Uint32Array[];
}

/** The classes of a matrix of tokens, or undefined where they cannot pay. */
export function classifyRows(tokens: Uint16Array, rows: number, cols: number): RowClasses | undefined {
  if (tokens.length < LEAST_CODES || rows < LEAST_ROWS || cols < LEAST_COLS) return undefined;
  let classes = initialClasses(tokens, rows, cols);
  for (let round = 0; round < ROUNDS; round++) {
    const costs = countsOf(tokens, cols, classes).map(costsOf);
    const next = cheapestClasses(tokens, rows, cols, costs);
    const settled = next.every((k, r) => k === classes[r]);
    classes = next;
    if (settled) break;
  }
  return compacted(tokens, cols, classes);
}

/** Quantiles of the rows' summed magnitude. */
function initialClasses(tokens: Uint16Array, rows: number, cols: number): Int8Array {
  const sums = new Float64Array(rows);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) sums[r] += tokens[r * cols + c];
  const order = Array.from(sums.keys()).sort((a, b) => sums[a] - sums[b] || a - b);
  const classes = new Int8Array(rows);
  order.forEach((row, i) => {
    classes[row] = Math.floor((i * CLASS_COUNT) / rows);
  });
  return classes;
}

function countsOf(tokens: Uint16Array, cols: number, classes: Int8Array): Uint32Array[] {
  const counts = Array.from({ length: CLASS_COUNT }, () => new Uint32Array(MAX_TOKENS));
  for (let r = 0; r < classes.length; r++) {
    const count = counts[classes[r]];
    for (let i = r * cols; i < (r + 1) * cols; i++) count[tokens[i]]++;
  }
  return counts;
}

/** Bits of every token under a class's frequencies, smoothed so that an unseen token has a price. */
function costsOf(counts: Uint32Array): Float64Array {
  const total = counts.reduce((sum, c) => sum + c + 0.5, 0);
  return Float64Array.from(counts, (c) => Math.log2(total / (c + 0.5)));
}

function cheapestClasses(tokens: Uint16Array, rows: number, cols: number, costs: readonly Float64Array[]): Int8Array {
  const [c0, c1, c2, c3] = costs;
  const out = new Int8Array(rows);
  for (let r = 0; r < rows; r++) {
    const sums = [0, 0, 0, 0];
    for (let i = r * cols; i < (r + 1) * cols; i++) {
      const t = tokens[i];
      sums[0] += c0[t];
      sums[1] += c1[t];
      sums[2] += c2[t];
      sums[3] += c3[t];
    }
    out[r] = sums.indexOf(Math.min(...sums));
  }
  return out;
}

/** Drops empty classes; undefined when only one is left. */
function compacted(tokens: Uint16Array, cols: number, classes: Int8Array): RowClasses | undefined {
  const sizes = new Array<number>(CLASS_COUNT).fill(0);
  for (const k of classes) sizes[k]++;
  const used = [...sizes.keys()].filter((k) => sizes[k] > 0);
  if (used.length < 2) return undefined;
  const counts = countsOf(tokens, cols, classes);
  return {
    classes: classes.map((k) => used.indexOf(k)),
    sizes: used.map((k) => sizes[k]),
    counts: used.map((k) => counts[k]),
  };
}

/** The tokens of one class's rows, in row order. */
export function classTokens(tokens: Uint16Array, cols: number, classes: Int8Array, k: number): Uint16Array {
  const rows = classes.reduce((n, c) => n + (c === k ? 1 : 0), 0);
  const out = new Uint16Array(rows * cols);
  let at = 0;
  for (let r = 0; r < classes.length; r++) {
    if (classes[r] !== k) continue;
    out.set(tokens.subarray(r * cols, (r + 1) * cols), at);
    at += cols;
  }
  return out;
}

/** The inverse of classTokens. */
export function scatterClass(
  part: Uint16Array,
  cols: number,
  classes: Int8Array,
  k: number,
  tokens: Uint16Array,
): void {
  let at = 0;
  for (let r = 0; r < classes.length; r++) {
    if (classes[r] !== k) continue;
    tokens.set(part.subarray(at, at + cols), r * cols);
    at += cols;
  }
}
