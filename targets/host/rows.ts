import { PANEL_ROWS } from '../../sdk/wire/panels.ts';
import { STEPS, unit256 } from './units-256.ts';
import type { Width } from './width.ts';

/**
 * Products of one row of bytes with panels on vectors of 256 bits: a vector has four columns of the eight rows of a tile, and codes go into
 * the product as they are unpacked. What is multiplied are magnitudes of the row, which are unsigned, and codes with the signs of the row:
 * two products fit 16 bits whatever the codes are, and those of a unit where the caller says so.
 */

/** Bytes a column of a row as these products want it. */
export const ROW_BYTES_256 = 2;

/** Widths of codes, bits. */
export const ROW_WIDTHS = [2, 3, 4, 5, 6, 7, 8] as const;

function multiply(bits: number): string {
  const { bytes, loads, codes } = unit256(bits);
  return `
static __attribute__((unused)) const u8 *ew_multiply${bits}(const u8 *w, i32 units, const i8 *x, i32 padded, i32 zp, i32 reach, const u8 *list, i32 listed, ew_sums *sums) {
  const ew_mx zero = _mm256_set1_epi8((char)${1 << (bits - 1)}); ew_mx c = sums->products, s = sums->codes; (void)reach;
  for (; units > 0; units--, w += ${bytes}, x += 16) {
    ${loads} ew_mx ${STEPS.map((s) => `u${s} = ${codes[s]}`).join(', ')};
    if (listed) { ${STEPS.map((s) => `u${s} = ew_listed_256(u${s}, &list);`).join(' ')} }
    ${STEPS.map((s) => `u${s} = _mm256_sub_epi8(u${s}, zero);`).join(' ')}
    EW_UNIT(c, x, x + padded, u0, u1, u2, u3)
    if (zp) { ${STEPS.map((s) => `EW_ADD_CODES(s, u${s})`).join(' ')} }
  }
  sums->products = c; sums->codes = s;
  return list;
}`;
}

const SIGNED = (x: string, u: string): string => `_mm256_sign_epi8(${u}, _mm256_set1_epi32(*(const ew_any4 *)(${x})))`;
const SIZES = (a: string): string => `_mm256_set1_epi32(*(const ew_any4 *)(${a}))`;

/** Adds the products of a unit, or of one step, to sums of 32 bits. */
function sums({ vnni, dpbusd }: Width): string {
  const step = (s: string): string => `(x) + ${s}`;
  if (vnni) {
    const one = (s: number): string => `EW_STEP(c, (x) + ${4 * s}, (a) + ${4 * s}, u${s})`;
    return `
#define EW_STEP(c, x, a, u) { const ew_mx s_ = ${SIGNED('x', 'u')}, a_ = ${SIZES('a')}; __asm__("${dpbusd} %2, %1, %0" : "+v"(c) : "v"(a_), "v"(s_)); }
#define EW_UNIT(c, x, a, u0, u1, u2, u3) ${STEPS.map(one).join(' ')}`;
  }
  const product = (s: number): string =>
    `p${s} = _mm256_maddubs_epi16(${SIZES(`(a) + ${4 * s}`)}, ${SIGNED(step(String(4 * s)), `u${s}`)})`;
  const wider = (p: string): string => `_mm256_madd_epi16(${p}, _mm256_set1_epi16(1))`;
  return `
#define EW_STEP(c, x, a, u) c = _mm256_add_epi32(c, ${wider(`_mm256_maddubs_epi16(${SIZES('a')}, ${SIGNED('x', 'u')})`)});
#define EW_UNIT(c, x, a, u0, u1, u2, u3) { const ew_mx ${STEPS.map(product).join(', ')}; \\
  if (reach >= 4) c = _mm256_add_epi32(c, ${wider('_mm256_add_epi16(_mm256_add_epi16(p0, p1), _mm256_add_epi16(p2, p3))')}); \\
  else c = _mm256_add_epi32(_mm256_add_epi32(c, _mm256_add_epi32(${wider('p0')}, ${wider('p1')})), _mm256_add_epi32(${wider('p2')}, ${wider('p3')})); }`;
}

/** What the walk over tiles (row-walk.ts) is written with: the row as it lies, and behind it its magnitudes. */
export function rows256(w: Width): string {
  return `
EW_INLINE void ew_put_row(__m128i v, i32 k, i32 padded, i8 *d) {
  _mm_storeu_si128((__m128i *)(d + k), v); _mm_storeu_si128((__m128i *)(d + padded + k), _mm_abs_epi8(v));
}
typedef struct { ew_mx products, codes; } ew_sums;
#define EW_NO_SUMS {_mm256_setzero_si256(), _mm256_setzero_si256()}
#define EW_ADD_CODES(s, u) s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), u), _mm256_set1_epi16(1)));${sums(w)}${ROW_WIDTHS.map(multiply).join('')}
EW_INLINE void ew_multiply_rest(const u8 *t, i32 zero, i32 from, i32 padded, const i8 *x, i32 zp, ew_sums *sums) {
  for (i32 k = from; k < padded; k += 4, t += ${4 * PANEL_ROWS}) {
    const ew_mx u = _mm256_sub_epi8(EW_LOADX(t), _mm256_set1_epi8((char)zero));
    EW_STEP(sums->products, x + k, x + padded + k, u)
    if (zp) { EW_ADD_CODES(sums->codes, u) }
  }
}
EW_INLINE void ew_put_sums(const ew_sums *s, i32 sum, i32 zp, i32 padded, i32 *out) {
  (void)sum; (void)padded;
  EW_STOREX(out, _mm256_sub_epi32(s->products, _mm256_mullo_epi32(_mm256_set1_epi32(zp), s->codes)));
}
`;
}
