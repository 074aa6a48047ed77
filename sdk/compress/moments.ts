import type { Linalg } from '../util/linalg/linalg.ts';
import type { Layer, Matrix, Tile } from './layers.ts';

/** Second moments of a tile's inputs: h = E[xq xq^T], g = E[x xq^T] (row-major f32 [cols][cols]), centred when the layer has a bias. */
export interface TileMoments {
  readonly h: Float32Array;
  readonly g: Float32Array;
  /** Means of x and xq: the exact input of bias correction. */
  readonly mean: Float64Array;
  readonly meanQuantized: Float64Array;
}

/** Sums second moments of source rows, tile by tile, in the heap of a Linalg. */
export interface MomentSums {
  /** Addresses of `rows` source rows of x and xq (f32 [rows][pitch]); the same address when inputs are not quantized. */
  add(x: number, xq: number, rows: number): void;
  finish(centred: boolean): TileMoments[];
}

export function momentSums(la: Linalg, layer: Layer, matrix: Matrix, pitch: number): MomentSums {
  return layer.kind === 'depthwise' ? new ChannelSums(la, matrix, pitch) : new TileSums(la, matrix.tiles, pitch);
}

/** Pitch of the source rows of a depthwise layer: taps x channels, channels padded to whole vectors. */
export function depthwisePitch(matrix: Matrix): number {
  return matrix.cols * Math.ceil(matrix.tiles.length / 4) * 4;
}

/** Sums of columns over rows: in f32 within one call, in f64 over calls. */
class Means {
  readonly columns: number;
  readonly sums: Float64Array;
  private readonly la: Linalg;
  constructor(la: Linalg, columns: number) {
    this.la = la;
    this.columns = columns;
    this.sums = new Float64Array(columns);
  }

  /** `rows`: address of f32 [n][columns]. */
  add(rows: number, n: number): void {
    const { la, columns, sums } = this;
    const mark = la.mark();
    const ones = la.alloc(4 * n * 4);
    la.f32(ones, 4 * n).fill(1);
    const total = la.alloc(4 * columns * 4);
    la.product32(total, ones, rows, 4, columns, n);
    const found = la.f32(total, columns);
    for (let c = 0; c < columns; c++) sums[c]! += found[c]!;
    la.release(mark);
  }
}

class TileSums implements MomentSums {
  private readonly h: number[];
  private readonly g: number[];
  private readonly means: Means;
  private readonly meansQuantized: Means;
  private readonly la: Linalg;
  private readonly tiles: readonly Tile[];
  private readonly pitch: number;
  private count = 0;
  private same = true;

  constructor(la: Linalg, tiles: readonly Tile[], pitch: number) {
    this.la = la;
    this.tiles = tiles;
    this.pitch = pitch;
    this.h = tiles.map((t) => la.alloc(t.cols * t.cols * 4));
    this.g = tiles.map((t) => la.alloc(t.cols * t.cols * 4));
    this.means = new Means(la, pitch);
    this.meansQuantized = new Means(la, pitch);
  }

  add(x: number, xq: number, rows: number): void {
    const { la, pitch } = this;
    this.tiles.forEach((t, i) => {
      const [a, aq] = [x + t.src0 * 4, xq + t.src0 * 4];
      const pitches = { lda: pitch, ldb: pitch };
      la.product32(this.h[i]!, aq, aq, t.cols, t.cols, rows, { ...pitches, upper: true });
      if (x !== xq) la.product32(this.g[i]!, a, aq, t.cols, t.cols, rows, pitches);
    });
    this.means.add(x, rows);
    if (x !== xq) this.meansQuantized.add(xq, rows);
    else this.meansQuantized.sums.set(this.means.sums);
    this.count += rows;
    this.same = x === xq;
  }

  finish(centred: boolean): TileMoments[] {
    return this.tiles.map((t, i) => {
      const slice = (m: Means): Float64Array => m.sums.slice(t.src0, t.src0 + t.cols).map((v) => v / this.count);
      const mean = slice(this.means);
      const meanQuantized = slice(this.meansQuantized);
      const h = normalise(this.la.f32(this.h[i]!, t.cols * t.cols), this.count, meanQuantized, meanQuantized, centred);
      mirror(h, t.cols);
      const g = this.same
        ? h
        : normalise(this.la.f32(this.g[i]!, t.cols * t.cols), this.count, mean, meanQuantized, centred);
      return { h, g, mean, meanQuantized };
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
  const k = a.length;
  const out = new Float32Array(k * k);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) out[i * k + j] = sums[i * k + j]! / count - (centred ? a[i]! * b[j]! : 0);
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

  add(x: number, xq: number, rows: number): void {
    this.la.channelMoments(this.h, this.g, x, xq, rows, this.taps, this.channels);
    this.means.add(x, rows);
    this.meansQuantized.add(xq, rows);
    this.count += rows;
  }

  finish(centred: boolean): TileMoments[] {
    const { taps, channels, count } = this;
    const h = this.la.f32(this.h, taps * this.pitch);
    const g = this.la.f32(this.g, taps * this.pitch);
    return this.matrix.tiles.map((_, c) => {
      const pick = (m: Means): Float64Array =>
        Float64Array.from({ length: taps }, (_v, t) => m.sums[t * channels + c]! / count);
      const mean = pick(this.means);
      const meanQuantized = pick(this.meansQuantized);
      const of = (sums: Float32Array, a: Float64Array): Float32Array => {
        const own = Float32Array.from({ length: taps * taps }, (_v, i) => sums[i * channels + c]!);
        return normalise(own, count, a, meanQuantized, centred);
      };
      return { h: of(h, meanQuantized), g: of(g, mean), mean, meanQuantized };
    });
  }
}
