import { planesOf } from '../../sdk/wire/panels.ts';

/** A plane of so many bits as one vector in which the fields of a half lie side by side, those of the other half four bits above them. */
const PLANES: Readonly<Record<number, (at: number) => string>> = {
  4: (at) => `_mm512_loadu_si512(w + ${at})`,
  2: (at) => `_mm512_srlv_epi16(_mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(w + ${at}))), by2)`,
  1: (at) => `_mm512_srlv_epi16(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(w + ${at}))), by1)`,
};

function unpack(bits: number): string {
  const loads: string[] = [];
  const fields: string[] = [];
  const shifts: string[] = [];
  let at = 0;
  let to = 0;
  for (const width of planesOf(bits)) {
    const q = `q${width}`;
    loads.push(`ew_mx ${q} = ${PLANES[width]!(at)};`);
    const field = `_mm512_and_si512(${q}, _mm512_set1_epi8(${(1 << width) - 1}))`;
    fields.push(to === 0 ? field : `_mm512_slli_epi16(${field}, ${to})`);
    shifts.push(`${q} = _mm512_srli_epi16(${q}, 4);`);
    at += 16 * width;
    to += width;
  }
  const whole = fields.reduce((x, y) => `_mm512_or_si512(${x}, ${y})`);
  const half = (i: number): string =>
    `_mm512_storeu_si512(t + ${64 * i}, _mm512_add_epi8(ew_listed_512(${whole}, &list), add));`;
  return `
static __attribute__((unused)) const u8 *ew_unpack${bits}(const u8 *w, u8 *t, i32 units, b16 up, const u8 *list) {
  const ew_mx add = _mm512_broadcast_i32x4((__m128i)up);
  const ew_mx by2 = _mm512_set_epi64(${[2, 2, 2, 2, 0, 0, 0, 0].map(words)}), by1 = _mm512_set_epi64(${[3, 3, 2, 2, 1, 1, 0, 0].map(words)}); (void)by2; (void)by1;
  for (; units > 0; units--, w += ${at}, t += 128) {
    ${loads.join(' ')}
    ${half(0)} ${shifts.join(' ')} ${half(1)}
  }
  return list;
}`;
}

/** Four 16-bit counts in a 64-bit constant. */
function words(count: number): string {
  return `0x${count.toString(16).padStart(4, '0').repeat(4)}`;
}

/**
 * Unpacking of panels (sdk/compile/emit/c/panels.ts) with AVX-512: half a unit, 64 codes, is one vector, and listed codes are put where
 * they belong by one instruction of VBMI2.
 */
export const PANELS_512 = `
#define EW_OWN_UNPACK
/* the next ones of a list where u is 0 */
EW_INLINE ew_mx ew_listed_512(ew_mx u, const u8 **list) {
  const __mmask64 m = _mm512_testn_epi8_mask(u, u);
  const ew_mx next = _mm512_maskz_expand_epi8(m, _mm512_loadu_si512(*list));
  *list += __builtin_popcountll(m);
  return _mm512_or_si512(u, next);
}
${[2, 3, 4, 5, 6, 7].map(unpack).join('')}
static __attribute__((unused)) const u8 *ew_unpack8(const u8 *w, u8 *t, i32 units, b16 up, const u8 *list) {
  const ew_mx add = _mm512_broadcast_i32x4((__m128i)up);
  for (units *= 2; units > 0; units--, w += 64, t += 64) _mm512_storeu_si512(t, _mm512_add_epi8(_mm512_loadu_si512(w), add));
  return list;
}
`;
