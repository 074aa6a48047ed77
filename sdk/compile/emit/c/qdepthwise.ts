import type { KernelOf } from '../../../ir/kernel.ts';
import type { Tensor } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, splitOf } from './context.ts';
import { clip, depthwiseShare } from './conv.ts';
import { lineDepthwise, suitsLines } from './dw-lines.ts';
import { quadDepthwise, suitsQuads } from './dw-quads.ts';
import { emitRowEpilogue, type RowEpilogue, spaceOf } from './epilogue.ts';
import { NR } from './gemm.ts';
import { type Geometry, geometryOf } from './geometry.ts';
import { imageLines } from './kept-lines.ts';
import { NARROW } from './lanes.ts';
import { suitsWideDepthwise, wideDepthwise } from './wide-depthwise.ts';

/** Rows of an image in a band at least: filters are made ready once a band. */
const ROWS_IN_BAND = 4;

/** Integer convolution with one filter a channel. */
export function emitQDepthwise(ctx: KernelContext, l: Lowered<KernelOf<'qconv'>>): KernelText {
  const [x, w, m, bias, zp] = l.node.inputs as [string, string, string, string, string];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const { pointer: filter, bits } = ctx.panels(w, geo.c, geo.kh * geo.kw);
  const codes = ctx.largestCodes(w);
  const safe = safeTaps(codes, geo, bits);
  const { wide } = ctx.tuning;
  const split = ctx.overlapped ? {} : { split: splitOf(geo.n * geo.oh, 1, ROWS_IN_BAND) };
  const rest = { macs: geo.m * geo.kh * geo.kw * geo.c, ...split };
  const v: Depthwise = {
    geo,
    filter,
    safe,
    src: ctx.read(x),
    from: ctx.type(x).dtype as 'i8' | 'i16',
    zero: ctx.read(zp),
    zeroPerChannel: ctx.type(zp).shape.some((d) => d > 1),
    multiplier: ctx.read(m),
    bias: ctx.read(bias),
    y,
  };
  if (wide && suitsWideDepthwise(ctx, geo)) return { ...wideDepthwise(ctx, wide, geo, { ...v, codes }), ...rest };
  const mark = ctx.scratchBytes;
  const quads =
    v.from === 'i8' && !ctx.tuning.sums && suitsQuads(geo) ? quadDepthwise(ctx, { ...v, type: v.from }) : undefined;
  const plain = quads ? ctx.instead(mark, () => plainDepthwise(ctx, v)) : plainDepthwise(ctx, v);
  if (!quads) return { ...plain, ...rest };
  return {
    helpers: `#ifdef EW_DOT7\n${quads.helpers}#endif\n${plain.helpers}`,
    body: `#ifdef EW_DOT7\n  if (ew_eight && !ew_chained) {\n  ${quads.body}\n  return;\n  }\n#endif\n  ${plain.body}`,
    ...rest,
  };
}

/** The kernel that is made of products of 16 bits. */
function plainDepthwise(ctx: KernelContext, v: Depthwise): Text {
  const { geo, safe } = v;
  const inLines = suitsLines(ctx, geo);
  const sums = v.from === 'i8' && safe >= Math.min(geo.kw, LEAST_SAFE);
  if (sums && (safe === geo.kh * geo.kw || geo.kw < LEAST_SAFE || !inLines)) return summed(ctx, v);
  return inLines ? lineDepthwise(ctx, { ...v, type: v.from }) : paired(ctx, v);
}

/** C expressions of what a kernel reads, and the value that it makes. */
interface Depthwise {
  readonly geo: Geometry;
  readonly filter: string;
  /** Taps whose products are summed in 16 bits: all of them, or those of a piece of a row. */
  readonly safe: number;
  readonly src: string;
  readonly from: 'i8' | 'i16';
  readonly zero: string;
  readonly zeroPerChannel: boolean;
  readonly multiplier: string;
  readonly bias: string;
  readonly y: string;
}

type Text = Pick<KernelText, 'helpers' | 'body'>;

/**
 * Taps whose products with i8 sum up to 16 bits at most: all of a filter, or those of pieces of its rows, as the codes are; where they
 * may change, as codes of that many bits may be.
 */
function safeTaps(codes: Tensor['data'] | undefined, { kh, kw }: Geometry, bits: number): number {
  const least = Math.floor(MOST_WEIGHT / (2 ** (bits - 1) - 1));
  const taps = kh * kw;
  if (!codes || least >= taps) return Math.min(least, taps);
  const fits = (from: number, to: number): boolean => {
    let [up, down] = [0, 0];
    for (let i = from; i < to; i++) {
      const q = Number(codes[i]);
      if (q > 0) up += q;
      else down -= q;
    }
    return up * 127 + down * 128 <= 32767 && up * 128 + down * 127 <= 32768;
  };
  const all = (row: number, piece: number): boolean => {
    for (let r = 0; r < codes.length; r += row)
      for (let i = 0; i < row; i += piece) if (!fits(r + i, r + Math.min(i + piece, row))) return false;
    return true;
  };
  if (all(taps, taps)) return taps;
  for (let piece = kw; piece > least; piece--) if (all(kw, piece)) return piece;
  return Math.min(least, kw);
}

/** Where fewer taps of a row than this can be summed, pairs of 32 bits are no slower. */
const LEAST_SAFE = 4;

/** Largest sum of magnitudes of codes for which sums of their products with i8 fit 16 bits. */
const MOST_WEIGHT = Math.floor(32767 / 128);

/** Loads and accumulators of a block that WebAssembly engines keep in registers. */
const REGISTERS = 15;

/**
 * Activations of 8 bits and narrow codes: products and their sums stay in 16 bits for as many taps as cannot overflow, by the width of the codes. What
 * the zero point adds is the same for all pixels of a row but the clipped ones, and is taken back at the end.
 */
function summed(ctx: KernelContext, v: Depthwise): Text {
  const { geo, src, filter: panels, safe, multiplier: mult, bias: b, zero } = v;
  const { kh, kw, c } = geo;
  const cpad = Math.ceil(c / NR) * NR;
  const taps = kh * kw;
  const epi = emitRowEpilogue(ctx, 'epi', spaceOf(ctx.type(v.y).shape), v.y, NARROW);
  const filters = `((i16 *)${ctx.scratch(taps * cpad * 2)})`;
  const shifts = `((i32 *)${ctx.scratch((kh + 1) * cpad * 4)})`;
  const tile = `((i16 *)${ctx.scratch(16 * Math.ceil(taps / 16) * 16)})`;
  const row: RowOfTaps = {
    kw,
    cpad,
    dx: geo.dilations[1],
    sx: geo.strides[1],
    c,
    safe,
  };
  const pixels = pixelsOf(row, taps);
  const image = imageLines(ctx, geo, src, 'i8');
  const zeros = (k: number): string => (v.zeroPerChannel ? `i4_load(${zero} + n + ${k})` : `i4_splat(*${zero})`);
  const rows = (text: string): string => `for (i32 ky = y_lo; ky < y_hi; ky++) {
            const i8 *s = ${image.at};
            const i16 *f = ${filters} + ky * ${kw * cpad} + n;
            ${text}
          }`;
  const finish = finisher(ctx, geo, epi);
  const less = (pixel: number, half: 0 | 1): string => `i4_sub(c${pixel}${half}, z${half})`;
  const inside = (count: number): string => {
    const all = Array.from({ length: count }, (_, k) => k);
    const whole = row.safe === taps;
    const sums = all.map((k) => (whole ? `h8 a${k} = h8_splat(0);` : `i4 c${k}0 = i4_splat(0), c${k}1 = c${k}0;`));
    const widen = all.map((k) => `const i4 c${k}0 = i4_extend_lo(a${k}), c${k}1 = i4_extend_hi(a${k});`);
    return `const i4 z0 = i4_load(zs + n), z1 = i4_load(zs + n + 4); ${sums.join(' ')}
          ${rows(rowText(row, count, whole))}
          ${whole ? widen.join(' ') : ''} ${count > 1 ? all.map((k) => finish(k, less(k, 0), less(k, 1))).join('\n          ') : `i4_store(acc, ${less(0, 0)}); i4_store(acc + 4, ${less(0, 1)});`}`;
  };
  const border = `i4 c0 = i4_splat(0), c1 = c0; h8 sum = h8_splat(0);
          ${rows(`for (i32 kx = x_lo; kx < x_hi; kx++) {
              const h8 q = h8_load(f + kx * ${cpad}), v = h8_mul(h8_load_i8(s + kx * ${row.dx * c}), q);
              sum = h8_add(sum, q); c0 = i4_add(c0, i4_extend_lo(v)); c1 = i4_add(c1, i4_extend_hi(v));
            }`)}
          i4_store(acc, i4_sub(c0, i4_mul(${zeros(0)}, i4_extend_lo(sum)))); i4_store(acc + 4, i4_sub(c1, i4_mul(${zeros(4)}, i4_extend_hi(sum))));`;
  const body = `tap_filters(${panels}, ${tile}, ${filters});
  i32 *const shifts = ${shifts}, *const clipped = shifts + ${kh * cpad};
  for (i32 n = 0; n < ${cpad}; n += ${NR}) {
    const i4 p0 = ${zeros(0)}, p1 = ${zeros(4)}; i4 t0 = i4_splat(0), t1 = t0;
    for (i32 ky = 0; ky < ${kh}; ky++) {
      h8 sum = h8_splat(0);
      for (i32 kx = 0; kx < ${kw}; kx++) sum = h8_add(sum, h8_load(${filters} + (ky * ${kw} + kx) * ${cpad} + n));
      t0 = i4_add(t0, i4_mul(p0, i4_extend_lo(sum))); t1 = i4_add(t1, i4_mul(p1, i4_extend_hi(sum)));
      i4_store(shifts + ky * ${cpad} + n, t0); i4_store(shifts + ky * ${cpad} + n + 4, t1);
    }
  }
  ${depthwiseShare(ctx, geo)}
  ${image.setup}
  for (i32 row0 = r0; row0 < r1; row0++) {
    const i32 py = row0 % ${geo.oh}, b = row0 / ${geo.oh};
    ${clip('py', geo.strides[0], geo.pads[0], geo.dilations[0], kh, geo.h, 'y')}
    ${image.row}
    /* rows are summed up from the first one on */
    const i32 *zs = shifts + (y_hi - 1) * ${cpad};
    if (y_lo > 0 || y_hi == 0) {
      for (i32 n = 0; n < ${cpad}; n += 4)
        i4_store(clipped + n, y_hi <= y_lo ? i4_splat(0) : i4_sub(i4_load(zs + n), i4_load(shifts + (y_lo - 1) * ${cpad} + n)));
      zs = clipped;
    }
    for (i32 px = 0; px < ${geo.ow};) {
      const i32 x_0 = px * ${row.sx} - ${geo.pads[1]}, last = x_0 + ${(kw - 1) * row.dx};
      const i32 count = x_0 < 0 || last >= ${geo.w} ? 0 : px + ${pixels} <= ${geo.ow} && last + ${(pixels - 1) * row.sx} < ${geo.w} ? ${pixels} : 1;
      for (i32 n = n0; n < n1; n += ${NR}) {
        const i32 nv = ${c} - n < ${NR} ? ${c} - n : ${NR}; (void)nv;
        const f4 m0 = f4_load(${mult} + n), m1 = f4_load(${mult} + n + 4), b0 = f4_load(${b} + n), b1 = f4_load(${b} + n + 4); ${epi.setup('n')}
        ${pixels > 1 ? `if (count > 1) { ${inside(pixels)} continue; }` : ''}
        i32 acc[8];
        if (count == 1) {
          ${inside(1)}
        } else {
          const i32 x_lo = x_0 < 0 ? (-x_0 + ${row.dx - 1}) / ${row.dx} : 0;
          i32 x_hi = last >= ${geo.w} ? (${geo.w} - x_0 + ${row.dx - 1}) / ${row.dx} : ${kw}; if (x_hi < x_lo) x_hi = x_lo;
          ${border}
        }
        ${finish(0, 'i4_load(acc)', 'i4_load(acc + 4)')}
      }
      px += count > 1 ? count : 1;
    }
  }`;
  return { helpers: `${image.helpers}${tapFilters(geo, cpad)}${epi.text}`, body };
}

/** C text of what becomes of the sums of pixel px + `pixel`. */
function finisher(
  ctx: KernelContext,
  { ow }: Geometry,
  epi: RowEpilogue,
): (pixel: number, c0: string, c1: string) => string {
  return (pixel, c0, c1) =>
    `epi(${ctx.arguments()}, row0 * ${ow} + px${pixel ? ` + ${pixel}` : ''}, n, nv, f4_add(f4_mul(f4_from_i4(${c0}), m0), b0), f4_add(f4_mul(f4_from_i4(${c1}), m1), b1)${epi.more});`;
}

/** A row of a filter, in pixels: taps, their distance, that of two outputs; how many products are summed in 16 bits. */
interface RowOfTaps {
  readonly kw: number;
  readonly cpad: number;
  readonly dx: number;
  readonly sx: number;
  readonly c: number;
  readonly safe: number;
}

/** Columns of the image that `count` pixels next to each other read. */
function columnsOf({ kw, dx, sx }: RowOfTaps, count: number): number[] {
  const columns = new Set<number>();
  for (let k = 0; k < count; k++) for (let t = 0; t < kw; t++) columns.add(k * sx + t * dx);
  return [...columns].sort((a, b) => a - b);
}

/** Pixels computed together, so that taps and columns are loaded once for all of them. */
function pixelsOf(row: RowOfTaps, taps: number): number {
  const sums = row.safe === taps ? 1 : 2;
  const fits = (n: number): boolean => row.kw + columnsOf(row, n).length + sums * n <= REGISTERS;
  return [4, 3, 2].find(fits) ?? 1;
}

/** The products of a row of taps for `count` pixels, added to a<k>, or widened and added to c<k>0 and c<k>1. */
function rowText(row: RowOfTaps, count: number, whole: boolean): string {
  const taps = Array.from({ length: row.kw }, (_, t) => t);
  const loads = [
    ...taps.map((t) => `const h8 f${t} = h8_load(f + ${t * row.cpad});`),
    ...columnsOf(row, count).map((x) => `const h8 x${x} = h8_load_i8(s + ${x * row.c});`),
  ];
  const product = (k: number, t: number): string => `h8_mul(x${k * row.sx + t * row.dx}, f${t})`;
  const sum = (terms: readonly string[]): string => terms.reduce((a, b) => `h8_add(${a}, ${b})`);
  const pixel = (k: number): string => {
    if (whole) return `a${k} = ${sum([`a${k}`, ...taps.map((t) => product(k, t))])};`;
    const chunks = Array.from({ length: Math.ceil(row.kw / row.safe) }, (_, i) =>
      taps.slice(i * row.safe, (i + 1) * row.safe),
    );
    const add = (chunk: number[]): string =>
      `{ const h8 v = ${sum(chunk.map((t) => product(k, t)))}; c${k}0 = i4_add(c${k}0, i4_extend_lo(v)); c${k}1 = i4_add(c${k}1, i4_extend_hi(v)); }`;
    return chunks.map(add).join(' ');
  };
  return `${loads.join(' ')} ${Array.from({ length: count }, (_, k) => pixel(k)).join(' ')}`;
}

/** Panels of filters [channel][tap] -> [tap][channel] i16. */
function tapFilters(geo: Geometry, cpad: number): string {
  const taps = geo.kh * geo.kw;
  return `static void tap_filters(const u8 *w, i16 *tile, i16 *d) {
  for (i32 n = 0; n < ${cpad}; n += ${NR}) {
    ew_panel_i16(w, n / ${NR}, ${geo.c}, ${taps}, tile, (i32 *)0);
    for (i32 t = 0; t < ${taps}; t++) {
      const i4 u = i4_load(tile + (t >> 1) * 16), v = i4_load(tile + (t >> 1) * 16 + 8);
      h8_store(d + t * ${cpad} + n, t & 1 ? h8_narrow(i4_shr(u, 16), i4_shr(v, 16)) : h8_narrow(i4_shr(i4_shl(u, 16), 16), i4_shr(i4_shl(v, 16), 16)));
    }
  }
}
`;
}

/** Pixels that the kernel with pairs computes together. */
const DW_PIXELS = 2;

/**
 * Wide codes or activations: taps paired along x so that one i16 dot product adds two of them. Taps outside the image contribute
 * nothing, which is what x = zp would.
 */
function paired(ctx: KernelContext, v: Depthwise): Text {
  const { geo, src, filter, multiplier: mult, bias: b, zero } = v;
  const load = v.from === 'i8' ? 'h8_load_i8' : 'h8_load';
  const cpad = Math.ceil(geo.c / NR) * NR;
  const pairs = Math.ceil(geo.kw / 2);
  const taps = geo.kh * geo.kw;
  const epi = emitRowEpilogue(ctx, 'epi', spaceOf(ctx.type(v.y).shape), v.y, NARROW);
  const fw = ctx.scratch(geo.kh * pairs * cpad * 4);
  const tile = ctx.scratch(16 * (Math.ceil(taps / 16) * 16 + 2));
  const sums = ctx.scratch(32);
  const dx = geo.dilations[1] * geo.c;
  const step = geo.strides[1] * geo.c;
  const image = imageLines(ctx, geo, src, v.from);
  const helpers = `${image.helpers}${pairFilters(geo, cpad, pairs)}${epi.text}`;
  const z = v.zeroPerChannel
    ? `const h8 z = h8_narrow(i4_load(${zero} + n), i4_load(${zero} + n + 4));`
    : `const h8 z = h8_splat((i16)*${zero});`;
  const finish = finisher(ctx, geo, epi);
  const accumulate = (pixels: number, kxLoop: (body: (pair: string, second: boolean) => string) => string): string => {
    const px = Array.from({ length: pixels }, (_, k) => k);
    const body = (f: string, second: boolean): string =>
      `{ const h8 f0 = h8_load(${f}), f1 = h8_load(${f} + 8); ${px
        .map((k) => {
          const u = `h8_sub(${load}(s + ${k * step}), z)`;
          const v = second ? `h8_sub(${load}(s + ${k * step + dx}), z)` : 'h8_splat(0)';
          return `{ const h8 u = ${u}, v = ${v}; c${k}0 = i4_add(c${k}0, h8_dot(h8_zip_lo(u, v), f0)); c${k}1 = i4_add(c${k}1, h8_dot(h8_zip_hi(u, v), f1)); }`;
        })
        .join(' ')} }`;
    return `${px.map((k) => `i4 c${k}0 = i4_splat(0), c${k}1 = i4_splat(0);`).join(' ')}
          for (i32 ky = y_lo; ky < y_hi; ky++) {
            const ${v.from} *s = ${image.at};
            const i16 *f = fw + ky * ${pairs * cpad * 2} + n * 2;
            ${kxLoop(body)}
          }
          ${pixels > 1 ? px.map((k) => finish(k, `c${k}0`, `c${k}1`)).join('\n          ') : 'i4_store(acc, c00); i4_store(acc + 4, c01);'}`;
  };
  const inside = (pixels: number): string =>
    accumulate(pixels, (body) => {
      const taps = Array.from({ length: pairs }, (_, p) => body(`f + ${p * cpad * 2}`, 2 * p + 1 < geo.kw));
      return taps.join(`\n            s += ${2 * dx};\n            `);
    });
  const border = accumulate(1, () => borderTaps(load, dx, cpad));
  const body = `i16 *fw = (i16 *)${fw};
  pair_filters(${filter}, (i16 *)${tile}, (i32 *)${sums}, fw);
  ${depthwiseShare(ctx, geo)}
  ${image.setup}
  for (i32 row0 = r0; row0 < r1; row0++) {
    const i32 py = row0 % ${geo.oh}, b = row0 / ${geo.oh};
    ${clip('py', geo.strides[0], geo.pads[0], geo.dilations[0], geo.kh, geo.h, 'y')}
    ${image.row}
    for (i32 px = 0; px < ${geo.ow};) {
      const i32 x_0 = px * ${geo.strides[1]} - ${geo.pads[1]};
      const i32 last = x_0 + ${(geo.kw - 1) * geo.dilations[1]};
      const i32 inside = x_0 >= 0 && last < ${geo.w};
      const i32 two = inside && px + 1 < ${geo.ow} && last + ${geo.strides[1]} < ${geo.w};
      for (i32 n = n0; n < n1; n += ${NR}) {
        const i32 nv = ${geo.c} - n < ${NR} ? ${geo.c} - n : ${NR}; (void)nv;
        ${z}
        const f4 m0 = f4_load(${mult} + n), m1 = f4_load(${mult} + n + 4), b0 = f4_load(${b} + n), b1 = f4_load(${b} + n + 4); ${epi.setup('n')}
        if (two) { ${inside(DW_PIXELS)} continue; }
        i32 acc[8];
        if (inside) {
          ${inside(1)}
        } else {
          const i32 x_lo = x_0 < 0 ? (-x_0 + ${geo.dilations[1] - 1}) / ${geo.dilations[1]} : 0;
          i32 x_hi = last >= ${geo.w} ? (${geo.w} - x_0 + ${geo.dilations[1] - 1}) / ${geo.dilations[1]} : ${geo.kw}; if (x_hi < x_lo) x_hi = x_lo;
          ${border}
        }
        ${finish(0, 'i4_load(acc)', 'i4_load(acc + 4)')}
      }
      px += two ? 2 : 1;
    }
  }`;
  return { helpers, body };
}

/** One tap at a time: the pair's other half is multiplied by a zero activation. */
function borderTaps(load: string, dx: number, cpad: number): string {
  return `for (i32 kx = x_lo; kx < x_hi; kx++) {
              const h8 t = h8_sub(${load}(s + kx * ${dx}), z), o = h8_splat(0);
              const h8 u = kx & 1 ? o : t, v = kx & 1 ? t : o;
              const i16 *g = f + (kx >> 1) * ${cpad * 2};
              c00 = i4_add(c00, h8_dot(h8_zip_lo(u, v), h8_load(g))); c01 = i4_add(c01, h8_dot(h8_zip_hi(u, v), h8_load(g + 8)));
            }`;
}

/**
 * Panels of filters [channel][tap] -> [ky][pair][channel][2] i16, zero where a row has an odd number of taps. A tile has its taps in
 * pairs from the first one on, [tap / 2][8 channels][2]; a pair that begins at an odd tap lies across two of those.
 */
function pairFilters(geo: Geometry, cpad: number, pairs: number): string {
  const half = (k: number): string => {
    const even = `h8_load(u + ${k})`;
    const odd = `v_or(v_and(i4_shr(${even}, 16), low), i4_shl(h8_load(u + ${16 + k}), 16))`;
    const last = `v_and(v, low)`;
    return `{ const h8 v = t & 1 ? ${odd} : ${even}; h8_store(q + ${k}, both ? v : ${last}); }`;
  };
  return `static void pair_filters(const u8 *w, i16 *tile, i32 *sums, i16 *d) {
  const i4 low = i4_splat(0xffff);
  for (i32 c = 0; c < ${cpad}; c += ${NR}) {
    ew_panel_i16(w, c / ${NR}, ${geo.c}, ${geo.kh * geo.kw}, tile, sums);
    for (i32 ky = 0; ky < ${geo.kh}; ky++) for (i32 p = 0; p < ${pairs}; p++) {
      const i32 t = ky * ${geo.kw} + 2 * p, both = 2 * p + 1 < ${geo.kw};
      const i16 *u = tile + (t >> 1) * 16; i16 *q = d + ((ky * ${pairs} + p) * ${cpad} + c) * 2;
      ${half(0)} ${half(8)}
    }
  }
}
`;
}
