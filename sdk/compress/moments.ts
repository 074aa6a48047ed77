import type { Linalg } from '../util/linalg/linalg.ts';
import type { Layer, Matrix, Tile } from './layers.ts';

/**
 * Second moments of a tile's inputs, centred when the layer has a bias: h = E[xq xq^T] (row-major f32 [cols][cols]), and what the refit
 * needs of the float inputs x.
 */
export interface TileMoments {
  readonly h: Float32Array;
  /** E[x xq^T], f32 [cols][cols], or E[xq (W x)^T], f32 [cols][rows filled up to a multiple of 4]: whichever is less work. */
  readonly cross: { readonly of: 'inputs' | 'outputs'; readonly sums: Float32Array };
  /** Means of x and xq: the exact input of bias correction. */
  readonly mean: Float64Array;
  readonly meanQuantized: Float64Array;
}

/** Sums second moments of source rows, tile by tile, in the heap of a Linalg. */
export interface MomentSums {
  /** Addresses of source rows of `count` samples of x and xq (f32 [count][rows][pitch]); the same address when inputs are not quantized. */
  add(x: number, xq: number, rows: number, count: number): void;
  finish(centred: boolean): TileMoments[];
}

/** `weights` [rows][cols] of the matrix. */
export function momentSums(la: Linalg, layer: Layer, matrix: Matrix, pitch: number, weights: Float32Array): MomentSums {
  return layer.kind === 'depthwise' ? new ChannelSums(la, matrix, pitch) : new TileSums(la, matrix, pitch, weights);
}

/** Pitch of the source rows of a depthwise layer: taps x channels, channels padded to whole vectors. */
export function depthwisePitch(matrix: Matrix): number {
  return matrix.cols * Math.ceil(matrix.tiles.length / 4) * 4;
}

/** Sums of columns over rows: in f32 within a sample, in f64 over samples. */
class Means {
  private readonly la: Linalg;
  private readonly columns: number;
  /** Address of f64 [columns]. */
  private readonly at: number;

  constructor(la: Linalg, columns: number) {
    this.la = la;
    this.columns = columns;
    this.at = la.alloc(columns * 8);
  }

  /** `rows`: address of f32 [count][n][columns]. */
  add(rows: number, n: number, count: number): void {
    this.la.columnSums(this.at, rows, n, count, this.columns);
  }

  get sums(): Float64Array {
    return this.la.f64(this.at, this.columns);
  }
}

/** Sums E[x xq^T] of a tile, by its inputs or by its outputs. */
interface CrossSums {
  add(x: number, xq: number, rows: number, count: number): void;
  finish(count: number, mean: Float64Array, meanQuantized: Float64Array, centred: boolean): TileMoments['cross'];
}

class InputCross implements CrossSums {
  private readonly la: Linalg;
  private readonly cols: number;
  private readonly pitch: number;
  private readonly g: number;

  constructor(la: Linalg, cols: number, pitch: number) {
    this.la = la;
    this.cols = cols;
    this.pitch = pitch;
    this.g = la.alloc(cols * cols * 4);
  }

  add(x: number, xq: number, rows: number, count: number): void {
    const { la, cols, pitch } = this;
    la.products32(this.g, x, xq, cols, cols, { depth: rows, count, lda: pitch, ldb: pitch });
  }

  finish(count: number, mean: Float64Array, meanQuantized: Float64Array, centred: boolean): TileMoments['cross'] {
    const { la, cols } = this;
    return { of: 'inputs', sums: normalise(la.f32(this.g, cols * cols), count, mean, meanQuantized, centred) };
  }
}

/** With few outputs, W x is soon computed, and there are few products with it. */
class OutputCross implements CrossSums {
  private readonly la: Linalg;
  private readonly cols: number;
  private readonly pitch: number;
  /** Outputs, filled up. */
  private readonly n: number;
  private readonly wt: number;
  private readonly sums: number;

  constructor(la: Linalg, tile: Tile, pitch: number, weights: Float32Array, columns: number) {
    this.la = la;
    this.cols = tile.cols;
    this.pitch = pitch;
    this.n = fill4(tile.rows);
    this.wt = la.alloc(tile.cols * this.n * 4);
    this.sums = la.alloc(tile.cols * this.n * 4);
    const wt = la.f32(this.wt, tile.cols * this.n);
    for (let r = 0; r < tile.rows; r++)
      for (let c = 0; c < tile.cols; c++) wt[c * this.n + r] = weights[(tile.row0 + r) * columns + tile.col0 + c]!;
  }

  add(x: number, xq: number, rows: number, count: number): void {
    const { la, cols, pitch, n } = this;
    const mark = la.mark();
    const y = la.alloc(count * rows * n * 4);
    la.product32(y, x, this.wt, count * rows, n, cols, { transposed: true, lda: pitch });
    la.products32(this.sums, xq, y, cols, n, { depth: rows, count, lda: pitch, ldb: n });
    la.release(mark);
  }

  finish(count: number, mean: Float64Array, meanQuantized: Float64Array, centred: boolean): TileMoments['cross'] {
    const { la, cols, n } = this;
    const wt = la.f32(this.wt, cols * n);
    const output = new Float64Array(n);
    for (let c = 0; c < cols; c++) for (let r = 0; r < n; r++) output[r]! += wt[c * n + r]! * mean[c]!;
    return { of: 'outputs', sums: normalise(la.f32(this.sums, cols * n), count, meanQuantized, output, centred) };
  }
}

export const fill4 = (n: number): number => Math.ceil(n / 4) * 4;

class TileSums implements MomentSums {
  private readonly h: number[];
  private readonly cross: CrossSums[];
  private readonly means: Means;
  private readonly meansQuantized: Means;
  private readonly la: Linalg;
  private readonly tiles: readonly Tile[];
  private readonly pitch: number;
  private count = 0;
  private same = true;

  constructor(la: Linalg, { tiles, cols }: Matrix, pitch: number, weights: Float32Array) {
    this.la = la;
    this.tiles = tiles;
    this.pitch = pitch;
    this.h = tiles.map((t) => la.alloc(t.cols * t.cols * 4));
    this.cross = tiles.map((t) =>
      2 * fill4(t.rows) < t.cols ? new OutputCross(la, t, pitch, weights, cols) : new InputCross(la, t.cols, pitch),
    );
    this.means = new Means(la, pitch);
    this.meansQuantized = new Means(la, pitch);
  }

  add(x: number, xq: number, rows: number, count: number): void {
    const { la, pitch } = this;
    this.tiles.forEach((t, i) => {
      const [a, aq] = [x + t.src0 * 4, xq + t.src0 * 4];
      const samples = { depth: rows, count, lda: pitch, ldb: pitch };
      la.products32(this.h[i]!, aq, aq, t.cols, t.cols, { ...samples, upper: true });
      if (x !== xq) this.cross[i]!.add(a, aq, rows, count);
    });
    this.means.add(x, rows, count);
    if (x !== xq) this.meansQuantized.add(xq, rows, count);
    this.count += rows * count;
    this.same = x === xq;
  }

  finish(centred: boolean): TileMoments[] {
    return this.tiles.map((t, i) => {
      const slice = (m: Means): Float64Array => m.sums.slice(t.src0, t.src0 + t.cols).map((v) => v / this.count);
      const mean = slice(this.means);
      const meanQuantized = this.same ? mean : slice(this.meansQuantized);
      const h = normalise(this.la.f32(this.h[i]!, t.cols * t.cols), this.count, meanQuantized, meanQuantized, centred);
      mirror(h, t.cols);
      const cross: TileMoments['cross'] = this.same
        ? { of: 'inputs', sums: h }
        : this.cross[i]!.finish(this.count, mean, meanQuantized, centred);
      return { h, cross, mean, meanQuantized };
    });
  }
}

/** sums / count - a b^T as a copy. */
function normalise(
  sums: Float32Array,
  count: number,
  a: Float64Array,
  b: Float64Array,
  centred: boolean,
): Float32Array {
  const n = b.length;
  const out = new Float32Array(a.length * n);
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < n; j++) out[i * n + j] = sums[i * n + j]! / count - (centred ? a[i]! * b[j]! : 0);
  }
  return out;
}

function mirror(h: Float32Array, k: number): void {
  for (let i = 0; i < k; i++) for (let j = 0; j < i; j++) h[i * k + j] = h[j * k + i]!;
}

class ChannelSums implements MomentSums {
  private readonly h: number;
  private readonly g: number;
  private readonly taps: number;
  private readonly channels: number;
  private readonly means: Means;
  private readonly meansQuantized: Means;
  private readonly la: Linalg;
  private readonly matrix: Matrix;
  private readonly pitch: number;
  private count = 0;
  private same = true;

  constructor(la: Linalg, matrix: Matrix, pitch: number) {
    this.la = la;
    this.matrix = matrix;
    this.pitch = pitch;
    this.taps = matrix.cols;
    this.channels = pitch / matrix.cols;
    this.h = la.alloc(this.taps * pitch * 4);
    this.g = la.alloc(this.taps * pitch * 4);
    this.means = new Means(la, pitch);
    this.meansQuantized = new Means(la, pitch);
  }

  add(x: number, xq: number, rows: number, count: number): void {
    const { la } = this;
    const samples = { rows, count, taps: this.taps, c: this.channels };
    la.channelMoments(this.h, xq, xq, { ...samples, upper: true });
    this.means.add(x, rows, count);
    this.count += rows * count;
    this.same = x === xq;
    if (this.same) return;
    la.channelMoments(this.g, x, xq, samples);
    this.meansQuantized.add(xq, rows, count);
  }

  finish(centred: boolean): TileMoments[] {
    const { taps, channels, count } = this;
    const h = this.la.f32(this.h, taps * this.pitch);
    const g = this.la.f32(this.g, taps * this.pitch);
    const [means, meansQuantized] = [this.means.sums, this.meansQuantized.sums];
    const own = new Float32Array(taps * taps);
    return this.matrix.tiles.map((_, c) => {
      const pick = (sums: Float64Array): Float64Array =>
        Float64Array.from({ length: taps }, (_v, t) => sums[t * channels + c]! / count);
      const mean = pick(means);
      const meanQuantized = this.same ? mean : pick(meansQuantized);
      const of = (sums: Float32Array, a: Float64Array): Float32Array => {
        for (let i = 0; i < own.length; i++) own[i] = sums[i * channels + c]!;
        return normalise(own, count, a, meanQuantized, centred);
      };
      const found = of(h, meanQuantized);
      mirror(found, taps);
      const cross = { of: 'inputs', sums: this.same ? found : of(g, mean) } as const;
      return { h: found, cross, mean, meanQuantized };
    });
  }
}
