import type { KernelContext } from './context.ts';
import { emitGather, type Geometry } from './geometry.ts';

/** Where the rows of a product on wide vectors come from (wide-product.ts): the matrix as it lies, copied, or lines of an image. */

/** Columns of the matrix that are filled up together. */
export const STEP = 4;

/**
 * Whether windows are read in copied lines of the image: every line of a window by itself, filled up to a step by what lies there. Where
 * lines are so short that this is most of the work, windows are gathered from the image.
 */
export function readsLines(geo: Geometry): boolean {
  const plain = geo.groups === 1 && geo.dilations[1] === 1 && geo.pads.every((n) => n >= 0);
  return !geo.pointwise && plain && Math.ceil((geo.kw * geo.cg) / STEP) * STEP <= MOST_PADDING * geo.kw * geo.cg;
}

const MOST_PADDING = 1.5;

/** An image of one column as one of one row, which is the same memory: windows are pieces of its only line. */
export function laidDown(geo: Geometry): Geometry {
  const { w, kw, ow, h, kh, oh, pads, strides, dilations } = geo;
  if (w !== 1 || kw !== 1 || ow !== 1 || pads[1] !== 0 || pads[3] !== 0) return geo;
  return {
    ...geo,
    ...{ h: w, w: h, kh: kw, kw: kh, oh: ow, ow: oh },
    pads: [0, pads[0], 0, pads[2]],
    strides: [1, strides[0]],
    dilations: [1, dilations[0]],
  };
}

export interface RowsFrom {
  readonly src: string;
  readonly from: 'i8' | 'i16';
  readonly type: 'u8' | 'i16';
  /** Columns, padded. */
  readonly kp: number;
  /** Rows of a micro-kernel. */
  readonly mr: number;
}

/** Where the rows of the matrix are: C text. */
export interface Source {
  readonly helpers: string;
  /** In a block at most. */
  readonly rows: number;
  /** Sets `me`, the end of the block that begins at row mb, and makes it ready. */
  readonly block: string;
  /** Where row m is, and how many bytes from there those behind it are: arguments of the micro-kernels. */
  readonly row: string;
  /** Bytes from one segment of a row to the next. */
  readonly apart: number;
  /** Of windows in lines: where the lines are, and how many bytes from there those from row mb on. */
  readonly base?: string;
  readonly places?: string;
}

/** Rows that are not copied cost no memory: of these, a block has as many times more. Codes are unpacked once a block. */
const IN_PLACE = 4;

/** Rows where they lie, or copied; columns past the end may be anything, codes are zero there. */
export function matrixRows(ctx: KernelContext, geo: Geometry, { src, from, type, kp, mr }: RowsFrom): Source {
  const bytes = type === 'u8' ? 1 : 2;
  const inPlace = geo.pointwise && from === 'i16' && !ctx.overlapped;
  const most = Math.max(mr, Math.floor(((inPlace ? IN_PLACE : 1) * ctx.tuning.blockBytes) / (kp * bytes) / mr) * mr);
  const block = Math.ceil(geo.m / Math.ceil(geo.m / most) / mr) * mr;
  const flipped = geo.pointwise && type === 'u8';
  const pitch = inPlace || flipped ? geo.k : kp;
  const apart = `static const i32 apart[] = ${evenly(pitch * bytes, mr)}; me = mb + ${block} < m1 ? mb + ${block} : m1;`;
  if (inPlace) return { helpers: '', rows: block, block: apart, row: `${src} + m * ${pitch}, apart`, apart: 0 };
  const copy = `((${type} *)${ctx.scratch((block + 1) * kp * bytes)})`;
  const row = `${copy} + (m - mb) * ${pitch}, apart`;
  if (flipped) {
    const flip = `${apart} ew_flip(${copy}, ${src} + mb * ${geo.k}, (i64)(me - mb) * ${geo.k});`;
    return { helpers: '', rows: block, block: flip, row, apart: 0 };
  }
  const to = type === 'u8' ? 'i8' : 'i16';
  const flip = type === 'u8' ? ` ew_flip(${copy}, (const i8 *)${copy}, (i64)(me - mb) * ${kp});` : '';
  return {
    helpers: emitGather('gather', geo, { from, to, pitch: kp }),
    rows: block,
    block: `${apart} gather(${src}, (${to} *)${copy}, mb, me - mb, g, zp);${flip}`,
    row,
    apart: 0,
  };
}

/** Multiples of a pitch, from 0 on, in C. */
export function evenly(pitch: number, count: number): string {
  return `{${Array.from({ length: count }, (_, r) => r * pitch).join(', ')}}`;
}

/** Windows in a block at most: each of them has its place noted. */
const MOST_WINDOWS = 2048;

/** Lines of the image with their padding; a row of the matrix is a window, line after line, and neighbouring windows overlap. */
export function imageLines(ctx: KernelContext, geo: Geometry, { src, from, type }: RowsFrom): Source {
  const [sh, sw] = geo.strides;
  const [top, left] = geo.pads;
  const dh = geo.dilations[0];
  const pixels = Math.max((geo.ow - 1) * sw + geo.kw, left + geo.w);
  const line = pixels * geo.c;
  const bytes = type === 'u8' ? 1 : 2;
  const reach = (geo.kh - 1) * dh + 1;
  const fit = Math.floor((ctx.tuning.blockBytes / (line * bytes) - reach) / sh) + 1;
  const count = Math.max(1, Math.min(geo.oh, fit, Math.floor(MOST_WINDOWS / geo.ow)));
  const lines = `((${type} *)${ctx.scratch((((count - 1) * sh + reach) * line + 16) * bytes)})`;
  const places = `((i32 *)${ctx.scratch(count * geo.ow * 4)})`;
  const copy = type === 'u8' ? 'ew_line_u8' : from === 'i8' ? 'ew_line_i8' : 'ew_line_i16';
  return {
    helpers: '',
    rows: count * geo.ow,
    block: `const i32 row = mb / ${geo.ow}, image = row / ${geo.oh}, py = row % ${geo.oh}, most = ${geo.oh} - py < ${count} ? ${geo.oh} - py : ${count};
      me = (row + most) * ${geo.ow} < m1 ? (row + most) * ${geo.ow} : m1;
      for (i32 i = 0; i < ((me - 1) / ${geo.ow} - row) * ${sh} + ${reach}; i++) {
        const i32 y = py * ${sh} - ${top} + i;
        ${copy}(${lines} + i * ${line}, y < 0 || y >= ${geo.h} ? 0 : ${src} + ((i64)image * ${geo.h} + y) * ${geo.w * geo.c}, ${left * geo.c}, ${geo.w * geo.c}, ${line}, zp);
      }
      for (i32 i = 0; i < most; i++) for (i32 x = 0; x < ${geo.ow}; x++) ${places}[i * ${geo.ow} + x] = i * ${sh * line * bytes} + x * ${sw * geo.c * bytes};`,
    row: `${lines}, ${places} + (m - row * ${geo.ow})`,
    base: lines,
    places: `${places} + (mb - row * ${geo.ow})`,
    apart: dh * line * bytes,
  };
}
