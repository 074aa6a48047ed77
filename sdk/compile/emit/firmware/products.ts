import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import type { KernelContext, KernelText } from '../c/context.ts';
import { rowSplit } from '../c/conv.ts';
import { spaceOf } from '../c/epilogue.ts';
import { MR, NR } from '../c/gemm.ts';
import { emitGather, type Geometry, geometryOf, linearGeometry } from '../c/geometry.ts';
import { eightOf } from '../c/vectors.ts';
import { constantOf, emitEpilogue, scratchOf, zeroOf } from './epilogue.ts';

/**
 * Products with constant matrices: a row of activations times a tile of eight rows of the matrix at a time, by a function that all
 * layers share. Codes are unpacked once a tile for all rows; where rows have to be gathered, or copied before results are written, once
 * a tile for a block of them.
 */

/** Gathered rows take this share of a block's bytes, and are so many at least. */
const GATHERED = 0.25;
const LEAST_ROWS = 8;

/** Rows of a block: whole ones of the tile height, of which splits are multiples. */
function blockRows(ctx: KernelContext, geo: Geometry, bytes: number): number {
  const fit = Math.floor((GATHERED * ctx.tuning.blockBytes) / bytes / MR) * MR;
  return Math.min(Math.max(LEAST_ROWS, fit), Math.ceil(geo.m / MR) * MR);
}

interface Product {
  readonly geo: Geometry;
  /** Activations. */
  readonly x: { readonly pointer: string; readonly type: 'i8' | 'i16' | 'float' };
  /** Rows are copied before results are written. */
  readonly copied: boolean;
  /** Value of the taps outside of an image. */
  readonly outside: string;
  /** Once a tile. */
  readonly setup: string;
  /** Declares `acc`, the sums as they begin. */
  readonly start: string;
  /** Adds `cols` columns from `column` on, whose activations are at `a`, to the sums; the first ones of a row, or more of it. */
  add(a: string, column: string, cols: number, first: boolean): string;
  /** What becomes of sum j of row m. */
  readonly done: string;
}

/** The loops of a product over items m0 .. m1 - 1. */
function productLoops(ctx: KernelContext, p: Product): { readonly helpers: string; readonly body: string } {
  const { geo, x } = p;
  const tiles = (rows: string, sums: string): string => `for (i32 n = 0; n < ${geo.og}; n += ${NR}) {
      const i32 nv = ${geo.og % NR === 0 ? NR : `${geo.og} - n < ${NR} ? ${geo.og} - n : ${NR}`};
      ${p.setup}
      for (i32 m = ${rows}) {
        ${p.start}
        ${sums}
        for (i32 j = 0; j < nv; j++) ${p.done}
      }
    }`;
  const groups = (text: string): string =>
    geo.groups === 1
      ? `const i32 G = 0; (void)G;
  ${text}`
      : `for (i32 g = 0; g < ${geo.groups}; g++) {
    const i32 G = g * ${geo.og}; (void)G;
    ${text}
  }`;
  if (geo.pointwise && !p.copied)
    return {
      helpers: '',
      body: groups(tiles('m0; m < m1; m++', p.add(`${x.pointer} + m * ${geo.k}`, '0', geo.k, true))),
    };
  const width = x.type === 'float' ? 4 : x.type === 'i16' ? 2 : 1;
  const pitch = Math.ceil(geo.k / 4) * 4;
  const inPlace = p.copied ? undefined : windowInPlace(p);
  const block = inPlace ? 1 : blockRows(ctx, geo, pitch * width);
  const rows = scratchOf(ctx, x.type, block * pitch);
  const helpers = emitGather('gather', geo, { from: x.type, to: x.type, pitch });
  if (inPlace) {
    const gathered = `{ gather(${x.pointer}, ${rows}, m, 1, 0, ${p.outside}); ${p.add(rows, '0', geo.k, true)} }`;
    return { helpers, body: groups(tiles('m0; m < m1; m++', `${inPlace} else ${gathered}`)) };
  }
  const body = `for (i32 mb = m0; mb < m1; mb += ${block}) {
    const i32 me = mb + ${block} < m1 ? mb + ${block} : m1;
    gather(${x.pointer}, ${rows}, mb, me - mb, ${geo.groups === 1 ? '0' : 'g'}, ${p.outside});
    ${tiles('mb; m < me; m++', p.add(`${rows} + (m - mb) * ${pitch}`, '0', geo.k, true))}
    }`;
  return { helpers, body: groups(body) };
}

/** Lines of a window that are summed up where they lie have so many columns at least. */
const LEAST_LINE = 16;

/** Sums over a window that lies inside of the image, a line of it after another; not where lines are short or no whole words. */
function windowInPlace({ geo, x, add }: Product): string | undefined {
  const line = geo.kw * geo.c;
  if (geo.groups > 1 || (geo.kw > 1 && geo.dilations[1] > 1) || line % 4 !== 0 || line < LEAST_LINE) return undefined;
  const [sh, sw] = geo.strides;
  const [pt, pl] = geo.pads;
  const down = (geo.kh - 1) * geo.dilations[0];
  const next = geo.dilations[0] * geo.w * geo.c;
  const more =
    geo.kh > 1
      ? ` for (i32 ky = 1; ky < ${geo.kh}; ky++) { a += ${next}; ${add('a', `ky * ${line}`, line, false)} }`
      : '';
  return `const i32 y = m / ${geo.ow} % ${geo.oh} * ${sh} - ${pt}, x = m % ${geo.ow} * ${sw} - ${pl};
        if (y >= 0 && y + ${down} < ${geo.h} && x >= 0 && x + ${geo.kw} <= ${geo.w}) {
          const ${x.type} *a = ${x.pointer} + ((m / ${geo.oh * geo.ow} * ${geo.h} + y) * ${geo.w} + x) * ${geo.c};
          ${add('a', '0', line, true)}${more}
        }`;
}

type Conv = Lowered<KernelOf<'conv'> | KernelOf<'qconv'>>;

const geometry = (ctx: KernelContext, l: Conv): Geometry =>
  geometryOf(l.spec, ctx.type(l.node.inputs[0]!), ctx.type(l.node.inputs[1]!), ctx.type(l.node.outputs[0]!));

export function emitQConv(ctx: KernelContext, l: Lowered<KernelOf<'qconv'>>): KernelText {
  const [x, w, m, bias, zp] = l.node.inputs as [string, string, string, string, string];
  return integerProduct(ctx, geometry(ctx, l), { x, w, m, bias, zp, y: l.node.outputs[0]! });
}

export function emitQLinear(ctx: KernelContext, l: Lowered<KernelOf<'qlinear'>>): KernelText {
  const [x, xs, w, m, bias, zp = ''] = l.node.inputs as [string, string, string, string, string, string?];
  const y = l.node.outputs[0]!;
  const [o, k] = ctx.type(w).shape as [number, number];
  return integerProduct(ctx, linearGeometry(spaceOf(ctx.type(y).shape).rows, k, o), { x, xs, w, m, bias, zp, y });
}

interface Operands {
  readonly x: string;
  readonly w: string;
  readonly m: string;
  readonly bias: string;
  /** Empty: zero. */
  readonly zp: string;
  /** Scales of the rows, if any. */
  readonly xs?: string;
  readonly y: string;
}

function integerProduct(ctx: KernelContext, geo: Geometry, v: Operands): KernelText {
  const type = ctx.type(v.x).dtype as 'i8' | 'i16';
  const pointer = ctx.read(v.x);
  const zp = v.zp === '' ? '0' : zeroOf(ctx, v.zp, '0');
  const centred = v.zp === '' || constantOf(ctx, v.zp) === 0;
  const { pointer: panels } = ctx.panels(v.w, geo.o, geo.k);
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(v.y).shape), v.y);
  const tile = scratchOf(ctx, 'i8', NR * Math.ceil(geo.k / 16) * 16);
  const eight = (name: string) => eightOf(ctx.vector(name), 'G + n', () => ctx.scratch(NR * 4));
  const [multiplier, bias] = [eight(v.m), eight(v.bias)];
  const scale = v.xs
    ? `f4_mul(f4_from_i4(i4_splat(acc[j])), f4_load(${ctx.read(v.xs)} + m))`
    : 'f4_from_i4(i4_splat(acc[j]))';
  const loops = productLoops(ctx, {
    geo,
    x: { pointer, type },
    copied: ctx.overlapped,
    outside: zp,
    setup: `ew_panel(${panels}, (G + n) / ${NR}, ${geo.o}, ${geo.k}, ${tile}); ${multiplier.setup} ${bias.setup}
      ${centred ? '' : `i32 z[${NR}]; ew_tile_sums(${tile}, ${geo.k}, -(${zp}), z);`}`,
    start: `i32 acc[${NR}];`,
    add: (a, column, cols, first) =>
      `ew_dot8_${type}(${a}, EW_CODE(${tile}, 0, ${column}, EW_PITCH(${geo.k})), EW_PITCH(${geo.k}), ${cols}, ${first ? (centred ? 'ew_none' : 'z') : 'acc'}, acc);`,
    done: `epi(${ctx.arguments()}, m, G + n + j, f4_add(f4_mul(${scale}, f4_load(${multiplier.at} + j)), f4_load(${bias.at} + j)));`,
  });
  const { split } = rowSplit(geo);
  if (!split) return whole(geo, epi, loops);
  return { helpers: loops.helpers + epi, body: loops.body, macs: geo.m * geo.k * geo.o, split };
}

/** f32 convolution. */
export function emitConv(ctx: KernelContext, l: Lowered<KernelOf<'conv'>>): KernelText {
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  return floatProduct(ctx, geometry(ctx, l), x, w, bias, l.node.outputs[0]!);
}

/** f32 x [..., K] times w [N, K] transposed. */
export function emitLinear(ctx: KernelContext, l: Lowered<KernelOf<'linear'>>): KernelText {
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  const y = l.node.outputs[0]!;
  const [o, k] = ctx.type(w).shape as [number, number];
  return floatProduct(ctx, linearGeometry(spaceOf(ctx.type(y).shape).rows, k, o), x, w, bias, y);
}

function floatProduct(
  ctx: KernelContext,
  geo: Geometry,
  x: string,
  w: string,
  bias: string | undefined,
  y: string,
): KernelText {
  const pointer = ctx.read(x);
  const panels = ctx.weight(w, { kind: 'panelsF32', rows: geo.o, cols: geo.k });
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const start = bias ? `${ctx.read(bias)}[G + n + (j < nv ? j : 0)]` : '0.0f';
  const loops = productLoops(ctx, {
    geo,
    x: { pointer, type: 'float' },
    copied: false,
    outside: '0',
    setup: '',
    start: `float acc[${NR}];
        for (i32 j = 0; j < ${NR}; j++) acc[j] = ${start};`,
    add: (a, column, cols) => `ew_dot8_f32(${a}, ${panels} + (G + n) * ${geo.k} + ${column} * ${NR}, ${cols}, acc);`,
    done: `epi(${ctx.arguments()}, m, G + n + j, f4_load(acc + j));`,
  });
  return whole(geo, epi, loops);
}

function whole(geo: Geometry, epi: string, loops: { helpers: string; body: string }): KernelText {
  return {
    helpers: loops.helpers + epi,
    body: `const i32 m0 = 0, m1 = ${geo.m};
  ${loops.body}`,
    macs: geo.m * geo.k * geo.o,
  };
}
