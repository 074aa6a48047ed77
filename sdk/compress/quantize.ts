import type { Linalg } from '../util/linalg/linalg.ts';
import { scaleFromLog8 } from '../util/log8.ts';
import { maxAbs, rms } from '../util/stats.ts';
import type { ActivationPlan } from './activations.ts';
import type { Matrix, Tile } from './layers.ts';
import { fill4, type TileMoments } from './moments.ts';

/** A matrix as codes and one multiplier a row: out = sum(codes * x codes) * multipliers[row]. */
export interface QuantizedMatrix {
  readonly codes: Int8Array;
  /** multipliers[r] = scaleFromLog8(base, exponents[r]), f32. */
  readonly base: number;
  readonly exponents: Int32Array;
  readonly multipliers: Float32Array;
  readonly largestCode: number;
  /** tr(E H E^T) of the rounding error, and tr(W H W^T). 0 without moments. */
  readonly error: number;
  readonly energy: number;
  /** What rounding and input quantization take from the mean output of every row: added to the bias. */
  readonly biasShift: Float64Array;
}

/** Scale of the inputs as the rows of a matrix see it: step of a row = multiplier / unit[row]. */
export interface InputScales {
  readonly base: number;
  readonly unit: Float64Array;
  /** Grid steps that a row's input scale adds to its multiplier. */
  readonly shift: Int32Array;
}

export function inputScales(plan: ActivationPlan, rows: number): InputScales {
  if (plan.mode !== 'static') return { base: 1, unit: new Float64Array(rows).fill(1), shift: new Int32Array(rows) };
  const channels = plan.inv.length;
  const channelOf = (r: number): number => (channels === 1 ? 0 : Math.floor((r * channels) / rows));
  return {
    base: 1 / plan.base,
    unit: Float64Array.from({ length: rows }, (_, r) => 1 / plan.inv[channelOf(r)]!),
    shift: Int32Array.from({ length: rows }, (_, r) => -(plan.exponents?.[channelOf(r)] ?? 0)),
  };
}

/** Smallest exponent of a row's step relative to the layer's: 2^-8. Rows of zeros would go on for ever. */
const MIN_EXPONENT = -64;
/** Rows below this share of the largest have no say in the layer's mean step. */
const DEAD_ROW = 1e-3;

/**
 * Steps of rows in eighths of an octave, relative to their geometric mean: proportional to `weight` (by default the row's
 * own rms), rounded to quarter octaves so that the exponents cost few bits.
 */
export function rowExponents(weights: Float32Array, rows: number, weight?: Float64Array): Int32Array {
  const cols = weights.length / rows;
  const w = weight ?? Float64Array.from({ length: rows }, (_, r) => rms(weights, r * cols, (r + 1) * cols));
  let largest = 0;
  for (const v of w) largest = Math.max(largest, v);
  let sum = 0;
  let n = 0;
  for (const v of w) {
    // Rows that training has switched off (batch norm folds to almost zero) say nothing about the others.
    if (v > DEAD_ROW * largest) {
      sum += Math.log2(v);
      n++;
    }
  }
  const center = n > 0 ? sum / n : 0;
  return Int32Array.from(w, (v) =>
    v > 0 ? Math.max(MIN_EXPONENT, Math.min(-MIN_EXPONENT, 2 * Math.round(4 * (Math.log2(v) - center)))) : 0,
  );
}

/** Largest |target| / step that may be rounded to codes up to `limit`: error feedback needs a little room above. */
export function reachOf(limit: number): number {
  return limit >= 63 ? limit - 1 : limit;
}

export interface FitSettings {
  /** Damping relative to the mean of the diagonal of H. */
  readonly damping: number;
  readonly refit: boolean;
  readonly gptq: boolean;
  /** Sweeps of coordinate descent after error feedback. */
  readonly sweeps: number;
  readonly biasCorrection: boolean;
}

/** Damping by the number of samples: few samples leave most directions of a wide layer unseen. */
export function dampingOf(cols: number, samples: number, positions: number): number {
  return Math.max(0.05, Math.min(3, (0.25 * cols) / (samples * Math.sqrt(positions))));
}

/** A tile in work: addresses of what Linalg.ldlq takes, and of the factor that its error feedback is from (0: none); rows after `rows` are padding. */
export type TileCodes = {
  readonly [name in 't' | 'u' | 'r' | 'k' | 'n' | 'rows' | 'q' | 'e']: number;
} & { readonly scale: { readonly s: number; readonly inv: number; readonly cap: number } };

/** A matrix refitted to its quantized inputs, ready to be rounded at any step. */
export class MatrixFit {
  readonly target: Float32Array;
  readonly energy: number;
  protected readonly la: Linalg;
  private readonly weights: Float32Array;
  protected readonly matrix: Matrix;
  protected readonly moments: readonly TileMoments[] | undefined;
  private readonly settings: FitSettings;

  /** `moments` undefined: embeddings and tables, which are rounded as they are. */
  constructor(
    la: Linalg,
    weights: Float32Array,
    matrix: Matrix,
    moments: readonly TileMoments[] | undefined,
    settings: FitSettings,
  ) {
    this.la = la;
    this.weights = weights;
    this.matrix = matrix;
    this.moments = moments;
    this.settings = settings;
    this.target = weights;
    let energy = 0;
    if (moments) {
      if (settings.refit) this.target = new Float32Array(weights.length);
      matrix.tiles.forEach((tile, i) => {
        energy += this.fitTile(tile, moments[i]!);
      });
    }
    this.energy = energy;
  }

  /** Writes the tile's part of the target: T = (W G + 2 lambda W)(H + 2 lambda I)^-1. Returns tr(W H W^T). */
  private fitTile(tile: Tile, m: TileMoments): number {
    const { la } = this;
    const mark = la.mark();
    const k = tile.cols;
    const n = fill4(tile.rows);
    const w = this.putTransposed(this.weights, tile, n);
    const h = la.put32(m.h);
    const hw = la.alloc(k * n * 4);
    la.product32(hw, h, w, k, n, k);
    const energy = dot(la.f32(w, k * n), la.f32(hw, k * n));
    if (this.settings.refit) {
      const wg = this.crossOf(m, w, k, n);
      const { address, lambda } = this.factor(m.h, k, 2 * this.settings.damping);
      const rhs = la.alloc(k * n * 8);
      const [r, a, b] = [la.f64(rhs, k * n), la.f32(wg, k * n), la.f32(w, k * n)];
      for (let i = 0; i < r.length; i++) r[i] = a[i]! + lambda * b[i]!;
      la.solve(address, k, rhs, n);
      this.takeTransposed(la.f64(rhs, k * n), tile, n);
    }
    la.release(mark);
    return Math.max(0, energy);
  }

  /** E[xq (W x)^T], f32 [k][n]. */
  private crossOf({ cross }: TileMoments, w: number, k: number, n: number): number {
    const { la } = this;
    const sums = la.put32(cross.sums);
    if (cross.of === 'outputs') return sums;
    const out = la.alloc(k * n * 4);
    la.product32(out, sums, w, k, n, k);
    return out;
  }

  /** Upper factor of H + lambda I; dead inputs get the mean diagonal. lambda grows until the factor exists. */
  private factor(h: Float32Array, k: number, damping: number): { address: number; lambda: number } {
    const { la } = this;
    const address = la.alloc(k * k * 8);
    const mean = meanDiagonal(h, k);
    for (let boost = 1; ; boost *= 10) {
      const lambda = damping * boost * mean;
      const m = la.f64(address, k * k);
      m.set(h);
      damp(m, h, k, mean, lambda);
      if (la.cholesky(address, k)) return { address, lambda };
    }
  }

  private putTransposed(from: Float32Array, tile: Tile, n: number, order = identity(tile.cols)): number {
    const { cols } = this.matrix;
    const address = this.la.alloc(tile.cols * n * 4);
    const out = this.la.f32(address, tile.cols * n);
    for (let r = 0; r < tile.rows; r++) {
      const row = (tile.row0 + r) * cols + tile.col0;
      for (let c = 0; c < tile.cols; c++) out[c * n + r] = from[row + order[c]!]!;
    }
    return address;
  }

  private takeTransposed(from: Float64Array, tile: Tile, n: number): void {
    const { cols } = this.matrix;
    for (let r = 0; r < tile.rows; r++) {
      const row = (tile.row0 + r) * cols + tile.col0;
      for (let c = 0; c < tile.cols; c++) this.target[row + c] = from[c * n + r]!;
    }
  }

  /**
   * Rounds the target with the step `step` * 2^(relative[r] / 8) a row, raised where a row would not fit into codes up
   * to `limit`.
   */
  round(step: number, relative: Int32Array, limit: number, inputs: InputScales): QuantizedMatrix {
    const { rows, cols } = this.matrix;
    const base = Math.max(1e-30, Math.fround(step * inputs.base));
    const reach = this.reach(limit);
    const exponents = new Int32Array(rows);
    const multipliers = new Float32Array(rows);
    const steps = new Float64Array(rows);
    for (let r = 0; r < rows; r++) {
      const largest = maxAbs(this.target, r * cols, (r + 1) * cols);
      let e = relative[r]! + inputs.shift[r]!;
      while (largest * inputs.unit[r]! > reach * scaleFromLog8(base, e)) e++;
      exponents[r] = e;
      multipliers[r] = scaleFromLog8(base, e);
      steps[r] = multipliers[r]! / inputs.unit[r]!;
    }
    const codes = new Int8Array(rows * cols);
    const error = this.moments ? this.roundTiles(codes, steps, limit) : this.roundPlain(codes, steps, limit);
    return {
      codes,
      base,
      exponents,
      multipliers,
      largestCode: maxAbs(codes),
      error,
      energy: this.energy,
      biasShift: this.biasShift(codes, steps),
    };
  }

  /** Largest |target| / step that codes up to `limit` are to hold. */
  protected reach(limit: number): number {
    return reachOf(limit);
  }

  /** Rounds a tile, with error feedback where there is any. */
  protected roundCodes({ t, r, k, n, scale, q, e }: TileCodes): void {
    this.la.ldlq(t, r, k, n, scale, q, e);
  }

  private roundPlain(codes: Int8Array, steps: Float64Array, limit: number): number {
    const { rows, cols } = this.matrix;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cols; c++) {
        const q = Math.round(this.target[r * cols + c]! / steps[r]!);
        codes[r * cols + c] = Math.max(-limit, Math.min(limit, q));
      }
    }
    return 0;
  }

  private roundTiles(codes: Int8Array, steps: Float64Array, limit: number): number {
    let error = 0;
    this.matrix.tiles.forEach((tile, i) => {
      error += this.roundTile(tile, this.moments![i]!, codes, steps, limit);
    });
    return error;
  }

  /**
   * Columns are rounded in the order of falling energy of their inputs, so that the errors of the important ones are still
   * made up for by all others.
   */
  private roundTile(tile: Tile, m: TileMoments, codes: Int8Array, steps: Float64Array, limit: number): number {
    const { la } = this;
    const mark = la.mark();
    const k = tile.cols;
    const n = fill4(tile.rows);
    const padded = (f: (r: number) => number): number =>
      la.put32(Float32Array.from({ length: n }, (_, r) => (r < tile.rows ? f(tile.row0 + r) : 1)));
    const scale = { s: padded((r) => steps[r]!), inv: padded((r) => 1 / steps[r]!), cap: padded(() => limit) };
    const order = this.settings.gptq ? byEnergy(m.h, k) : identity(k);
    const h = this.settings.gptq ? permuted(m.h, order) : m.h;
    const t = this.putTransposed(this.target, tile, n, order);
    const factor = this.settings.gptq ? this.factor(h, k, this.settings.damping) : undefined;
    const [q, e] = [la.alloc(k * n), la.alloc(k * n * 4)];
    const [u, r] = factor ? [factor.address, la.feedback(factor.address, k)] : [0, 0];
    this.roundCodes({ t, u, r, k, n, rows: tile.rows, scale, q, e });
    if (factor && this.settings.sweeps > 0) this.descend(damped(h, k, factor.lambda), k, n, scale, q, e);
    const he = la.alloc(k * n * 4);
    la.product32(he, la.put32(h), e, k, n, k);
    const error = dot(la.f32(e, k * n), la.f32(he, k * n));
    const out = la.i8(q, k * n);
    for (let row = 0; row < tile.rows; row++) {
      const at = (tile.row0 + row) * this.matrix.cols + tile.col0;
      for (let c = 0; c < k; c++) codes[at + order[c]!] = out[c * n + row]!;
    }
    la.release(mark);
    return Math.max(0, error);
  }

  /** Sweeps over rounded codes in the damped metric that error feedback worked in. */
  private descend(
    h: Float32Array,
    k: number,
    n: number,
    scale: { s: number; inv: number; cap: number },
    q: number,
    e: number,
  ): void {
    const { la } = this;
    const mark = la.mark();
    const [hd, g] = [la.put32(h), la.alloc(k * n * 4)];
    la.product32(g, hd, e, k, n, k);
    for (let i = 0; i < this.settings.sweeps; i++) if (la.descend(hd, k, n, scale, q, e, g) === 0) break;
    la.release(mark);
  }

  /** W mean(x) - Wq mean(xq), row by row. */
  private biasShift(codes: Int8Array, steps: Float64Array): Float64Array {
    const { rows, cols, tiles } = this.matrix;
    const shift = new Float64Array(rows);
    if (!this.moments || !this.settings.biasCorrection) return shift;
    tiles.forEach((tile, i) => {
      const { mean, meanQuantized } = this.moments![i]!;
      for (let r = tile.row0; r < tile.row0 + tile.rows; r++) {
        let sum = 0;
        for (let c = 0; c < tile.cols; c++) {
          const at = r * cols + tile.col0 + c;
          sum += this.weights[at]! * mean[c]! - codes[at]! * steps[r]! * meanQuantized[c]!;
        }
        shift[r]! += sum;
      }
    });
    return shift;
  }
}

/** Mean of the diagonal; 1 when nothing was ever seen. */
function meanDiagonal(h: Float32Array, k: number): number {
  let mean = 0;
  for (let i = 0; i < k; i++) mean += Math.max(0, h[i * k + i]!) / k;
  return mean === 0 ? 1 : mean;
}

/** Adds lambda to the diagonal of m, a copy of h; inputs that were never active are made independent, with the mean energy. */
function damp(m: Float32Array | Float64Array, h: Float32Array, k: number, mean: number, lambda: number): void {
  for (let i = 0; i < k; i++) {
    if (h[i * k + i]! <= 1e-9 * mean) {
      for (let j = 0; j < k; j++) {
        m[i * k + j] = 0;
        m[j * k + i] = 0;
      }
      m[i * k + i] = mean;
    }
    m[i * k + i]! += lambda;
  }
}

function damped(h: Float32Array, k: number, lambda: number): Float32Array {
  const out = h.slice();
  damp(out, h, k, meanDiagonal(h, k), lambda);
  return out;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function identity(k: number): Int32Array {
  return Int32Array.from({ length: k }, (_, i) => i);
}

/** Column numbers by falling diagonal of h; equal ones keep their order. */
function byEnergy(h: Float32Array, k: number): Int32Array {
  return identity(k).sort((a, b) => h[b * k + b]! - h[a * k + a]! || a - b);
}

/** h with rows and columns in the given order. */
function permuted(h: Float32Array, order: Int32Array): Float32Array {
  const k = order.length;
  const out = new Float32Array(k * k);
  for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) out[i * k + j] = h[order[i]! * k + order[j]!]!;
  return out;
}
