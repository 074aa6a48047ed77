import { planesOf } from '../../sdk/wire/panels.ts';

/** A plane of so many bits as one vector in which the fields of a half lie side by side, those of the other half four bits above them. */
const PLANES: Readonly<Record<number, (at: number) => string>> = {
  4: (at) => `_mm512_loadu_si512(w + ${at})`,
  2: (at) => `_mm512_srlv_epi16(_mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(w + ${at}))), by2)`,
  1: (at) => `_mm512_srlv_epi16(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(w + ${at}))), by1)`,
};

/** C text that walks over units of codes of so many bits: `whole` is half a unit plus 2^(bits - 1), the other half after `shifts`; `plain` without those that are listed. */
export interface Unit512 {
  readonly bytes: number;
  readonly loads: string;
  readonly plain: string;
  readonly whole: string;
  readonly shifts: string;
}

export function unit512(bits: number): Unit512 {
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
  const plain = fields.reduce((x, y) => `_mm512_or_si512(${x}, ${y})`);
  return {
    bytes: at,
    loads: loads.join(' '),
    plain,
    whole: `ew_listed_512(${plain}, &list)`,
    shifts: shifts.join(' '),
  };
}

/** Constants that a unit wants. */
export const SHIFTS = `const ew_mx by2 = _mm512_set_epi64(${[2, 2, 2, 2, 0, 0, 0, 0].map(words)}), by1 = _mm512_set_epi64(${[3, 3, 2, 2, 1, 1, 0, 0].map(words)}); (void)by2; (void)by1;`;

function unpack(bits: number): string {
  const unit = unit512(bits);
  const half = (i: number): string => `_mm512_storeu_si512(t + ${64 * i}, _mm512_add_epi8(${unit.whole}, add));`;
  return `
static __attribute__((unused)) const u8 *ew_unpack${bits}(const u8 *w, u8 *t, i32 units, b16 up, const u8 *list) {
  const ew_mx add = _mm512_broadcast_i32x4((__m128i)up);
  ${SHIFTS}
  for (; units > 0; units--, w += ${unit.bytes}, t += 128) {
    ${unit.loads}
    ${half(0)} ${unit.shifts} ${half(1)}
  }
  return list;
}`;
}

/** A byte eight times in a 64-bit constant. */
function bytes(value: number): string {
  return `0x${value.toString(16).padStart(2, '0').repeat(8)}`;
}

/** Four 16-bit counts in a 64-bit constant. */
function words(count: number): string {
  return `0x${count.toString(16).padStart(4, '0').repeat(4)}`;
}

const NARROW_WIDTHS = [2, 3, 4, 5, 6, 7] as const;

/**
 * Unpacking of panels (sdk/compile/emit/c/panels.ts) with AVX-512: half a unit, 64 codes, is one vector, and listed codes are put where
 * they belong by one instruction of VBMI2.
 */
export const PANELS_512 = `
#define EW_OWN_UNPACK
#define EW_OWN_LISTS
/* the next ones of a list where u is 0 */
EW_INLINE ew_mx ew_listed_512(ew_mx u, const u8 **list) {
  const __mmask64 m = _mm512_testn_epi8_mask(u, u);
  ew_mx next = _mm512_loadu_si512(*list);
  /* The form of the instruction that loads by itself is several times slower. */
  __asm__("" : "+v"(next));
  *list += __builtin_popcountll(m);
  return _mm512_or_si512(u, _mm512_maskz_expand_epi8(m, next));
}
${NARROW_WIDTHS.map(unpack).join('')}
/* the next ones of a list where the n bytes of t are \`mark\` */
EW_SHARED void ew_fill_in(u8 *t, i32 n, i32 mark, const u8 *list) {
  for (i32 k = 0; k < n; k += 64) {
    const __mmask64 all = n - k < 64 ? (1ull << (n - k)) - 1 : ~0ull;
    const ew_mx u = _mm512_maskz_loadu_epi8(all, t + k);
    const __mmask64 m = _mm512_mask_cmpeq_epi8_mask(all, u, _mm512_set1_epi8((char)mark));
    ew_mx next = _mm512_loadu_si512(list);
    __asm__("" : "+v"(next));
    list += __builtin_popcountll(m);
    _mm512_mask_storeu_epi8(t + k, m, _mm512_maskz_expand_epi8(m, next));
  }
}
/* 64 fields of width bits, eight in as many bytes: where byte j of group g of the result finds its group, and its bits in that */
EW_INLINE ew_mx ew_field_bytes(i32 width) {
  const ew_mx group = _mm512_set_epi64(${[7, 6, 5, 4, 3, 2, 1, 0].map(bytes)}), within = _mm512_set1_epi64(0x0706050403020100);
  return _mm512_add_epi8(_mm512_mullo_epi16(group, _mm512_set1_epi16((short)width)), within);
}
EW_INLINE ew_mx ew_field_bits(i32 width) { return _mm512_mullo_epi16(_mm512_set1_epi64(0x0706050403020100), _mm512_set1_epi16((short)width)); }
EW_INLINE ew_mx ew_fields(ew_mx x, ew_mx byte, ew_mx bit, ew_mx ones) {
  return _mm512_and_si512(_mm512_multishift_epi64_epi8(bit, _mm512_permutexvar_epi8(byte, x)), ones);
}
/* n fields of width bits, each plus offset, as bytes: groups of eight lie one after another from w, or from w back where back is 1, and their fields from last to first */
EW_SHARED void ew_unpack_fields(const u8 *w, i32 width, i32 back, i32 n, i32 offset, u8 *d) {
  ew_mx byte = ew_field_bytes(width), bit = ew_field_bits(width);
  if (back) {
    /* byte j of group g counted from the end: 64 - (g + 1) * width + j */
    const ew_mx within = _mm512_set1_epi64(0x0706050403020100);
    byte = _mm512_add_epi8(_mm512_sub_epi8(_mm512_set1_epi8((char)(64 - width)), _mm512_sub_epi8(byte, within)), within);
    bit = _mm512_sub_epi8(_mm512_set1_epi8((char)(7 * width)), bit);
  }
  const ew_mx ones = _mm512_set1_epi8((char)((1 << width) - 1)), add = _mm512_set1_epi8((char)offset);
  for (; n > 0; n -= 64, d += 64, w += back ? -8 * width : 8 * width) {
    const i32 used = n < 64 ? (n + 7) / 8 * width : 8 * width;
    const ew_mx x = back ? _mm512_maskz_loadu_epi8(~0ull << (64 - used), w - 64) : _mm512_maskz_loadu_epi8(used == 64 ? ~0ull : (1ull << used) - 1, w);
    _mm512_storeu_si512(d, _mm512_add_epi8(ew_fields(x, byte, bit, ones), add));
  }
}
/* the listed codes plus zero, as bytes, at d: half a tile of n codes at most, and room for as many behind them */
EW_SHARED void ew_list(const u8 *w, i32 bytes, i32 n, i32 zero, u8 *d) {
  const i32 width = w[0] & 15, tail = w[0] >> 4, bits = (bytes - 1) * 8, half = n / 2;
  const i32 count = bits / width < half ? bits / width : half, tails = bits / (width + tail) < half ? bits / (width + tail) : half;
  const i32 mark = (1 << width) - 1;
  const u8 *rest = d + half;
  if (tail) ew_unpack_fields(w + bytes, tail, 1, tails, mark, d + half);
  const ew_mx byte = ew_field_bytes(width), bit = ew_field_bits(width), ones = _mm512_set1_epi8((char)mark);
  const ew_mx one = _mm512_set1_epi8(1), least = _mm512_set1_epi8((char)zero);
  w++;
  for (i32 i = 0; i < count; i += 64, w += 8 * width) {
    const i32 used = count - i < 64 ? (count - i + 7) / 8 * width : 8 * width;
    ew_mx e = ew_fields(_mm512_maskz_loadu_epi8(used == 64 ? ~0ull : (1ull << used) - 1, w), byte, bit, ones);
    if (tail) {
      const __mmask64 m = _mm512_cmpeq_epi8_mask(e, ones);
      ew_mx next = _mm512_loadu_si512(rest);
      __asm__("" : "+v"(next));
      rest += __builtin_popcountll(m);
      e = _mm512_mask_expand_epi8(e, m, next);
    }
    const ew_mx sign = _mm512_sub_epi8(_mm512_setzero_si512(), _mm512_and_si512(e, one));
    const ew_mx size = _mm512_add_epi8(_mm512_and_si512(_mm512_srli_epi16(e, 1), _mm512_set1_epi8(127)), least);
    _mm512_storeu_si512(d + i, _mm512_add_epi8(_mm512_sub_epi8(_mm512_xor_si512(size, sign), sign), least));
  }
}
static __attribute__((unused)) const u8 *ew_unpack8(const u8 *w, u8 *t, i32 units, b16 up, const u8 *list) {
  const ew_mx add = _mm512_broadcast_i32x4((__m128i)up);
  for (units *= 2; units > 0; units--, w += 64, t += 64) _mm512_storeu_si512(t, _mm512_add_epi8(_mm512_loadu_si512(w), add));
  return list;
}
`;
