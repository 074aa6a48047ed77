import type { KernelContext, KernelText } from './context.ts';
import { depthwiseShare } from './conv.ts';
import { type LineDepthwise, MOST_TAPS, REGISTERS } from './dw-lines.ts';
import { emitRowEpilogue, spaceOf } from './epilogue.ts';
import { NR } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { NARROW } from './lanes.ts';

/**
 * Depthwise convolution with the dot product of bytes, for engines that take 8 bits in it: four lines of the image at a time are copied with their
 * padding, a column's four values of a channel one above the other, so that one instruction adds four taps of four channels. Rows of outputs
 * begin at any of the four lines; there are filters for all that occur. Outside the image lies the zero point, so that its share of the
 * sums of a quad is the same everywhere. Codes are the signed operand, activations the one that may have to be without a sign.
 */

/** Lines in a quad. */
const LINES = 4;
/** Bytes of a column of a quad: eight channels of four. */
const COLUMN = LINES * NR;

interface Shape {
  /** Outputs of a row that are computed together. */
  readonly pixels: number;
  /** Lines above the image from which quads are counted. */
  readonly above: number;
  /** Lines of a quad at which rows of outputs begin. */
  readonly begins: readonly number[];
  /** Quads that an output takes at most: so many are held. */
  readonly quads: number;
  readonly blocks: number;
  /** Blocks of channels whose lines are held at a time. */
  readonly held: number;
  /** Columns of a line with what is beside the image. */
  readonly columns: number;
  /** Bytes of a quad. */
  readonly size: number;
}

/** Bytes of quads that stay in the nearest cache next to what is read and written. */
const NEAR = 24576;

function shapeOf({ kh, kw, strides, pads, w, oh, ow, c }: Geometry): Shape {
  const [sy, sx] = strides;
  const fits = (n: number): boolean => kw + (n - 1) * sx + kw + n <= REGISTERS;
  const pixels = Math.min(ow, [4, 3, 2].find(fits) ?? 1);
  const columns = Math.max(pads[1] + w, (ow - 1) * sx + kw);
  const above = Math.ceil(pads[0] / LINES) * LINES;
  const rows = Array.from({ length: Math.min(LINES, oh) }, (_, row) => row);
  const begins = [...new Set(rows.map((row) => (row * sy + above - pads[0]) % LINES))].sort();
  const quads = Math.ceil((begins.at(-1)! + kh) / LINES);
  const blocks = Math.ceil(c / NR);
  const held = Math.min(blocks, Math.max(1, Math.floor(NEAR / (quads * columns * COLUMN))));
  return { pixels, above, begins, quads, blocks, held, columns, size: held * columns * COLUMN };
}

/** Whether the kernel takes it. */
export function suitsQuads(geo: Geometry): boolean {
  return (
    geo.dilations.every((d) => d === 1) &&
    // So that every output meets the image.
    geo.pads.every((p, i) => p >= 0 && p < (i % 2 === 0 ? geo.kh : geo.kw)) &&
    geo.kh > 1 &&
    geo.kw <= MOST_TAPS
  );
}

export function quadDepthwise(ctx: KernelContext, v: LineDepthwise): Pick<KernelText, 'helpers' | 'body'> {
  const { geo, src, zero, multiplier: mult, bias } = v;
  const { kh, kw, c, h, w, ow } = geo;
  const [sy, sx] = geo.strides;
  const shape = shapeOf(geo);
  const { pixels, above, begins, quads, blocks, held, columns, size } = shape;
  const epi = emitRowEpilogue(ctx, 'quad_epi', spaceOf(ctx.type(v.y).shape), v.y, NARROW);
  const filters = ctx.scratch(begins.length * blocks * quads * kw * COLUMN);
  const lines = ctx.scratch(quads * size);
  const none = ctx.scratch(blocks * NR + 8);
  const sums = ctx.scratch(begins.length * blocks * quads * NR * 4);
  const room = ctx.scratch(panelBytes(geo) + Math.ceil((kh * kw) / 16) * 16 * NR * 4);
  const finish = (at: number): string =>
    `quad_epi(${ctx.arguments()}, row0 * ${ow} + px + ${at}, n, nv, f4_add(f4_mul(f4_from_i4(c${at}0), m0), b0), f4_add(f4_mul(f4_from_i4(c${at}1), m1), b1)${epi.more});`;
  const tile = (count: number): string => {
    const k = Array.from({ length: count }, (_, i) => i);
    return `${[0, 1].map((half) => tileSums(shape, kw, sx, k, half)).join('\n          ')}
          ${k.map(finish).join(' ')}`;
  };
  const rest = ow % pixels;
  const line = (k: number): string =>
    `const i32 y${k} = y + ${k}; const i8 *const s${k} = y${k} >= 0 && y${k} < ${h} ? ${src} + (b * ${h} + y${k}) * ${w * c} : none; const i32 d${k} = s${k} == none ? 0 : ${c};`;
  const body = `const i32 up = ew_eight == 1 ? 128 : 0; const b16 flip = b16_splat((i8)up);
  u8 *const filters = ${filters}, *const lines = ${lines}; i8 *const none = (i8 *)${none}; i32 *const sums = (i32 *)${sums};
  quad_filters(${v.filter}, ${room}, filters, sums);
  for (i32 n = 0; n < ${blocks * NR}; n += ${NR}) {
    ${v.zeroPerChannel ? `const h8 z = h8_narrow(i4_load(${zero} + n), i4_load(${zero} + n + 4));` : `const h8 z = h8_splat((i16)*${zero});`} b16_store_lo8(none + n, b16_narrow(z, z));
    const i4 t0 = i4_sub(i4_splat(-up), i4_extend_lo(z)), t1 = i4_sub(i4_splat(-up), i4_extend_hi(z)); i32 *q = sums + n * ${quads};
    for (i32 k = 0; k < ${begins.length}; k++, q += ${(blocks - 1) * quads * NR}) for (i32 p = 0; p < ${quads}; p++, q += ${NR}) { i4_store(q, i4_mul(i4_load(q), t0)); i4_store(q + 4, i4_mul(i4_load(q + 4), t1)); }
  }
  ${depthwiseShare(ctx, geo)}
  for (i32 from0 = n0; from0 < n1; from0 += ${held * NR}) {
    const i32 to0 = from0 + ${held * NR} < n1 ? from0 + ${held * NR} : n1;
    for (i32 row0 = r0, made = -1, image = -1; row0 < r1; row0++) {
      const i32 b = row0 / ${geo.oh}, first = row0 % ${geo.oh} * ${sy} + ${above - geo.pads[0]}, from = first / ${LINES}, begin = ${versions(begins)}, behind = (first + ${kh + LINES - 1}) / ${LINES};
      /* quads that are in the image */
      const i32 lo = from > ${above / LINES} ? from : ${above / LINES}, hi = behind < ${Math.ceil((above + h) / LINES)} ? behind : ${Math.ceil((above + h) / LINES)};
      if (b != image) { image = b; made = -1; }
      for (i32 p = made < lo ? lo : made + 1; p < hi; p++) {
        const i32 y = ${LINES} * p - ${above}; ${[0, 1, 2, 3].map(line).join(' ')}
        u8 *const to = lines + p % ${quads} * ${size};
        for (i32 n = from0; n < to0; n += ${NR}) quad_lines(s0 + n, s1 + n, s2 + n, s3 + n, d0, d1, d2, d3, none + n, flip, to + (n - from0) / ${NR} * ${columns * COLUMN});
      }
      made = hi - 1;
      for (i32 n = from0; n < to0; n += ${NR}) {
        const i32 nv = ${c} - n < ${NR} ? ${c} - n : ${NR}; (void)nv;
        const f4 m0 = f4_load(${mult} + n), m1 = f4_load(${mult} + n + 4), b0 = f4_load(${bias} + n), b1 = f4_load(${bias} + n + 4); i4 z0 = i4_splat(0), z1 = z0; ${epi.setup('n')}
        const i32 at = (begin * ${blocks} + n / ${NR}) * ${quads} + lo - from; for (i32 p = 0; p < hi - lo; p++) { z0 = i4_add(z0, i4_load(sums + (at + p) * ${NR})); z1 = i4_add(z1, i4_load(sums + (at + p) * ${NR} + 4)); }
        const u8 *const f0 = filters + at * ${kw * COLUMN}, *const l0 = lines + (n - from0) / ${NR} * ${columns * COLUMN};
        i32 px = 0;
        ${ow >= pixels ? `for (; px < ${ow - rest}; px += ${pixels}) {\n          ${tile(pixels)}\n        }` : ''}
        ${rest ? `{ ${tile(rest)} }` : ''}
      }
    }
  }`;
  return { helpers: `${quadLines(geo, columns)}${quadFilters(geo, shape)}${epi.text}`, body };
}

/** C expression of the index of the filters for a row that begins at line `first`. */
function versions(begins: readonly number[]): string {
  const last = begins.length - 1;
  const step = last > 0 ? begins[1]! - begins[0]! : 1;
  if (begins.every((b, i) => b === begins[0]! + i * step))
    return last === 0 ? '0' : `(first % ${LINES} - ${begins[0]}) / ${step}`;
  return begins.slice(0, last).reduceRight((rest, b, i) => `first % ${LINES} == ${b} ? ${i} : ${rest}`, `${last}`);
}

/** Sums of four channels of outputs as c<pixel><half>. Loops stay loops: engines load everything of a block before they multiply. */
function tileSums({ quads, size }: Shape, kw: number, sx: number, k: readonly number[], half: number): string {
  const taps = Array.from({ length: kw }, (_, t) => t);
  const columns = [...new Set(k.flatMap((i) => taps.map((t) => i * sx + t)))].sort((a, b) => a - b);
  const at = 16 * half;
  return `i4 ${k.map((i) => `c${i}${half} = z${half}`).join(', ')};
          {
            const u8 *f = f0 + ${at}, *const end = f + (hi - lo) * ${kw * COLUMN}; i32 slot = lo % ${quads};
            do {
              const u8 *s = l0 + slot * ${size} + px * ${sx * COLUMN} + ${at};
              EW_POINTER(s); EW_POINTER(f);
              const b16 ${[...taps.map((t) => `w${t} = b16_load(f + ${t * COLUMN})`), ...columns.map((x) => `x${x} = b16_load(s + ${x * COLUMN})`)].join(', ')};
              ${k.map((i) => taps.map((t) => `c${i}${half} = b16_dot7(w${t}, x${i * sx + t}, c${i}${half});`).join(' ')).join('\n              ')}
              slot = slot + 1 == ${quads} ? 0 : slot + 1; f += ${kw * COLUMN};
            } while (f != end);
          }`;
}

/** Eight channels of four lines, which may be outside the image and then stay where they are, as quads. */
function quadLines({ w, pads }: Geometry, columns: number): string {
  const quads = (a: string, b: string, c: string, d: string): string =>
    `{ const b16 x = b16_zip_lo(${a}, ${b}), y = b16_zip_lo(${c}, ${d}); b16_store(to, v_xor(h8_zip_lo(x, y), flip)); b16_store(to + 16, v_xor(h8_zip_hi(x, y), flip)); }`;
  const beside = (n: number): string =>
    n > 0 ? `for (i32 x = 0; x < ${n}; x++, to += ${COLUMN}) ${quads('z', 'z', 'z', 'z')}` : '';
  return `static void quad_lines(const i8 *s0, const i8 *s1, const i8 *s2, const i8 *s3, i32 d0, i32 d1, i32 d2, i32 d3, const i8 *none, b16 flip, u8 *to) {
  const b16 z = b16_load(none); (void)z;
  ${beside(pads[1])}
  for (i32 x = 0; x < ${w}; x++, s0 += d0, s1 += d1, s2 += d2, s3 += d3, to += ${COLUMN}) ${quads('b16_load(s0)', 'b16_load(s1)', 'b16_load(s2)', 'b16_load(s3)')}
  ${beside(columns - pads[1] - w)}
}
`;
}

/** Bytes of the codes of eight channels. */
const panelBytes = ({ kh, kw }: Geometry): number => Math.ceil((kh * kw) / 16) * 16 * NR;

/** Panels of filters [channel][tap] -> [line that a row begins at][channels / 8][quad][column][8 channels][4], zero where a quad has no tap, and sums of their codes. */
function quadFilters(geo: Geometry, { begins, blocks, quads }: Shape): string {
  const { kh, kw, c } = geo;
  const rows = Array.from({ length: kh }, (_, y) => y);
  const groups = Math.ceil((kh * kw) / 4);
  const put = (o: number, q: number): string => {
    const parts = rows
      .map((y) => [y, y + o - LINES * q] as const)
      .filter(([, j]) => j >= 0 && j < LINES)
      .map(([y, j]) => (j === 0 ? `t${y}` : `i4_shl(t${y}, ${8 * j})`));
    const value = parts.length === 0 ? 'i4_splat(0)' : parts.reduce((a, b) => `v_or(${a}, ${b})`);
    return `i4_store(q + ${(begins.indexOf(o) * blocks * quads + q) * kw * COLUMN}, ${value});`;
  };
  const all = begins.flatMap((o) => Array.from({ length: quads }, (_, q) => put(o, q)));
  // Taps as numbers of 32 bits lie behind the panel, where its list was.
  return `static void quad_filters(const u8 *w, u8 *room, u8 *d, i32 *sums) {
  const i4 low = i4_splat(255); i32 *const taps = (i32 *)(room + ${panelBytes(geo)}); ew_place at = {w, -1};
  for (i32 n = 0; n < ${blocks}; n++, d += ${quads * kw * COLUMN}) {
    ew_next_panel(&at, w, n, ${c}, ${kh * kw}, 0, room, (u8 *)taps);
    for (i32 k = 0; k < ${NR}; k += 4) {
      for (i32 t = 0; t < ${groups}; t++) {
        const i4 v = i4_load(room + t * ${COLUMN} + 4 * k); i32 *const to = taps + t * ${4 * NR} + k;
        i4_store(to, v_and(v, low)); i4_store(to + ${NR}, v_and(i4_shr(v, 8), low)); i4_store(to + ${2 * NR}, v_and(i4_shr(v, 16), low)); i4_store(to + ${3 * NR}, v_and(i4_shr(v, 24), low));
      }
    }
    for (i32 x = 0; x < ${kw}; x++) for (i32 k = 0; k < ${NR}; k += 4) {
      const i32 *const u = taps + x * ${NR} + k; const i4 ${rows.map((y) => `t${y} = i4_load(u + ${y * kw * NR})`).join(', ')};
      u8 *const q = d + x * ${COLUMN} + 4 * k;
      ${all.join(' ')}
    }
    for (i32 k = 0; k < ${begins.length}; k++) for (i32 p = 0; p < ${quads}; p++) {
      const u8 *f = d + (k * ${blocks * quads} + p) * ${kw * COLUMN}; i32 *const to = sums + ((k * ${blocks} + n) * ${quads} + p) * ${NR}; i4 s0 = i4_splat(0), s1 = s0;
      for (i32 x = 0; x < ${kw}; x++, f += ${COLUMN}) { s0 = b16_dot7(b16_load(f), b16_splat(1), s0); s1 = b16_dot7(b16_load(f + 16), b16_splat(1), s1); }
      i4_store(to, s0); i4_store(to + 4, s1);
    }
  }
}
`;
}
