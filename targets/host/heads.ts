import type { Width } from './width.ts';

/** What attention needs around its products (sdk/compile/emit/c/wide-heads.ts): keys and values put into blocks. */
export function heads({ vnni, lanes, shape }: Width): string {
  return `
static const i32 ew_nothing[${lanes * shape.columns}];
/* four vectors of four columns, or two of 16 bits, of four keys: as vectors of all four keys, \`stride\` bytes apart */
EW_INLINE void ew_put_keys(i8 *d, i64 stride, i32 steps, __m128i a, __m128i b, __m128i c, __m128i e) {
  const __m128i ab = _mm_unpacklo_epi32(a, b), ce = _mm_unpacklo_epi32(c, e), AB = _mm_unpackhi_epi32(a, b), CE = _mm_unpackhi_epi32(c, e);
  _mm_storeu_si128((__m128i *)d, _mm_unpacklo_epi64(ab, ce));
  if (steps > 1) _mm_storeu_si128((__m128i *)(d + stride), _mm_unpackhi_epi64(ab, ce));
  if (steps > 2) _mm_storeu_si128((__m128i *)(d + 2 * stride), _mm_unpacklo_epi64(AB, CE));
  if (steps > 3) _mm_storeu_si128((__m128i *)(d + 3 * stride), _mm_unpackhi_epi64(AB, CE));
}
${vnni ? BYTES : WORDS}
/* n values of \`size\` channels, pitch apart: as [block of \`width\` channels][pair of \`keys\`][channel][2 i16]; of what is past the last one nothing is written */
EW_SHARED void ew_values16(i16 *d, i32 width, i32 keys, const i8 *s, i64 pitch, i32 n, i32 size) {
  for (i32 c = 0; c < size; c += 8) {
    i16 *t = d + c / width * width * keys + c % width * 2; const i8 *p = s + c;
    for (i32 j = 0; j < n; j += 2, t += 2 * width, p += 2 * pitch) {
      const __m128i a = _mm_loadl_epi64((const __m128i *)p), b = j + 1 < n ? _mm_loadl_epi64((const __m128i *)(p + pitch)) : _mm_setzero_si128();
      _mm256_storeu_si256((__m256i *)t, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)));
    }
  }
}
`;
}

const BYTES = `
/* n keys of \`size\` columns, pitch apart: as [block of \`width\` keys][step of four columns][key][4], columns filled up with zeros */
EW_SHARED void ew_keys8(i8 *d, i32 width, const i8 *s, i64 pitch, i32 n, i32 size) {
  static const u8 real[32] = {${[...Array(16).fill(255), ...Array(16).fill(0)]}};
  const i32 steps = (size + 3) / 4;
  for (i32 j = 0; j < n; j += 4) {
    i8 *t = d + (j / width * width * steps + j % width) * 4;
    for (i32 k = 0; k < size; k += 16) {
      const __m128i keep = _mm_loadu_si128((const __m128i *)(real + (size - k < 16 ? 16 - (size - k) : 0)));
#define EW_KEY(i) _mm_and_si128(keep, _mm_loadu_si128((const __m128i *)(s + (j + i < n ? j + i : n - 1) * pitch + k)))
      ew_put_keys(t + k * width, 4 * width, steps - k / 4, EW_KEY(0), EW_KEY(1), EW_KEY(2), EW_KEY(3));
#undef EW_KEY
    }
  }
}
/* -128 times the sum of each of n keys, a multiple of \`width\`, in those blocks */
EW_SHARED void ew_key_sums(const i8 *d, i32 width, i32 n, i32 steps, i32 *sums) {
  for (i32 j = 0; j < n; j += 8) {
    const i8 *p = d + (j / width * width * steps + j % width) * 4; __m256i sum = _mm256_setzero_si256();
    for (i32 k = 0; k < steps; k++, p += 4 * width) sum = ew_sum_codes(sum, _mm256_loadu_si256((const __m256i *)p));
    _mm256_storeu_si256((__m256i *)(sums + j), _mm256_mullo_epi32(sum, _mm256_set1_epi32(-128)));
  }
}`;

const WORDS = `
/* n keys of \`size\` columns, a multiple of 8, pitch apart: as [block of \`width\` keys][step of two columns][key][2 i16] */
EW_SHARED void ew_keys16(i8 *d, i32 width, const i8 *s, i64 pitch, i32 n, i32 size) {
  for (i32 j = 0; j < n; j += 4) {
    i8 *t = d + (j / width * width * size + j % width * 2) * 2;
    for (i32 k = 0; k < size; k += 8) {
#define EW_KEY(i) _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(s + (j + i < n ? j + i : n - 1) * pitch + k)))
      ew_put_keys(t + k * width * 2, 4 * width, 4, EW_KEY(0), EW_KEY(1), EW_KEY(2), EW_KEY(3));
#undef EW_KEY
    }
  }
}`;
