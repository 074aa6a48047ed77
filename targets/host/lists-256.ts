/**
 * Lists of codes (sdk/wire/panels.ts) on vectors of 256 bits, in place of the functions of sdk/compile/emit/c/panels.ts of the same names,
 * which have vectors of 128.
 */
export const LISTS_256 = `
#define EW_OWN_LISTS
static const u8 ew_lower[256][16], ew_upper[256][16], ew_fields[2][8][32];
#define EW_BOTH(p, q) _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(p))), _mm_loadu_si128((const __m128i *)(q)), 1)
/* the next ones of a list where m marks bytes, 0 elsewhere */
EW_INLINE ew_mx ew_next_256(ew_mx m, const u8 **list) {
  const u32 marks = (u32)_mm256_movemask_epi8(m);
  const u8 *low = *list, *high = low + __builtin_popcount(marks & 0xffff);
  const ew_mx pick = _mm256_add_epi8(EW_BOTH(ew_lower[marks & 255], ew_lower[marks >> 16 & 255]), EW_BOTH(ew_upper[marks >> 8 & 255], ew_upper[marks >> 24]));
  *list = low + __builtin_popcount(marks);
  return _mm256_shuffle_epi8(EW_BOTH(low, high), pick);
}
/* codes with the next ones of a list where u is 0 */
EW_INLINE ew_mx ew_listed_256(ew_mx u, const u8 **list) { return _mm256_or_si256(u, ew_next_256(_mm256_cmpeq_epi8(u, _mm256_setzero_si256()), list)); }
EW_INLINE ew_mx ew_marked_256(ew_mx u, ew_mx mark, const u8 **list) {
  const ew_mx m = _mm256_cmpeq_epi8(u, mark);
  return _mm256_or_si256(_mm256_andnot_si256(m, u), ew_next_256(m, list));
}
EW_SHARED void ew_fill_in(u8 *t, i32 n, i32 mark, const u8 *list) {
  const ew_mx marked = _mm256_set1_epi8((char)mark);
  i32 k = 0;
  for (; k + 32 <= n; k += 32) EW_STOREX(t + k, ew_marked_256(EW_LOADX(t + k), marked, &list));
  if (k == n) return;
  const ew_mx last = _mm256_inserti128_si256(_mm256_set1_epi8((char)~mark), _mm_loadu_si128((const __m128i *)(t + k)), 0);
  _mm_storeu_si128((__m128i *)(t + k), _mm256_castsi256_si128(ew_marked_256(last, marked, &list)));
}
/* sixteen fields of two groups */
EW_INLINE ew_mx ew_fields_256(const u8 *w, i32 step, ew_mx pick, ew_mx scale, ew_mx ones) {
  return _mm256_and_si256(_mm256_srli_epi16(_mm256_mullo_epi16(_mm256_shuffle_epi8(EW_BOTH(w, w + step), pick), scale), 8), ones);
}
EW_SHARED void ew_unpack_fields(const u8 *w, i32 width, i32 back, i32 n, i32 offset, u8 *d) {
  const u8 *table = ew_fields[back][width - 1];
  const ew_mx pick = EW_BOTH(table, table), scale = EW_BOTH(table + 16, table + 16), ones = _mm256_set1_epi16((short)((1 << width) - 1)), add = _mm256_set1_epi8((char)offset);
  const i32 step = back ? -width : width;
  w += back ? -width : 0;
  i32 i = 0;
  for (; i + 32 <= n; i += 32, w += 4 * step) {
    const ew_mx x = ew_fields_256(w, step, pick, scale, ones), y = ew_fields_256(w + 2 * step, step, pick, scale, ones);
    EW_STOREX(d + i, _mm256_add_epi8(_mm256_permute4x64_epi64(_mm256_packus_epi16(x, y), 0xd8), add));
  }
  for (; i < n; i += 16, w += 2 * step) {
    const ew_mx x = ew_fields_256(w, i + 8 < n ? step : 0, pick, scale, ones);
    const __m128i u = _mm_add_epi8(_mm_packus_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)), _mm256_castsi256_si128(add));
    if (i + 8 < n) _mm_storeu_si128((__m128i *)(d + i), u); else _mm_storel_epi64((__m128i *)(d + i), u);
  }
}
EW_SHARED void ew_list(const u8 *w, i32 bytes, i32 n, i32 zero, u8 *d) {
  const i32 width = w[0] & 15, tail = w[0] >> 4, bits = (bytes - 1) * 8, half = n / 2;
  const i32 count = bits / width < half ? bits / width : half, tails = bits / (width + tail) < half ? bits / (width + tail) : half;
  ew_unpack_fields(w + 1, width, 0, count, 0, d);
  if (tail) {
    ew_unpack_fields(w + bytes, tail, 1, tails, (1 << width) - 1, d + half);
    ew_fill_in(d, (count + 15) / 16 * 16, (1 << width) - 1, d + half);
  }
  const ew_mx one = _mm256_set1_epi8(1), least = _mm256_set1_epi8((char)zero);
  for (i32 i = 0; i < count; i += 32) {
    const ew_mx e = EW_LOADX(d + i), sign = _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_and_si256(e, one));
    const ew_mx size = _mm256_add_epi8(_mm256_and_si256(_mm256_srli_epi16(e, 1), _mm256_set1_epi8(127)), least);
    EW_STOREX(d + i, _mm256_add_epi8(_mm256_sub_epi8(_mm256_xor_si256(size, sign), sign), least));
  }
}
`;
