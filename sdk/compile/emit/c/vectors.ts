import type { Packing } from '../../../ir/graph.ts';
import type { Tensor } from '../../../util/tensor.ts';
import type { WeightLayout } from '../../../wire/program.ts';
import { areHalves, areShortExponents, narrowestType } from '../../../wire/short.ts';
import type { ShortVector } from './context.ts';

/** Constants held in short forms (sdk/wire/short.ts), and what makes plain elements of them in a kernel. */

/** The short form of a constant by its packing, where it has one that is exact. */
export function shortForm(data: Tensor, packing: Packing | undefined): WeightLayout | undefined {
  switch (packing?.kind) {
    case 'log8':
      return areShortExponents(packing.exponents) ? { kind: 'log8', base: packing.base } : undefined;
    case 'f16':
      return areHalves(data.data as Float32Array) ? { kind: 'f16' } : undefined;
    case 'ints': {
      const to = narrowestType(data.data);
      return to && data.dtype !== 'i8' && data.dtype !== to ? { kind: 'narrow', to } : undefined;
    }
    default:
      return undefined;
  }
}

/** Makes `n` plain elements of type `type` of the constant at `p` at `to`, and `p` point there. */
export function expansion(p: string, type: string, layout: WeightLayout, n: number, to: string): string {
  return `${plain({ pointer: p, layout }, type, '0', n, to)} ${p} = (const ${type} *)${to};\n  `;
}

function plain(v: ShortVector, type: string, from: string, n: number | string, to: string): string {
  switch (v.layout.kind) {
    case 'log8':
      return `ew_scales((const u8 *)${v.pointer}, ${from}, ${n}, (float *)${to});`;
    case 'f16':
      return `ew_halves((const u16 *)${v.pointer} + ${from}, ${n}, (float *)${to});`;
    case 'narrow':
      return `ew_ints_${v.layout.to}_${type}((const ${v.layout.to} *)${v.pointer} + ${from}, ${n}, (${type} *)${to});`;
    default:
      throw new Error(`layout ${v.layout.kind} is no short form`);
  }
}

/**
 * Elements of an f32 vector from element `from` on: what to do once, and the pointer to read them at. Where only `real` of them (C
 * expression) are elements, zeros follow: what lies there otherwise may be a denormal float, and lanes that nobody asks for would make a
 * vector many times slower.
 */
export function expanded(
  v: ShortVector,
  from: string,
  count: number | string,
  scratch: () => string,
  real?: string,
): { setup: string; at: string } {
  const isPlain = v.layout.kind === 'plain';
  if (isPlain && real === undefined) return { setup: '', at: `(${v.pointer} + ${from})` };
  const to = scratch();
  const elements = isPlain
    ? `ew_copy(${to}, ${v.pointer} + ${from}, (u64)${real} * 4);`
    : plain(v, 'float', from, real ?? count, to);
  const zeros = real === undefined ? '' : ` ew_fill(${to} + ${real} * 4, 0, (u64)(${count} - ${real}) * 4);`;
  return { setup: `${elements}${zeros}`, at: `((const float *)${to})` };
}

/** Eight elements of an f32 vector from element `from` on. */
export function eightOf(v: ShortVector, from: string, scratch: () => string): { setup: string; at: string } {
  return expanded(v, from, 8, scratch);
}

/** `ew_ints_<from>_<to>(p, n, d)`: n integers of a smaller type. */
const INTS = (
  [
    ['i8', 'i16'],
    ['i8', 'i32'],
    ['i8', 'i64'],
    ['i16', 'i32'],
    ['i16', 'i64'],
  ] as const
)
  .map(
    ([from, to]) =>
      `EW_SHARED void ew_ints_${from}_${to}(const ${from} *p, i32 n, ${to} *d) { EW_ROLLED for (i32 i = 0; i < n; i++) d[i] = p[i]; }\n`,
  )
  .join('');

const FOUR_SCALES = `/* the same of four exponents: bytes of the eighths are picked from the half of the table that has them, which bit 4 of their places tells */
EW_INLINE f4 ew_four_scales(f4 base, i4 e) {
  const i4 octave = i4_shl(i4_add(i4_shr(e, 3), i4_splat(127)), 23);
  const b16 at = i4_add(i4_mul(v_and(e, i4_splat(7)), i4_splat(0x04040404)), i4_splat(0x03020100));
  const b16 low = v_or(at, i4_shl(v_and(at, i4_splat(0x10101010)), 3)), high = v_xor(low, i4_splat((i32)0x90909090));
  const f4 eighths = v_or(b16_pick(f4_load(ew_eighths), low), b16_pick(f4_load(ew_eighths + 4), high));
  return f4_mul(f4_mul(base, eighths), octave);
}
`;
const FOUR_AT_A_TIME = `  for (const f4 base = f4_load_splat(p); i + 8 <= n; i += 8) {
    const h8 e = h8_load_i8(p + 4 + from + i);
    f4_store(d + i, ew_four_scales(base, i4_extend_lo(e))); f4_store(d + i + 4, ew_four_scales(base, i4_extend_hi(e)));
  }
`;

const helpers = (four: boolean): string => `
/* 2^(j/8) as the grid of scales defines it */
static const float ew_eighths[8] = {1.0f, 1.0905077457427979f, 1.1892070770263672f, 1.2968395948410034f, 1.4142135381698608f, 1.5422108173370361f, 1.6817928552627563f, 1.8340080976486206f};
/* scale i of a vector of exponents: (base * 2^(e % 8 / 8)) * 2^(e / 8); the second product is exact */
EW_INLINE float ew_scale(const u8 *p, i32 i) {
  const i32 e = ((const i8 *)p)[4 + i];
  union { u32 bits; float value; } octave = {(u32)((e >> 3) + 127) << 23};
  return (*(const float *)p * ew_eighths[e & 7]) * octave.value;
}
${four ? FOUR_SCALES : ''}EW_SHARED void ew_scales(const u8 *p, i32 from, i32 n, float *d) {
  i32 i = 0;
#ifdef EW_LANES
  for (const fx base = fx_load_splat(p); i + EW_LANES <= n; i += EW_LANES) {
    const ix e = ix_load_i8(p + 4 + from + i), octave = ix_shl(ix_add(ix_shr(e, 3), ix_splat(127)), 23);
    fx_store(d + i, fx_mul(fx_mul(base, fx_of_eight(ew_eighths, x_and(e, ix_splat(7)))), octave));
  }
#endif
${four ? FOUR_AT_A_TIME : ''}  for (; i < n; i++) d[i] = ew_scale(p, from + i);
}
/* n finite half precision values, up to 3 more read and written; the product scales the exponent, and is exact */
EW_SHARED void ew_halves(const u16 *p, i32 n, float *d) {
  for (i32 i = 0; i < n; i += 4) {
    const i4 h = i4_load_u16(p + i);
    const f4 magnitude = f4_mul(i4_shl(v_and(h, i4_splat(0x7fff)), 13), f4_splat(5192296858534827628530496329220096.0f));
    f4_store(d + i, v_or(magnitude, i4_shl(v_and(h, i4_splat(0x8000)), 16)));
  }
}
${INTS}`;

/** C helpers, for every module. */
export const VECTORS = helpers(true);

/** The same without vectors. */
export const LANE_VECTORS = helpers(false);
