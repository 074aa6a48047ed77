import type { Width } from './width.ts';

/** What products need around them: codes put into blocks, lines of the image copied. */
export function codeBlocks({ lanes }: Width): string {
  return `${lanes === 16 ? SUM_VNNI : SUM_256}${BLOCKS}`;
}

const SUM_VNNI = `
EW_INLINE __m256i ew_sum_codes(__m256i sum, __m256i codes) { return _mm256_dpbusd_epi32(sum, _mm256_set1_epi8(1), codes); }`;

const SUM_256 = `
EW_INLINE __m256i ew_sum_codes(__m256i sum, __m256i codes) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), codes), _mm256_set1_epi16(1)));
}`;

const BLOCKS = `
/* a step of 8 channels for products of bytes, and two of them for those of 16 bits, \`stride\` bytes from one to the next */
#define EW_PUT8(t, stride, v) _mm256_storeu_si256((__m256i *)(t), v)
EW_INLINE void ew_put16(i8 *t, i64 stride, __m256i v) {
  const __m256i x = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(v)), y = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(v, 1));
#define EW_PAIRS(half) _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(y), half)), 0xd8)
  _mm256_storeu_si256((__m256i *)t, EW_PAIRS(0x88)); _mm256_storeu_si256((__m256i *)(t + stride), EW_PAIRS(0xdd));
}
${placing('', 'EW_PUT8', 1)}${placing('16', 'ew_put16', 2)}/* n bytes with their sign bits turned; up to a vector more is read and written */
EW_SHARED void ew_flip(u8 *d, const i8 *s, i64 n) {
  for (i64 i = 0; i < n; i += 4 * EW_LANES) EW_STOREX(d + i, (ew_mx)x_xor(fx_load(s + i), ix_splat((i32)0x80808080u)));
}
EW_INLINE void ew_fill_i16(i16 *d, i32 v, i32 n) { for (i32 i = 0; i < n; i++) d[i] = (i16)v; }
/* a line of n elements: \`left\` of padding, w of the image (none where s is null), padding again; up to a vector more is written */
EW_SHARED void ew_line_u8(u8 *d, const i8 *s, i32 left, i32 w, i32 n, i32 zp) {
  if (!s) left = w = 0;
  ew_fill(d, zp + 128, (u64)left); ew_flip(d + left, s, w); ew_fill(d + left + w, zp + 128, (u64)(n - left - w));
}
EW_SHARED void ew_line_i8(i16 *d, const i8 *s, i32 left, i32 w, i32 n, i32 zp) {
  if (!s) left = w = 0;
  ew_fill_i16(d, zp, left);
  for (i32 i = 0; i < w; i += 8) h8_store(d + left + i, h8_load_i8(s + i));
  ew_fill_i16(d + left + w, zp, n - left - w);
}
EW_SHARED void ew_line_i16(i16 *d, const i16 *s, i32 left, i32 w, i32 n, i32 zp) {
  /* not a copy of no bytes: the compiler would take it that s is not null */
  if (!s) { ew_fill_i16(d, zp, n); return; }
  ew_fill_i16(d, zp, left); ew_copy(d + left, s, (u64)w * 2); ew_fill_i16(d + left + w, zp, n - left - w);
}
`;

/** `put` takes codes of four columns to so many steps of the product. */
function placing(name: string, put: string, steps: number): string {
  return `/* one tile of codes, [step][8 channels][4] at s, into a block at t, \`stride\` bytes a step; the sum of each channel's codes */
EW_SHARED void ew_place_tile${name}(const u8 *s, i8 *t, i64 stride, i32 steps, i32 *sums) {
  __m256i c0 = _mm256_setzero_si256(), c1 = c0;
  for (; steps > 0; steps -= 2, s += 64, t += ${2 * steps} * stride) {
    const __m256i v = _mm256_loadu_si256((const __m256i *)s), w = _mm256_loadu_si256((const __m256i *)(s + 32));
    ${put}(t, stride, v); ${put}(t + ${steps} * stride, stride, w); c0 = ew_sum_codes(c0, v); c1 = ew_sum_codes(c1, w);
  }
  _mm256_storeu_si256((__m256i *)sums, _mm256_add_epi32(c0, c1));
}
/* a tile of codes, [column / 4][8 channels][4], in segments of \`length\` columns: as [segment][step], segments filled up to so many steps; the sum of each channel's codes */
EW_SHARED void ew_place_segments${name}(const u8 *s, i8 *t, i64 stride, i32 segments, i32 length, i32 steps, i32 *sums) {
  __m256i sum = _mm256_setzero_si256();
  for (i32 i = 0; i < segments; i++) for (i32 k = 0; k < 4 * steps; k += 4, t += ${steps} * stride) {
    __m256i v = _mm256_setzero_si256();
    if (k < length) {
      const i32 at = i * length + k, n = length - k < 4 ? length - k : 4, shift = 8 * (at & 3);
      const __m256i low = _mm256_loadu_si256((const __m256i *)(s + at / 4 * 32)), high = _mm256_loadu_si256((const __m256i *)(s + (at / 4 + 1) * 32));
      v = _mm256_or_si256(_mm256_srl_epi32(low, _mm_cvtsi32_si128(shift)), _mm256_sll_epi32(high, _mm_cvtsi32_si128(32 - shift)));
      v = _mm256_and_si256(v, _mm256_srl_epi32(_mm256_set1_epi32(-1), _mm_cvtsi32_si128(32 - 8 * n)));
    }
    ${put}(t, stride, v); sum = ew_sum_codes(sum, v);
  }
  _mm256_storeu_si256((__m256i *)sums, sum);
}
`;
}
