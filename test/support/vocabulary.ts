import { MATH } from '../../sdk/compile/emit/c/math.ts';
import { Rng } from '../../sdk/util/rng.ts';

/** Every form of the vector vocabulary on the same inputs, for comparing the headers of targets to the bit. */

/** What a result is compared as: bits, or floats whose NaN may have any bits. */
type Kind = 'bits' | 'floats';

interface Form {
  readonly text: string;
  readonly kind: Kind;
}

const bits = (...texts: string[]): Form[] => texts.map((text) => ({ text, kind: 'bits' }));
const floats = (...texts: string[]): Form[] => texts.map((text) => ({ text, kind: 'floats' }));

/** Expressions over vectors a, b, c and the pointer p to their bytes. */
export const FORMS: readonly Form[] = [
  ...floats('f4_add(a, b)', 'f4_sub(a, b)', 'f4_mul(a, b)', 'f4_div(a, b)', 'f4_sqrt(a)'),
  ...floats('f4_floor(a)', 'f4_ceil(a)', 'f4_round(a)', 'f4_add(f4_mul(a, b), c)'),
  ...bits('f4_load_splat(p + 4)', 'f4_splat(1.5f)', 'f4_make(1.0f, 2.0f, -3.0f, 0.5f)', 'f4_splat(f4_lane(a, 2))'),
  ...bits('f4_min(a, b)', 'f4_max(a, b)', 'f4_neg(a)', 'f4_abs(a)', 'f4_eq(a, b)', 'f4_lt(a, b)', 'f4_le(a, b)'),
  ...bits('f4_from_i4(a)', 'i4_from_f4(a)', 'f4_load_bool(p)', 'i4_load_u16(p + 2)'),
  ...bits('v_and(a, b)', 'v_or(a, b)', 'v_xor(a, b)', 'v_andnot(a, b)', 'v_not(a)', 'v_select(c, a, b)'),
  ...bits('i4_splat(77)', 'i4_add(a, b)', 'i4_sub(a, b)', 'i4_mul(a, b)', 'i4_shl(a, 5)', 'i4_shr(a, 7)'),
  ...bits('i4_splat(i4_lane(a, 3))', 'h8_splat(-9)', 'h8_add(a, b)', 'h8_sub(a, b)', 'h8_mul(a, b)', 'h8_max(a, b)'),
  ...bits('h8_load_i8(p + 1)', 'h8_dot(h8_max(a, h8_splat(-32767)), b)', 'h8_load_splat2(p + 2)', 'h8_shr_u(a, 8)'),
  ...bits('h8_zip_lo(a, b)', 'h8_zip_hi(a, b)', 'h8_narrow(a, b)', 'h8_narrow(i4_shr(a, 15), i4_shr(b, 16))'),
  ...bits('i4_zip_lo(a, b)', 'i4_zip_hi(a, b)', 'b16_zip_lo(a, b)', 'b16_zip_hi(a, b)'),
  ...bits('h8_extend_lo_i8(a)', 'h8_extend_hi_i8(a)', 'i4_extend_lo(a)', 'i4_extend_hi(a)'),
  ...bits('b16_splat(-3)', 'b16_add(a, b)', 'b16_sub(a, b)', 'b16_eq(a, v_select(c, a, b))', 'i4_splat(b16_mask(a))'),
  ...bits('b16_swizzle(a, b)', 'b16_swizzle(a, v_and(b, b16_splat(15)))', 'b16_pick(a, v_and(b, b16_splat((i8)0x8f)))'),

  ...bits('b16_narrow(a, b)', 'b16_narrow_u8(a, b)', 'b16_shr_u(a, 3)', 'b16_shl(a, 2)', 'b16_pairs(a)'),
  ...bits('b16_load_splat4(p + 3)', 'b16_narrow(h8_extend_lo_i8(a), h8_extend_hi_i8(b))'),
  ...floats('ew_exp(a)', 'ew_log(a)', 'ew_tanh(a)', 'ew_erf(a)', 'ew_sin(a)', 'ew_pow(a, b)', 'ew_mod(a, b)'),
];

/** Bytes of one case: a, b and c, and some to read beyond. */
const CASE = 64;

const SPECIAL = [0, -0, 1, -1, 0.5, -0.5, 2.5, 1e-42, -1e-42, 2147483648, -2147483648, 2147483520, 3e9, -3e9, 1e38];
const NOT_FINITE = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** Inputs of all cases: bytes of any kind, integers near the borders of 16 bits, floats of all sizes and special ones. */
export function vocabularyInputs(): Uint8Array {
  const rng = new Rng(20);
  const cases = 96;
  const bytes = new Uint8Array(cases * CASE);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < bytes.length; i++) bytes[i] = rng.below(256);
  for (let c = 0; c < cases; c++) {
    for (let j = 0; j < 12; j++) {
      const at = c * CASE + 4 * j;
      const special = [...SPECIAL, ...NOT_FINITE];
      if (c % 4 === 1) view.setFloat32(at, special[rng.below(special.length)]!, true);
      if (c % 4 === 2) view.setFloat32(at, (rng.uniform() - 0.5) * 10 ** rng.below(12), true);
      if (c % 4 === 3) view.setInt32(at, rng.below(80000) - 40000, true);
    }
  }
  return bytes;
}

export const VOCABULARY_CASES = vocabularyInputs().length / CASE;

/** Bytes of all results. */
export const RESULT_BYTES = VOCABULARY_CASES * FORMS.length * 16;

/** C text with the function `ew_vocabulary(inputs, results)`, written against a target's header. */
export function vocabularySource(header: string): string {
  const lines = FORMS.map(({ text }, i) => `f4_store(d + ${i * 16}, ${text});`);
  return `${header}${MATH}
void ew_vocabulary(const u8 *s, u8 *d) {
  for (i32 n = 0; n < ${VOCABULARY_CASES}; n++, s += ${CASE}, d += ${FORMS.length * 16}) {
    const u8 *p = s; const f4 a = f4_load(s), b = f4_load(s + 16), c = f4_load(s + 32);
    ${lines.join('\n    ')}
  }
}
`;
}

/** As a program from standard input to standard output, for processors that are not this one. */
export function vocabularyProgram(header: string): string {
  return `${vocabularySource(header)}
#include <stdio.h>
static u8 inputs[${VOCABULARY_CASES * CASE}], results[${RESULT_BYTES}];
int main(void) {
  if (fread(inputs, 1, sizeof inputs, stdin) != sizeof inputs) return 1;
  ew_vocabulary(inputs, results);
  return fwrite(results, 1, sizeof results, stdout) != sizeof results;
}
`;
}

/** The first result that differs, in words; undefined when none does. */
export function vocabularyDifference(got: Uint8Array, want: Uint8Array): string | undefined {
  const words = (b: Uint8Array): Uint32Array => new Uint32Array(b.slice().buffer);
  const [g, w] = [words(got), words(want)];
  if (g.length !== w.length) return `${got.length} bytes instead of ${want.length}`;
  const inputs = words(vocabularyInputs());
  const hex = (list: Uint32Array): string => [...list].map((x) => x.toString(16).padStart(8, '0')).join(' ');
  const isNotANumber = (x: number): boolean => (x & 0x7fffffff) > 0x7f800000;
  for (let i = 0; i < g.length; i++) {
    const form = FORMS[(i >> 2) % FORMS.length]!;
    if (g[i] === w[i] || (form.kind === 'floats' && isNotANumber(g[i]!) && isNotANumber(w[i]!))) continue;
    const n = Math.floor(i / 4 / FORMS.length);
    const at = i - (i % 4);
    const input = inputs.subarray((n * CASE) / 4, (n * CASE) / 4 + 12);
    return `${form.text} of ${hex(input)}: got ${hex(g.subarray(at, at + 4))}, expected ${hex(w.subarray(at, at + 4))}`;
  }
  return undefined;
}
