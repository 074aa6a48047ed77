import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, type Split, share, splitOf } from './context.ts';
import { emitEpilogue, type Space, spaceOf } from './epilogue.ts';
import { MR, microF32, NR, type Rows, rowsPerTile } from './gemm.ts';
import { emitGather, type Geometry, geometryOf, linearGeometry } from './geometry.ts';
import type { Turn } from './turn.ts';

/** Below this many rows the parts of a parallel run share out channels instead of rows. */
export const ROWS_TO_SPLIT = 64;

/** Tiles of rows in a band at least: the weights are unpacked once a band. */
const TILES_IN_BAND = 32;

/** How the parts of a product share out its rows, when they do. */
export function rowSplit(geo: Geometry): { split?: Split } {
  return geo.m >= ROWS_TO_SPLIT && geo.groups === 1 ? { split: splitOf(geo.m, MR, TILES_IN_BAND) } : {};
}

export const isDepthwise = (g: Geometry): boolean => g.groups > 1 && g.cg === 1 && g.og === 1;
/** Group borders that fall inside a tile of eight channels need the plain kernel. */
export const isRagged = (g: Geometry): boolean => g.groups > 1 && g.og % NR !== 0;

/** f32 convolution as a blocked matrix product over gathered rows. */
export function emitConv(ctx: KernelContext, l: Lowered<KernelOf<'conv'>>): KernelText {
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  return productF32(ctx, geo, x, w, bias, y);
}

/** f32 x [..., K] times w [N, K] transposed. */
export function emitLinear(ctx: KernelContext, l: Lowered<KernelOf<'linear'>>): KernelText {
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  const y = l.node.outputs[0]!;
  const [o, k] = ctx.type(w).shape as [number, number];
  return productF32(ctx, linearGeometry(spaceOf(ctx.type(y).shape).rows, k, o), x, w, bias, y);
}

function productF32(
  ctx: KernelContext,
  geo: Geometry,
  x: string,
  w: string,
  bias: string | undefined,
  y: string,
): KernelText {
  const space: Space = { ...spaceOf(ctx.type(y).shape), whole: geo.og % NR === 0 };
  const src = ctx.read(x);
  const panels = ctx.weight(w, { kind: 'panelsF32', rows: geo.o, cols: geo.k });
  const init = biasInit(ctx, bias);
  const epi = emitEpilogue(ctx, 'epi', space, y);
  const block = blockRows(ctx, geo, 4);
  const buffer = geo.pointwise ? '' : ctx.scratch(block * geo.k * 4);
  const mr = rowsPerTile(geo.m);
  const rows: Rows = geo.pointwise
    ? pointwiseRows(src, geo, mr)
    : { base: `((float *)${buffer}) + (m - mb) * ${geo.k}`, pitch: geo.k };
  const micro = microF32(geo.k, mr, rows, `${panels} + (g * ${geo.og} + n) * ${geo.k}`, init, {
    ...realRows(geo.m, mr),
    use: (c0, c1) => `epi(${ctx.arguments()}, m + r, g * ${geo.og} + n, nv, ${c0}, ${c1});`,
  });
  const helpers = (geo.pointwise ? '' : emitGather('gather', geo, { from: 'float', to: 'float', pitch: geo.k })) + epi;
  const setup = geo.pointwise ? '' : `gather(${src}, (float *)${buffer}, mb, me - mb, g, 0);`;
  const body = blockedLoops(geo, mr, block, { setup, micro });
  return { helpers, body, macs: geo.m * geo.k * geo.o };
}

/** Rows that lie in memory one after another; the last tile of a ragged count reads its last row again. */
export function pointwiseRows(src: string, geo: Geometry, mr: number): Rows {
  if (geo.m % mr === 0) return { base: `${src} + m * ${geo.k}`, pitch: geo.k };
  return { pointer: (r) => `${src} + (m + ${r} < m1 ? m + ${r} : m1 - 1) * ${geo.k}` };
}

/** Rows of a tile that exist, where the last tile is short. */
export function realRows(rows: number, mr: number, end = 'm1'): { rows?: string } {
  return rows % mr === 0 ? {} : { rows: `(${end} - m < ${mr} ? ${end} - m : ${mr})` };
}

export function biasInit(ctx: KernelContext, bias: string | undefined): [string, string] {
  if (!bias) return ['f4_splat(0.0f)', 'f4_splat(0.0f)'];
  const b = ctx.read(bias);
  return [`f4_load(${b} + (G + n))`, `f4_load(${b} + (G + n) + 4)`];
}

/** Rows of a block at most, where elements have two bytes or more. */
const MOST_ROWS = 256;

/** As many rows as stay in cache next to the weight tile, twice as many where they are read `inPlace`, not copied; a multiple of the tile's rows. */
export function mostRows(ctx: KernelContext, geo: Geometry, elementBytes: number, inPlace = false): number {
  const bytes = inPlace ? elementBytes / 2 : elementBytes;
  const fit = Math.floor(ctx.tuning.blockBytes / (geo.k * bytes) / MR) * MR;
  const most = bytes === 1 ? 2 * MOST_ROWS : MOST_ROWS;
  return Math.max(MR * 2, Math.min(fit, most, Math.ceil(geo.m / MR) * MR));
}

/** Rows of a block. All are of about the same length, since weights are unpacked for a short one too. */
export function blockRows(ctx: KernelContext, geo: Geometry, elementBytes: number, inPlace = false): number {
  const blocks = Math.ceil(geo.m / mostRows(ctx, geo, elementBytes, inPlace));
  return Math.max(MR * 2, Math.ceil(geo.m / blocks / MR) * MR);
}

/** Vectors of channels that can be shared out fairly. */
const VECTORS_TO_SPLIT = 8;
/** The same where they are written as columns. */
const COLUMNS_TO_SPLIT = 4;

/** Codes that a second part unpacks as soon as it gets an element of a row that the first one has made; where lines of memory take 240 ns from one to the other. */
const CODES_FOR_ROWS = 3;

/** What parts of a product share out: rows, channels, or rows where there are two parts and channels where there are more. */
export type Sharing = 'rows' | 'channels' | 'rows of two';

/**
 * Whether parts of an integer product share out rows, each unpacking all codes, or channels in vectors of `lanes`, each copying all rows:
 * what there is less of is done more than once. Rows where results are written over them, or in bands; channels, if there are some for every part,
 * where results are columns, so that what a part writes lies together. Two parts unpack all codes sooner than they
 * get the rows that the other one has made, where there are not too many.
 */
export function sharingOf(ctx: KernelContext, geo: Geometry, lanes: number): Sharing {
  if (geo.m < ROWS_TO_SPLIT) return 'channels';
  if (ctx.overlapped) return 'rows';
  if (ctx.group.turned) return geo.og < COLUMNS_TO_SPLIT * lanes ? 'rows' : 'channels';
  const inBands = (rowSplit(geo).split?.bands ?? 1) > 1;
  if (inBands || geo.og < geo.m || geo.og < VECTORS_TO_SPLIT * lanes) return 'rows';
  return geo.og < CODES_FOR_ROWS * geo.m ? 'rows of two' : 'channels';
}

/** A part's rows [m0, m1) and channels [n0, n1), of which it has multiples of `unit`, of a product. */
export function sharedOut(
  geo: Geometry,
  by: Sharing = geo.m >= ROWS_TO_SPLIT ? 'rows' : 'channels',
  unit = NR,
): string {
  const [rows, channels] = [
    (from: string, to: string) => share(geo.m, MR, from, to),
    (from: string, to: string) => share(geo.og, unit, from, to),
  ];
  if (by === 'rows') return `${rows('m0', 'm1')} const i32 n0 = 0, n1 = ${geo.og};`;
  if (by === 'channels') return `${channels('n0', 'n1')} const i32 m0 = 0, m1 = ${geo.m};`;
  return `i32 m0 = 0, m1 = ${geo.m}, n0 = 0, n1 = ${geo.og};
  if (parts == 2) { ${rows('from', 'to')} m0 = from; m1 = to; } else { ${channels('from', 'to')} n0 = from; n1 = to; }`;
}

/** What a nest of loops does: `setup` once a block, `tile` once a channel tile. */
export interface LoopText {
  readonly setup: string;
  readonly tile?: string;
  readonly micro: string;
  readonly sharing?: Sharing;
  readonly turn?: Turn | undefined;
}

/** The loop nest shared by all products: groups, blocks of rows, channel tiles, row tiles. */
export function blockedLoops(
  geo: Geometry,
  mr: number,
  block: number,
  { setup, tile = '', micro, sharing, turn }: LoopText,
): string {
  return `${sharedOut(geo, sharing)}
  if (m0 >= m1 || n0 >= n1) return;
  for (i32 g = 0; g < ${geo.groups}; g++) {
    const i32 G = g * ${geo.og}; (void)G;
    for (i32 mb = m0; mb < m1; mb += ${block}) {
      const i32 me = mb + ${block} < m1 ? mb + ${block} : m1;
      ${setup}
      for (i32 n = n0; n < n1; n += ${NR}) {
        const i32 nv = ${geo.og} - n < ${NR} ? ${geo.og} - n : ${NR}; (void)nv;
        ${tile} ${turn?.begin('mb') ?? ''}
        for (i32 m = mb; m < me; m += ${mr}) ${micro}
        ${turn?.end('mb', 'me', 'nv') ?? ''}
      }
    }
  }`;
}

/** f32 filter a channel: taps in (ky, kx) order, taps outside the image skipped. */
export function emitDepthwise(ctx: KernelContext, l: Lowered<KernelOf<'conv'>>): KernelText {
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const src = ctx.read(x);
  const taps = geo.kh * geo.kw;
  const cpad = Math.ceil(geo.c / NR) * NR;
  const filter = ctx.weight(w, { kind: 'transposed', rows: geo.c, cols: taps, multiple: NR });
  const init = biasInit(ctx, bias);
  const epi = emitEpilogue(ctx, 'epi', spaceOf(ctx.type(y).shape), y);
  const body = `${depthwiseShare(ctx, geo)}
  const i32 G = 0;
  for (i32 row0 = r0; row0 < r1; row0++) {
    const i32 py = row0 % ${geo.oh}, b = row0 / ${geo.oh};
    ${clip('py', geo.strides[0], geo.pads[0], geo.dilations[0], geo.kh, geo.h, 'y')}
    for (i32 px = 0; px < ${geo.ow}; px++) {
      ${clip('px', geo.strides[1], geo.pads[1], geo.dilations[1], geo.kw, geo.w, 'x')}
      for (i32 n = n0; n < n1; n += ${NR}) {
        const i32 nv = ${geo.c} - n < ${NR} ? ${geo.c} - n : ${NR};
        f4 c0 = ${init[0]}, c1 = ${init[1]};
        for (i32 ky = y_lo; ky < y_hi; ky++) {
          const float *s = ${src} + ((b * ${geo.h} + y_0 + ky * ${geo.dilations[0]}) * ${geo.w} + x_0 + x_lo * ${geo.dilations[1]}) * ${geo.c} + n;
          const float *f = ${filter} + (ky * ${geo.kw} + x_lo) * ${cpad} + n;
          for (i32 kx = x_lo; kx < x_hi; kx++, s += ${geo.dilations[1] * geo.c}, f += ${cpad}) {
            c0 = f4_add(c0, f4_mul(f4_load(s), f4_load(f))); c1 = f4_add(c1, f4_mul(f4_load(s + 4), f4_load(f + 4)));
          }
        }
        epi(${ctx.arguments()}, row0 * ${geo.ow} + px, n, nv, c0, c1);
      }
    }
  }`;
  return { helpers: epi, body, macs: geo.m * taps * geo.c };
}

/**
 * A part's rows [r0, r1) and channels [n0, n1): parts share out rows, or channels where results overlap the image; those in multiples of what
 * the kernel stores at a time.
 */
export function depthwiseShare(ctx: KernelContext, geo: Geometry, channels: number = NR): string {
  const rows = geo.n * geo.oh;
  return ctx.overlapped
    ? `${share(geo.c, channels, 'n0', 'n1')} const i32 r0 = 0, r1 = ${rows};`
    : `${share(rows, 1, 'r0', 'r1')} const i32 n0 = 0, n1 = ${geo.c};`;
}

/** Declares `<p>_0` (first source coordinate) and the range [`<p>_lo`, `<p>_hi`) of taps that fall inside the image. */
export function clip(
  at: string,
  stride: number,
  pad: number,
  dilation: number,
  kernel: number,
  size: number,
  p: string,
): string {
  const lo =
    pad === 0
      ? `const i32 ${p}_lo = 0;`
      : `const i32 ${p}_lo = ${p}_0 < 0 ? (-${p}_0 + ${dilation - 1}) / ${dilation} : 0;`;
  return `const i32 ${p}_0 = ${at} * ${stride} - ${pad}; ${lo} i32 ${p}_hi = ${p}_0 + ${(kernel - 1) * dilation} >= ${size} ? (${size} - ${p}_0 + ${dilation - 1}) / ${dilation} : ${kernel}; if (${p}_hi < ${p}_lo) ${p}_hi = ${p}_lo;`;
}

/** Grouped convolution whose groups are not whole tiles: one channel at a time. Rare, so plain. */
export function emitRaggedConv(ctx: KernelContext, l: Lowered<KernelOf<'conv'>>): KernelText {
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const src = ctx.read(x);
  const filter = ctx.read(w);
  const b = bias ? `${ctx.read(bias)}[o]` : '0.0f';
  const epi = emitEpilogue(ctx, 'epi', spaceOf(ctx.type(y).shape), y);
  const dot = `float acc = ${b}; ${raggedTaps(geo, src, filter, 'acc = acc + line[c] * f[c];')}`;
  return {
    helpers: epi,
    body: raggedLoops(ctx, geo, `float t[8]`, `${dot} t[j] = acc;`, 'f4_load(t), f4_load(t + 4)'),
    macs: geo.m * geo.k * geo.o,
  };
}

export function raggedTaps(geo: Geometry, src: string, filter: string, inner: string): string {
  return `for (i32 ky = y_lo; ky < y_hi; ky++) for (i32 kx = x_lo; kx < x_hi; kx++) {
          const __typeof__(*${src}) *line = ${src} + ((b * ${geo.h} + y_0 + ky * ${geo.dilations[0]}) * ${geo.w} + x_0 + kx * ${geo.dilations[1]}) * ${geo.c} + o / ${geo.og} * ${geo.cg};
          const __typeof__(*${filter}) *f = ${filter} + ((o * ${geo.kh} + ky) * ${geo.kw} + kx) * ${geo.cg};
          for (i32 c = 0; c < ${geo.cg}; c++) { ${inner} }
        }`;
}

export function raggedLoops(ctx: KernelContext, geo: Geometry, declare: string, lane: string, results: string): string {
  return `${share(geo.m, 1, 'r0', 'r1')}
  for (i32 row = r0; row < r1; row++) {
    const i32 px = row % ${geo.ow}, py = row / ${geo.ow} % ${geo.oh}, b = row / ${geo.ow * geo.oh};
    ${clip('py', geo.strides[0], geo.pads[0], geo.dilations[0], geo.kh, geo.h, 'y')}
    ${clip('px', geo.strides[1], geo.pads[1], geo.dilations[1], geo.kw, geo.w, 'x')}
    for (i32 n = 0; n < ${geo.o}; n += ${NR}) {
      const i32 nv = ${geo.o} - n < ${NR} ? ${geo.o} - n : ${NR}; ${declare};
      for (i32 j = 0; j < nv; j++) { const i32 o = n + j; ${lane} }
      epi(${ctx.arguments()}, row, n, nv, ${results});
    }
  }`;
}
