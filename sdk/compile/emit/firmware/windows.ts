import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, splitOf } from '../c/context.ts';
import { clip } from '../c/conv.ts';
import { spaceOf } from '../c/epilogue.ts';
import { NR } from '../c/gemm.ts';
import { type Geometry, geometryOf } from '../c/geometry.ts';
import { emitEpilogue, scratchOf, sourceOf, zeroOf } from './epilogue.ts';

/** Windows that slide over every channel by itself: depthwise convolutions and pools. */

/** Rows of a depthwise image in a band at least: filters are made ready once a band. */
const ROWS_IN_BAND = 4;

/**
 * Integer depthwise: eight channels at a time over all pixels of rows m0 .. m1 - 1. Sums of the taps that are inside of the image, less
 * the same sum over zero points, which is the same for all pixels with those taps: it is kept for the left edge, the right one and between.
 */
export function emitQDepthwise(ctx: KernelContext, l: Lowered<KernelOf<'qconv'>>): KernelText {
  const [x, w, m, bias, zp] = l.node.inputs as [string, string, string, string, string];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const type = ctx.cType(x) as 'i8' | 'i16';
  const src = ctx.read(x);
  const taps = geo.kh * geo.kw;
  const { pointer: panels } = ctx.panels(w, geo.c, taps);
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const [mult, b] = [ctx.read(m), ctx.read(bias)];
  const tile = scratchOf(ctx, 'i8', NR * Math.ceil(taps / 16) * 16);
  const filter = scratchOf(ctx, 'i8', NR * taps);
  const [dy, dx] = geo.dilations;
  const lines = imageLines(ctx, geo, src, type);
  const window = (at: string, xs: number, step: number, f: string, size: string, from: string, to: string): string =>
    `ew_window8_${type}(${at}, ${xs}, ${step}, ${f}, ${geo.kw * NR}, ${size}, ${from}, ${to});`;
  const body = `for (i32 n = 0; n < ${geo.c}; n += ${NR}) {
    const i32 nv = ${geo.c} - n < ${NR} ? ${geo.c} - n : ${NR};
    ${type} zero[${NR}];
    i32 less[3][${NR}], known[3] = {-1, -1, -1}, acc[${NR}];
    ew_panel(${panels}, n / ${NR}, ${geo.c}, ${taps}, ${tile});
    ew_columns(${tile}, ${taps}, ${filter});
    for (i32 j = 0; j < ${NR}; j++) zero[j] = (${type})(j < nv ? ${zeroOf(ctx, zp, 'n + j')} : 0);
    for (i32 row0 = m0; row0 < m1; row0++) {
      const i32 py = row0 % ${geo.oh}, b = row0 / ${geo.oh};
      ${clip('py', geo.strides[0], geo.pads[0], dy, geo.kh, geo.h, 'y')}
      ${lines.row}
      for (i32 px = 0; px < ${geo.ow}; px++) {
        ${clip('px', geo.strides[1], geo.pads[1], dx, geo.kw, geo.w, 'x')}
        const i8 *f = ${filter} + (y_lo * ${geo.kw} + x_lo) * ${NR};
        const i32 rows = y_hi - y_lo, cols = x_hi - x_lo;
        const i32 place = x_lo > 0 ? 0 : cols < ${geo.kw} ? 1 : 2, inside = ((y_lo * ${geo.kh + 1} + rows) * ${geo.kw + 1} + x_lo) * ${geo.kw + 1} + cols;
        if (known[place] != inside) {
          ${window('zero', 0, 0, 'f', 'rows, cols', 'ew_none', 'less[place]')}
          for (i32 j = 0; j < ${NR}; j++) less[place][j] = -less[place][j];
          known[place] = inside;
        }
        ${window(`${lines.from} + ((${lines.first} + y_lo * ${dy}) * ${geo.w} + x_0 + x_lo * ${dx}) * ${lines.c}`, dy * geo.w * lines.c, dx * lines.c, 'f', 'rows, cols', 'less[place]', 'acc')}
        for (i32 j = 0; j < nv; j++) epi(${ctx.arguments()}, row0 * ${geo.ow} + px, n + j, f4_add(f4_mul(f4_from_i4(i4_splat(acc[j])), f4_load(${mult} + n + j)), f4_load(${b} + n + j)));
      }
    }
  }`;
  const rest = { helpers: epi, macs: geo.m * taps * geo.c };
  if (ctx.overlapped) return { ...rest, body: wholeImage(geo, body) };
  return { ...rest, body, split: splitOf(geo.n * geo.oh, 1, ROWS_IN_BAND) };
}

/** Where a block of eight channels is read. */
interface ImageLines {
  /** Makes the lines ready that a row of results takes. */
  readonly row: string;
  readonly from: string;
  /** First line, counted from `from`, that taps of the first row meet; elements from one pixel to the next. */
  readonly first: string;
  readonly c: number;
}

/** Lines as they lie, or, where results are written over them, copies of as many as a row of results takes: those it shares with the row before move up. */
function imageLines(ctx: KernelContext, geo: Geometry, src: string, type: 'i8' | 'i16'): ImageLines {
  const { h, w, c } = geo;
  if (!ctx.overlapped) return { row: '', from: `${src} + n`, first: `b * ${h} + y_0`, c };
  const count = (geo.kh - 1) * geo.dilations[0] + 1;
  const bytes = type === 'i8' ? 1 : 2;
  const kept = scratchOf(ctx, type, count * w * NR);
  const shared = Math.max(0, count - geo.strides[0]);
  const pixel = (i: string, x = '0'): string => `${kept} + ((${i}) * ${w} + ${x}) * ${NR}`;
  const moved = `for (i32 i = 0; i < ${shared}; i++) ew_copy(${pixel('i')}, ${pixel(`i + ${geo.strides[0]}`)}, ${w * NR * bytes});`;
  const row = `${shared > 0 ? `if (py > 0) ${moved}` : ''}
      for (i32 i = py > 0 ? ${shared} : 0; i < ${count}; i++)
        if (y_0 + i >= 0 && y_0 + i < ${h})
          for (i32 x = 0; x < ${w}; x++) ew_copy(${pixel('i', 'x')}, ${src} + ((b * ${h} + y_0 + i) * ${w} + x) * ${c} + n, ${NR * bytes});`;
  return { row, from: kept, first: '0', c: NR };
}

const wholeImage = (geo: Geometry, body: string): string => `const i32 m0 = 0, m1 = ${geo.n * geo.oh};\n  ${body}`;

/** f32 filter a channel: taps in (ky, kx) order, taps outside the image skipped. */
export function emitDepthwise(ctx: KernelContext, l: Lowered<KernelOf<'conv'>>): KernelText {
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const src = ctx.read(x);
  const taps = geo.kh * geo.kw;
  const filter = ctx.weight(w, { kind: 'transposed', rows: geo.c, cols: taps, multiple: NR });
  const pitch = Math.ceil(geo.c / NR) * NR;
  const start = bias ? `${ctx.read(bias)}[n]` : '0.0f';
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const body = overWindows(geo.c, geo, {
    spec: l.spec,
    kernel: [geo.kh, geo.kw],
    from: 'float',
    pointer: src,
    start: `float acc = ${start};`,
    tap: `acc = acc + *s * ${filter}[(ky * ${geo.kw} + kx) * ${pitch} + n];`,
    done: `epi(${ctx.arguments()}, row, n, f4_splat(acc));`,
  });
  return { helpers: epi, body, macs: geo.m * taps * geo.c };
}

interface Sizes {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly oh: number;
  readonly ow: number;
}

interface Windows {
  readonly spec: Pick<KernelOf<'pool'>, 'strides' | 'pads' | 'dilations'>;
  readonly kernel: readonly [number, number];
  readonly from: string;
  readonly pointer: string;
  readonly start: string;
  /** With the tap at `s`. */
  readonly tap: string;
  readonly done: string;
}

/** Loops over output pixels, channels and the taps inside of the image. A pixel's windows are read before the next pixel is written. */
function overWindows(c: number, { n, h, w, oh, ow }: Sizes, t: Windows): string {
  const { strides, pads, dilations } = t.spec;
  return `for (i32 row = 0; row < ${n * oh * ow}; row++) {
    const i32 px = row % ${ow}, py = row / ${ow} % ${oh}, b = row / ${oh * ow};
    ${clip('py', strides[0], pads[0], dilations[0], t.kernel[0], h, 'y')}
    ${clip('px', strides[1], pads[1], dilations[1], t.kernel[1], w, 'x')}
    for (i32 n = 0; n < ${c}; n++) {
      ${t.start}
      for (i32 ky = y_lo; ky < y_hi; ky++) for (i32 kx = x_lo; kx < x_hi; kx++) {
        const ${t.from} *s = ${t.pointer} + ((b * ${h} + y_0 + ky * ${dilations[0]}) * ${w} + x_0 + kx * ${dilations[1]}) * ${c} + n;
        ${t.tap}
      }
      ${t.done}
    }
  }`;
}

/** Maximum or mean over windows of an NHWC image. Codes of one scale are ordered as what they stand for. */
export function emitPool(ctx: KernelContext, l: Lowered<KernelOf<'pool'>>): KernelText {
  const [x, y] = [l.node.inputs[0]!, l.node.outputs[0]!];
  const { fn, kernel, pads, countIncludePad } = l.spec;
  const [, h, w, c] = ctx.type(x).shape as [number, number, number, number];
  const [n, oh, ow] = ctx.type(y).shape as [number, number, number];
  const sizes = { n, h, w, oh, ow };
  if (ctx.type(x).dtype !== 'f32') {
    const body = overWindows(c, sizes, {
      spec: l.spec,
      kernel,
      from: ctx.cType(x),
      pointer: ctx.read(x),
      start: `${ctx.cType(x)} best = ${ctx.cType(x) === 'i8' ? '-128' : '-32768'};`,
      tap: 'if (*s > best) best = *s;',
      done: `${ctx.write(y)}[row * ${c} + n] = best;`,
    });
    return { helpers: '', body, macs: 0 };
  }
  const source = sourceOf(ctx, x);
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const step = fn === 'max' ? 'f4_max' : 'f4_add';
  // A window that hangs over the padded image on the far side counts only up to the padding.
  const count = countIncludePad
    ? `(float)((y_0 + ${kernel[0]} < ${h + pads[2]} ? ${kernel[0]} : ${h + pads[2]} - y_0) * (x_0 + ${kernel[1]} < ${w + pads[3]} ? ${kernel[1]} : ${w + pads[3]} - x_0))`
    : '(float)((y_hi - y_lo) * (x_hi - x_lo))';
  const body = overWindows(c, sizes, {
    spec: l.spec,
    kernel,
    from: source.type,
    pointer: source.pointer,
    start: `f4 acc = f4_splat(${fn === 'max' ? '-EW_INFINITY' : '0.0f'});`,
    tap: `acc = ${step}(acc, ${source.at('s', 'n')});`,
    done: `epi(${ctx.arguments()}, row, n, ${fn === 'max' ? 'acc' : `f4_div(acc, f4_splat(${count}))`});`,
  });
  return { helpers: epi, body, macs: 0 };
}
