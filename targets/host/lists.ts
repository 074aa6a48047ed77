/** Lists of panels (sdk/compile/emit/c/panels.ts) on vectors of 256 bits. */
export const LISTS_256 = `
#define EW_OWN_LIST
#define EW_BOTH(p, q) _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(p))), _mm_loadu_si128((const __m128i *)(q)), 1)
static const u8 ew_fields[2][8][32], ew_lower[256][16], ew_upper[256][16];
/* the next ones of a list where m marks bytes, 0 elsewhere */
EW_INLINE ew_mx ew_next_256(ew_mx m, const u8 **list) {
  const u32 marks = (u32)_mm256_movemask_epi8(m);
  const u8 *low = *list, *high = low + __builtin_popcount(marks & 0xffff);
  const ew_mx pick = _mm256_add_epi8(EW_BOTH(ew_lower[marks & 255], ew_lower[marks >> 16 & 255]), EW_BOTH(ew_upper[marks >> 8 & 255], ew_upper[marks >> 24]));
  *list = low + __builtin_popcount(marks);
  return _mm256_shuffle_epi8(EW_BOTH(low, high), pick);
}
/* what finds fields of a width, forwards or back */
typedef struct { ew_mx pick, scale, ones; i32 step; } ew_finder;
EW_INLINE ew_finder ew_find(i32 width, i32 back) {
  const u8 *at = ew_fields[back][width - 1];
  return (ew_finder){EW_BOTH(at, at), EW_BOTH(at + 16, at + 16), _mm256_set1_epi16((short)((1 << width) - 1)), back ? -width : width};
}
EW_INLINE ew_mx ew_sixteen_fields(const u8 *p, const u8 *q, const ew_finder *f) {
  return _mm256_and_si256(_mm256_srli_epi16(_mm256_mullo_epi16(_mm256_shuffle_epi8(EW_BOTH(p, q), f->pick), f->scale), 8), f->ones);
}
/* 32 fields at w, n of which are there, as bytes */
EW_INLINE ew_mx ew_fields_at(const u8 *w, i32 n, const ew_finder *f) {
  const u8 *const last = w + (n - 1) / 8 * f->step;
#define EW_GROUP(i) (n > 8 * i ? w + i * f->step : last)
  return _mm256_packus_epi16(ew_sixteen_fields(w, EW_GROUP(2), f), ew_sixteen_fields(EW_GROUP(1), EW_GROUP(3), f));
}
EW_SHARED void ew_unpack_fields(const u8 *w, i32 width, i32 back, i32 n, i32 offset, u8 *d) {
  const ew_finder f = ew_find(width, back); const ew_mx add = _mm256_set1_epi8((char)offset);
  w += back ? -width : 0;
  for (; n > 0; n -= 32, d += 32, w += 4 * f.step) _mm256_storeu_si256((ew_mx *)d, _mm256_add_epi8(ew_fields_at(w, n, &f), add));
}
EW_SHARED void ew_list(const u8 *w, i32 bytes, i32 n, i32 zero, u8 *d) {
  const i32 width = w[0] & 15, tail = w[0] >> 4, bits = (bytes - 1) * 8, half = n / 2;
  const i32 count = bits / width < half ? bits / width : half, tails = bits / (width + tail) < half ? bits / (width + tail) : half;
  const ew_finder f = ew_find(width, 0); const ew_mx mark = _mm256_set1_epi8((char)((1 << width) - 1)), least = _mm256_set1_epi8((char)zero);
  const u8 *rest = d + half;
  if (tail) ew_unpack_fields(w + bytes, tail, 1, tails, (1 << width) - 1, d + half);
  w++;
  for (i32 i = 0; i < count; i += 32, w += 4 * width) {
    ew_mx e = ew_fields_at(w, count - i, &f);
    if (tail) {
      const ew_mx m = _mm256_cmpeq_epi8(e, mark);
      e = _mm256_or_si256(_mm256_andnot_si256(m, e), ew_next_256(m, &rest));
    }
    const ew_mx sign = _mm256_sub_epi8(_mm256_setzero_si256(), _mm256_and_si256(e, _mm256_set1_epi8(1)));
    const ew_mx size = _mm256_add_epi8(_mm256_and_si256(_mm256_srli_epi16(e, 1), _mm256_set1_epi8(127)), least);
    _mm256_storeu_si256((ew_mx *)(d + i), _mm256_add_epi8(_mm256_sub_epi8(_mm256_xor_si256(size, sign), sign), least));
  }
}
`;
