import { symmetricEigenvalues } from '../util/linalg/eigen.ts';
import type { Linalg } from '../util/linalg/linalg.ts';
import type { TileMoments } from './moments.ts';

export interface Spectrum {
  /** Energies s_i^2 of the largest components of the whitened weights, as shares of their sum. */
  readonly components: readonly number[];
  /** Components that hold 90, 99 and 99.9 % of the energy. */
  readonly ranks: readonly [number, number, number];
}

const TOP = 32;
/** Beyond this size the decomposition costs more than the rest of the compression. */
const LARGEST = 768;

/**
 * Components of W in the metric of its inputs: with H = L L^T and W L = P S Q^T, dropping component i adds exactly s_i^2
 * to the output error. s_i^2 are the eigenvalues of W H W^T (or of L^T W^T W L, whichever is smaller).
 */
export function spectrumOf(
  la: Linalg,
  weights: Float32Array,
  rows: number,
  cols: number,
  moments: TileMoments,
): Spectrum | undefined {
  const n = Math.min(rows, cols);
  if (n > LARGEST || n < 2) return undefined;
  const mark = la.mark();
  const gram =
    rows <= cols ? outputGram(la, weights, rows, cols, moments.h) : inputGram(la, weights, rows, cols, moments.h);
  la.release(mark);
  const values = gram && symmetricEigenvalues(gram, n).map((v) => Math.max(0, v));
  const sum = values?.reduce((a, b) => a + b, 0) ?? 0;
  if (!values || sum === 0) return undefined;
  const rankAt = (share: number): number => {
    let left = share * sum;
    let rank = 0;
    while (rank < n && left > 0) left -= values[rank++]!;
    return rank;
  };
  const components = Array.from(values.subarray(0, TOP), (v) => Number((v / sum).toPrecision(6)));
  return { components, ranks: [rankAt(0.9), rankAt(0.99), rankAt(0.999)] };
}

/** W H W^T, [rows][rows]. */
export function outputGram(la: Linalg, w: Float32Array, rows: number, cols: number, h: Float32Array): Float64Array {
  const wt = la.put32(transposed(w, rows, cols));
  const hw = la.alloc(cols * rows * 4);
  la.product32(hw, la.put32(h), wt, cols, rows, cols);
  const out = la.alloc(rows * rows * 4);
  la.product32(out, wt, hw, rows, rows, cols);
  return symmetrised(la.f32(out, rows * rows), rows);
}

/** U W^T W U^T with H = U^T U, [cols][cols]; undefined when H has no factor even with a little damping. */
function inputGram(la: Linalg, w: Float32Array, rows: number, cols: number, h: Float32Array): Float64Array | undefined {
  const factor = la.put64(h);
  const m = la.f64(factor, cols * cols);
  let mean = 0;
  for (let i = 0; i < cols; i++) mean += m[i * cols + i]! / cols;
  for (let i = 0; i < cols; i++) m[i * cols + i]! += 1e-4 * mean + 1e-30;
  if (!la.cholesky(factor, cols)) return undefined;
  const u = la.f64(factor, cols * cols);
  const ut = new Float32Array(cols * cols);
  for (let i = 0; i < cols; i++) for (let j = i; j < cols; j++) ut[j * cols + i] = u[i * cols + j]!;
  const wAt = la.put32(w);
  const utAt = la.put32(ut);
  const wtw = la.alloc(cols * cols * 4);
  la.product32(wtw, wAt, wAt, cols, cols, rows);
  const half = la.alloc(cols * cols * 4);
  la.product32(half, wtw, utAt, cols, cols, cols);
  const out = la.alloc(cols * cols * 4);
  la.product32(out, utAt, half, cols, cols, cols);
  return symmetrised(la.f32(out, cols * cols), cols);
}

function transposed(m: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(m.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = m[r * cols + c]!;
  return out;
}

function symmetrised(m: Float32Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out[i * n + j] = (m[i * n + j]! + m[j * n + i]!) / 2;
  return out;
}
