import type { KernelContext } from './context.ts';
import { rowsAtOnce } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { codeRange } from './ranges.ts';

/**
 * When a convolution may and when it should go by Winograd's F(2x2,3x3), with Y = A' [sum of U V] A / 4:
 * V = B' x B, whose coefficients are 0, 1 and -1, four of them other than 0 a point; U = (2G) g (2G)'. U and V have to fit 16 bits. What they
 * are multiplied and added up to may leave 32 bits on the way, since that is arithmetic modulo 2^32, but four times the result may not: then
 * the division is exact, and results are the sums that the direct kernel gives.
 */
export interface Winograd {
  /** Tiles in a row, and rows of them at a time. */
  readonly across: number;
  readonly rows: number;
  /** Values of a point of a tile: channels, in whole vectors. */
  readonly pitch: number;
  /** Of the micro-kernel: tiles, vectors of channels. */
  readonly mr: number;
  readonly columns: number;
  /** Of the time of a direct kernel on 16 bits or, on wide vectors, on what it takes. */
  readonly share: number;
}

/** Points of a tile. */
export const POINTS = 16;
/** Pixels of its result. */
export const PIXELS = 4;
/** Largest difference of two bytes. */
const BYTES = 255;
/** Largest magnitude of an element of the image whose transform fits 16 bits. */
const MOST_ELEMENT = 2 ** 13 - 1;
/** Four times a result is below this. */
const MOST_SUM = 2 ** 31;
/** Transformed image at a time at most, bytes. */
const IMAGE_BYTES = 48 * 1024;

interface Micro {
  /** Lanes of 32 bits; tiles and vectors of channels of a micro-kernel at most. */
  readonly lanes: number;
  readonly rows: number;
  readonly columns: number;
  /** Columns that it takes at a time. */
  readonly step: number;
  /** Multiplications of vectors that the direct kernel takes for four columns. */
  readonly direct: number;
}

interface Operands {
  readonly x: string;
  readonly w: string;
  /** C expression of the zero point. */
  readonly zp: string;
}

/** Undefined where Winograd's algorithm does not apply, could be inexact, or is no faster. */
export function winogradOf(ctx: KernelContext, geo: Geometry, v: Operands, micro: Micro): Winograd | undefined {
  const { kh, kw, groups, n, strides, dilations, pads, c } = geo;
  const plain = kh === 3 && kw === 3 && groups === 1 && n === 1 && [...strides, ...dilations].every((s) => s === 1);
  if (!plain || pads.some((p) => p < 0) || c % micro.step !== 0 || ctx.overlapped) return undefined;
  const [across, down] = [Math.ceil(geo.ow / 2), Math.ceil(geo.oh / 2)];
  const pitch = Math.ceil(c / micro.lanes / 2) * micro.lanes * 2;
  const fit = Math.max(1, Math.floor(Math.min(IMAGE_BYTES, ctx.tuning.blockBytes) / (across * POINTS * pitch * 2)));
  const blocks = Math.ceil(down / fit);
  const share = costOf(geo, across * down, blocks, micro) / directCost(geo, micro);
  if (share > MOST_SHARE || !isExact(ctx, geo, v)) return undefined;
  const rows = Math.ceil(down / blocks);
  const columns = Math.min(micro.columns, Math.ceil(geo.o / micro.lanes));
  return { across, rows, pitch, mr: rowsAtOnce(rows * across, micro.rows), columns, share };
}

/** Time of the direct kernel up to which the change pays. */
const MOST_SHARE = 0.95;
/** Multiplications of vectors of 16 bits for four columns. */
const AS_WORDS = 2;
/**
 * What takes as long as so many multiplications of vectors, measured on x86 and in WebAssembly: to transform a tile of a vector of channels of
 * the image, and its sums for a vector of channels of the result, with what micro-kernels take beside their products; to unpack and transform
 * the codes of one channel for a vector of those of the result.
 */
const IMAGE = 40;
const SUMS = 64;
const CODES = 50;

const directCost = ({ m, k, o }: Geometry, { lanes, direct }: Micro): number => m * (k / 4) * (o / lanes) * direct;

function costOf({ c, o }: Geometry, tiles: number, blocks: number, { lanes }: Micro): number {
  const vectors = Math.ceil(o / lanes);
  const products = POINTS * (c / 4) * AS_WORDS * vectors;
  return tiles * (products + IMAGE * Math.ceil(c / lanes / 2) + SUMS * vectors) + blocks * CODES * c * vectors;
}

/** Whether everything fits its bits, whatever the image is. */
function isExact(ctx: KernelContext, geo: Geometry, { x, w, zp }: Operands): boolean {
  const codes = ctx.largestCodes(w);
  if (!codes) return false;
  const wide = ctx.type(x).dtype === 'i16';
  if (wide && zp !== '0') return false;
  const { lo, hi } = codeRange(ctx.graph, x);
  // Bytes lose their zero point, which may be one that no element is.
  const most = wide ? Math.max(-lo, hi) : BYTES;
  let largest = 0;
  for (let o = 0; o < geo.o; o++) {
    let sum = 0;
    for (let k = o * geo.k; k < (o + 1) * geo.k; k++) sum += Math.abs(codes[k]!);
    largest = Math.max(largest, sum);
  }
  return fits(most, largest);
}

/** Whether Winograd's algorithm is exact for elements and sums of magnitudes of codes up to these: both transforms fit 16 bits, results 30. */
export const fits = (element: number, codes: number): boolean =>
  element <= MOST_ELEMENT && PIXELS * element * codes < MOST_SUM;
