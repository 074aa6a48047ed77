import type { KernelContext, KernelText } from './context.ts';
import { depthwiseShare } from './conv.ts';
import { emitRowEpilogue, spaceOf } from './epilogue.ts';
import { NR, rolled } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { NARROW } from './lanes.ts';

/**
 * Depthwise convolution with wide codes: two lines of the image at a time are copied less their zero point, with their padding, as pairs of
 * values one above the other, so that one dot product of 16 bits adds two taps of a column and every output that a pair of lines takes part
 * in finds it ready. Rows of outputs begin at the first or at the second line of a pair; there are filters for both.
 */

/** Operands, all read already. */
export interface LineDepthwise {
  readonly geo: Geometry;
  readonly src: string;
  readonly type: 'i8' | 'i16';
  /** Panels of the codes. */
  readonly filter: string;
  readonly zero: string;
  readonly zeroPerChannel: boolean;
  readonly multiplier: string;
  readonly bias: string;
  readonly y: string;
}

/** Loads and accumulators of a block that WebAssembly engines keep in registers. */
export const REGISTERS = 15;
/** Elements of a column of a pair of lines: eight channels of two. */
const COLUMN = 2 * NR;

interface Shape {
  /** Outputs of a row that are computed together. */
  readonly pixels: number;
  /** Pairs of lines that an output takes at most: so many are held. */
  readonly pairs: number;
  readonly blocks: number;
  /** Blocks of channels whose lines are held at a time. */
  readonly held: number;
  /** Columns of a line with what is beside the image, as far as tiles of outputs reach. */
  readonly columns: number;
  /** Elements of a pair of lines. */
  readonly size: number;
}

/** Channels of a cache line of bytes, in blocks: shares of whole ones read every line of the image once. */
const LINE_OF_CACHE = 64 / NR;

function shapeOf(ctx: KernelContext, { kh, kw, strides, pads, w, ow, c }: Geometry): Shape {
  const sx = strides[1];
  const fits = (n: number): boolean => kw + (n - 1) * sx + kw + n <= REGISTERS;
  const pixels = [4, 3, 2].find(fits) ?? 1;
  const columns = Math.max(pads[1] + w, (Math.ceil(ow / pixels) * pixels - 1) * sx + kw);
  const blocks = Math.ceil(c / NR);
  const pairs = Math.floor(kh / 2) + 1;
  const fit = Math.floor(ctx.tuning.blockBytes / 2 / (pairs * columns * COLUMN * 2));
  const held = Math.min(blocks, fit > LINE_OF_CACHE ? fit - (fit % LINE_OF_CACHE) : fit);
  return { pixels, pairs, blocks, held, columns, size: held * columns * COLUMN };
}

/** Whether the kernel takes it. */
export function suitsLines(ctx: KernelContext, geo: Geometry): boolean {
  return (
    geo.dilations.every((d) => d === 1) &&
    // So that every output meets the image.
    geo.pads.every((p, i) => p >= 0 && p < (i % 2 === 0 ? geo.kh : geo.kw)) &&
    geo.kw <= MOST_TAPS &&
    shapeOf(ctx, geo).held > 0
  );
}

export const MOST_TAPS = 5;

export function lineDepthwise(ctx: KernelContext, v: LineDepthwise): Pick<KernelText, 'helpers' | 'body'> {
  const { geo, src, type, zero, multiplier: mult, bias } = v;
  const { kh, kw, c, h, w, ow } = geo;
  const [sy, sx] = geo.strides;
  const shape = shapeOf(ctx, geo);
  const { pixels, pairs, blocks, held, columns, size } = shape;
  const taps = kh * kw;
  const epi = emitRowEpilogue(ctx, 'epi', spaceOf(ctx.type(v.y).shape), v.y, NARROW);
  const filters = `((i16 *)${ctx.scratch(2 * blocks * pairs * kw * COLUMN * 2)})`;
  const lines = `((i16 *)${ctx.scratch(pairs * size * 2)})`;
  const tile = `((i16 *)${ctx.scratch(16 * (Math.ceil(taps / 16) * 16 + 2))})`;
  const z = v.zeroPerChannel ? `h8_narrow(i4_load(${zero} + n), i4_load(${zero} + n + 4))` : `h8_splat((i16)*${zero})`;
  // Pairs are counted from an even number of lines above the image on.
  const above = Math.ceil(geo.pads[0] / 2) * 2;
  const k = Array.from({ length: pixels }, (_, i) => i);
  const finish = (at: string, c0: string, c1: string): string =>
    `epi(${ctx.arguments()}, row0 * ${ow} + px + ${at}, n, nv, f4_add(f4_mul(f4_from_i4(${c0}), m0), b0), f4_add(f4_mul(f4_from_i4(${c1}), m1), b1)${epi.more});`;
  const exact = ow % pixels === 0;
  const sum = (at: number | 'r', half: number): string => `i4_load(acc + 8 * ${at} + ${half})`;
  const results = exact
    ? k.map((i) => finish(`${i}`, sum(i, 0), sum(i, 4))).join(' ')
    : rolled(`(${ow} - px < ${pixels} ? ${ow} - px : ${pixels})`, finish('r', sum('r', 0), sum('r', 4)));
  const body = `i16 *const filters = ${filters}, *const lines = ${lines};
  line_filters(${v.filter}, ${tile}, filters);
  ew_fill(lines, 0, ${pairs * size * 2});
  ${depthwiseShare(ctx, geo)}
  for (i32 from0 = n0; from0 < n1; from0 += ${held * NR}) {
    const i32 to0 = from0 + ${held * NR} < n1 ? from0 + ${held * NR} : n1;
    for (i32 row0 = r0, made = -1, image = -1; row0 < r1; row0++) {
      const i32 b = row0 / ${geo.oh}, first = row0 % ${geo.oh} * ${sy} + ${above - geo.pads[0]}, from = first / 2, odd = first & 1, behind = (first + ${kh + 1}) / 2;
      /* pairs of lines that are in the image */
      const i32 lo = from > ${above / 2} ? from : ${above / 2}, hi = behind < ${((above + h + 1) / 2) | 0} ? behind : ${((above + h + 1) / 2) | 0};
      if (b != image) { image = b; made = -1; }
      for (i32 p = made < lo ? lo : made + 1; p < hi; p++) {
        const i32 y = 2 * p - ${above}; const ${type} *const s = ${src} + (b * ${h} + y) * ${w * c};
        i16 *const to = lines + p % ${pairs} * ${size} + ${geo.pads[1] * COLUMN};
        for (i32 n = from0; n < to0; n += ${NR}) line_pair(s + n, y < ${h - 1}, ${z}, to + (n - from0) / ${NR} * ${columns * COLUMN});
      }
      made = hi - 1;
      for (i32 n = from0; n < to0; n += ${NR}) {
        const i32 nv = ${c} - n < ${NR} ? ${c} - n : ${NR}; (void)nv;
        const f4 m0 = f4_load(${mult} + n), m1 = f4_load(${mult} + n + 4), b0 = f4_load(${bias} + n), b1 = f4_load(${bias} + n + 4); ${epi.setup('n')}
        const i16 *const f0 = filters + ((odd * ${blocks} + n / ${NR}) * ${pairs} + lo - from) * ${kw * COLUMN}, *const l0 = lines + (n - from0) / ${NR} * ${columns * COLUMN};
        for (i32 px = 0; px < ${ow}; px += ${pixels}) {
          i32 acc[${8 * pixels}];
          ${sums(shape, kw, sx)}
          ${results}
        }
      }
    }
  }`;
  return { helpers: `${linePair(type, w, c)}${lineFilters(geo, shape)}${epi.text}`, body };
}

/** Sums of a tile of outputs as acc[pixel][channel], of four channels at a time. Loops stay loops: engines load everything of a block before they multiply. */
function sums({ pixels, pairs, size }: Shape, kw: number, sx: number): string {
  const k = Array.from({ length: pixels }, (_, i) => i);
  const taps = Array.from({ length: kw }, (_, t) => t);
  const columns = [...new Set(k.flatMap((i) => taps.map((t) => i * sx + t)))].sort((a, b) => a - b);
  return `EW_ROLLED for (i32 q = 0; q < 8; q += 4) {
          i4 ${k.map((i) => `c${i} = i4_splat(0)`).join(', ')};
          const i16 *f = f0 + 2 * q, *end = f + (hi - lo) * ${kw * COLUMN}; i32 slot = lo % ${pairs};
          EW_POINTER(end);
          do {
            const i16 *s = l0 + slot * ${size} + px * ${sx * COLUMN} + 2 * q;
            EW_POINTER(s); EW_POINTER(f);
            const h8 ${[...taps.map((t) => `w${t} = h8_load(f + ${t * COLUMN})`), ...columns.map((x) => `x${x} = h8_load(s + ${x * COLUMN})`)].join(', ')};
            ${k.map((i) => taps.map((t) => `c${i} = i4_add(c${i}, h8_dot(x${i * sx + t}, w${t}));`).join(' ')).join('\n            ')}
            slot = slot + 1 == ${pairs} ? 0 : slot + 1; f += ${kw * COLUMN};
          } while (f != end);
          ${k.map((i) => `i4_store(acc + ${8 * i} + q, c${i});`).join(' ')}
        }`;
}

/** Eight channels of two lines, of which the lower one may be outside the image, as pairs. */
function linePair(type: 'i8' | 'i16', w: number, c: number): string {
  const load = (at: string): string => `h8_sub(${type === 'i8' ? 'h8_load_i8' : 'h8_load'}(${at}), z)`;
  const loop = (u: string, v: string): string =>
    `for (i32 x = 0; x < ${w}; x++, s += ${c}, d += ${COLUMN}) { const h8 u = ${u}, v = ${v}; h8_store(d, h8_zip_lo(u, v)); h8_store(d + ${NR}, h8_zip_hi(u, v)); }`;
  return `static void line_pair(const ${type} *s, i32 lower, h8 z, i16 *d) {
  const h8 none = h8_splat(0);
  if (lower) ${loop(load('s'), load(`s + ${w * c}`))}
  else ${loop(load('s'), 'none')}
}
`;
}

/** Panels of filters [channel][tap] -> [first or second line][channels / 8][pair][column][8 channels][2], zero where a pair has no tap. */
function lineFilters({ kh, kw, c, strides, pads }: Geometry, { blocks, pairs }: Shape): string {
  // Rows of outputs that are an even number of lines apart begin at the same line of a pair.
  const [first, last] = strides[0] % 2 === 0 ? [pads[0] & 1, pads[0] & 1] : [0, 1];
  const tap = (y: string, k: number): string => `line_tap(tile, (${y}) * ${kw} + x, ${k})`;
  const half = (k: number): string =>
    `h8_store(q + ${k}, v_or(y < 0 ? none : v_and(${tap('y', k)}, low), y + 1 < ${kh} ? i4_shl(${tap('y + 1', k)}, 16) : none));`;
  return `static i4 line_tap(const i16 *tile, i32 t, i32 k) {
  const i4 u = i4_load(tile + (t >> 1) * ${COLUMN} + k);
  return t & 1 ? i4_shr(u, 16) : u;
}
static void line_filters(const u8 *w, i16 *tile, i16 *d) {
  const i4 low = i4_splat(0xffff), none = i4_splat(0);
  for (i32 n = 0; n < ${blocks}; n++) {
    ew_panel_i16(w, n, ${c}, ${kh * kw}, tile, (i32 *)0);
    for (i32 odd = ${first}; odd <= ${last}; odd++) {
      i16 *q = d + (odd * ${blocks} + n) * ${pairs * kw * COLUMN};
      for (i32 y = -odd; y < ${kh}; y += 2) for (i32 x = 0; x < ${kw}; x++, q += ${COLUMN}) { ${half(0)} ${half(NR)} }
    }
  }
}
`;
}
