import { range, type Width } from './width.ts';

/** What depthwise convolutions are made of (sdk/compile/emit/c/wide-depthwise.ts). */
export function depthwise({ lanes, vnni, dpbusd }: Width): string {
  const own = lanes === 16 ? DEPTHWISE_512 : `${DEPTHWISE_256}${vnni ? bytesVnni(dpbusd) : BYTES_256}`;
  return `${DEPTHWISE_PAIRS}${own}${DEPTHWISE}`;
}

/**
 * Depthwise filters: `dw_taps_u8(p)` takes four neighbouring pixels of EW_LANES channels each, one after another, and `dw_filter_u8(p)`
 * codes as [channel][4], in whatever form `dw_dot_u8(acc, taps, filter)` multiplies; `_i16`: the same for pixels of 16 bits. Without VNNI
 * codes may allow more: `_pairs` where the products of two neighbouring taps fit 16 bits, `_sums` where those of all taps do that are two
 * apart from each other; then acc holds sums of 16 bits, which `dw_total_sums(first, acc)` adds up.
 */
const DEPTHWISE_512 = `
typedef ix dw_u8;
EW_INLINE ix dw_taps_u8(const u8 *p) {
  const ew_mx order = _mm512_set_epi32(${[...range(16)].reverse().map((c) => `0x${[48, 32, 16, 0].map((t) => (t + c).toString(16).padStart(2, '0')).join('')}`)});
  return (ix)_mm512_permutexvar_epi8(order, _mm512_loadu_si512(p));
}
#define dw_filter_u8(p) fx_load(p)
/* of pixels of half as many channels: four neighbouring ones, and the four that begin \`apart\` bytes behind */
EW_INLINE ix dw_taps_twice(const u8 *p, i32 apart) {
  const ew_mx order = _mm512_set_epi32(${[...range(16)].reverse().map((c) => `0x${[24, 16, 8, 0].map((t) => (t + (c % 8)).toString(16).padStart(2, '0')).join('')}`)});
  const ew_mx second = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi8((char)apart), 1);
  return (ix)_mm512_permutexvar_epi8(_mm512_add_epi8(order, second), _mm512_loadu_si512(p));
}
#define dw_filter_twice(p) fx_load_twice(p)
#define dw_dot_u8(acc, taps, w) ((ix)_mm512_dpbusd_epi32((ew_mx)(acc), (ew_mx)(taps), (ew_mx)(w)))
EW_INLINE void dw_copy_i8(u8 *d, const void *s, u8 turned) { _mm_storeu_si128((__m128i *)d, _mm_xor_si128(_mm_loadu_si128(s), _mm_set1_epi8((char)turned))); }
EW_INLINE void dw_copy_i16(i16 *d, const void *s) { _mm256_storeu_si256((__m256i *)d, _mm256_loadu_si256(s)); }
/* pixels p and q as [channel][2] */
EW_INLINE ix dw_pair(const i16 *p, const i16 *q) {
  const ew_mx order = _mm512_set_epi32(${[...range(16)].reverse().map((c) => `0x${(((16 + c) << 16) | c).toString(16)}`)});
  return (ix)_mm512_permutexvar_epi16(order, _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p)), _mm256_loadu_si256((const __m256i *)q), 1));
}
EW_INLINE ix dw_dot_pair(ix acc, ix a, ix w) { return (ix)_mm512_dpwssd_epi32((ew_mx)acc, (ew_mx)a, (ew_mx)w); }`;

const DEPTHWISE_256 = `
EW_INLINE ix dw_taps(const u8 *p) {
  const ew_mx bytes = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  /* not the intrinsic: clang would make four shuffles of these two */
  ew_mx halves; __asm__("vpermd %2, %1, %0" : "=x"(halves) : "x"(_mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)), "m"(*(const ew_anyx *)p));
  return (ix)_mm256_shuffle_epi8(halves, bytes);
}
EW_INLINE void dw_copy_i8(u8 *d, const void *s, u8 turned) { _mm_storel_epi64((__m128i *)d, _mm_xor_si128(_mm_loadl_epi64(s), _mm_set1_epi8((char)turned))); }
EW_INLINE void dw_copy_i16(i16 *d, const void *s) { _mm_storeu_si128((__m128i *)d, _mm_loadu_si128(s)); }
EW_INLINE ix dw_pair(const i16 *p, const i16 *q) {
  const __m128i x = _mm_loadu_si128((const __m128i *)p), y = _mm_loadu_si128((const __m128i *)q);
  return (ix)_mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(x, y)), _mm_unpackhi_epi16(x, y), 1);
}
EW_INLINE ix dw_dot_pair(ix acc, ix a, ix w) { return ix_add(acc, (ix)_mm256_madd_epi16((ew_mx)a, (ew_mx)w)); }`;

const BYTES_256 = `
typedef dw_i16 dw_u8;
EW_INLINE dw_u8 dw_taps_u8(const u8 *p) { const ew_mx t = (ew_mx)dw_taps(p); return (dw_u8){(ix)_mm256_and_si256(t, _mm256_set1_epi16(255)), (ix)_mm256_srli_epi16(t, 8)}; }
#define dw_filter_u8 dw_filter_i16
#define dw_dot_u8 dw_dot_i16
typedef ix dw_pairs; typedef ix dw_sums;
#define dw_taps_pairs dw_taps
#define dw_taps_sums dw_taps
#define dw_filter_pairs fx_load
#define dw_filter_sums fx_load
EW_INLINE ix dw_dot_sums(ix acc, ix t, ix w) { return (ix)_mm256_add_epi16((ew_mx)acc, _mm256_maddubs_epi16((ew_mx)t, (ew_mx)w)); }
EW_INLINE ix dw_total_sums(ix first, ix acc) { return ix_add(first, (ix)_mm256_madd_epi16((ew_mx)acc, _mm256_set1_epi16(1))); }
EW_INLINE ix dw_dot_pairs(ix acc, ix t, ix w) { return dw_total_sums(acc, (ix)_mm256_maddubs_epi16((ew_mx)t, (ew_mx)w)); }`;

const bytesVnni = (dpbusd: string): string => `
typedef ix dw_u8;
#define dw_taps_u8 dw_taps
#define dw_filter_u8 fx_load
EW_INLINE ix dw_dot_u8(ix acc, ix t, ix w) { __asm__("${dpbusd} %2, %1, %0" : "+v"(acc) : "v"(t), "v"(w)); return acc; }`;

/** Taps 0 and 2 of a channel side by side, and taps 1 and 3. */
const DEPTHWISE_PAIRS = `
typedef struct { ix even, odd; } dw_i16;
EW_INLINE dw_i16 dw_filter_i16(const i8 *p) {
  const ix w = fx_load(p);
  return (dw_i16){(ix)((ew_wh)((ew_wh)w << 8) >> 8), (ix)((ew_wh)w >> 8)};
}
EW_INLINE ix dw_dot_pair(ix acc, ix a, ix w);
EW_INLINE ix dw_dot_i16(ix acc, dw_i16 a, dw_i16 w) { return dw_dot_pair(dw_dot_pair(acc, a.even, w.even), a.odd, w.odd); }
/* where taps 1 to 3 are none */
EW_INLINE ix dw_dot_one(ix acc, dw_i16 a, dw_i16 w) { return dw_dot_pair(acc, a.even, w.even); }
`;

const DEPTHWISE = `
EW_INLINE dw_i16 dw_taps_i16(const i16 *p) { return (dw_i16){dw_pair(p, p + 2 * EW_LANES), dw_pair(p + EW_LANES, p + 3 * EW_LANES)}; }
/* a line of \`pixels\` pixels of EW_LANES channels: \`left\` of padding, w of the image (pitch apart), padding; the image's line may lie outside. Bytes are made unsigned, as those of pad are */
EW_SHARED void dw_line_u8(u8 *d, const i8 *s, i64 pitch, i32 left, i32 w, i32 pixels, i32 outside, const u8 *pad) {
  i32 i = 0; const i32 end = outside ? 0 : left + w < pixels ? left + w : pixels;
  for (; i < (left < end ? left : end); i++, d += EW_LANES) dw_copy_i8(d, pad, 0);
  for (; i + 4 <= end; i += 4, d += 4 * EW_LANES, s += 4 * pitch) { dw_copy_i8(d + 0 * EW_LANES, s + 0 * pitch, 0x80); dw_copy_i8(d + 1 * EW_LANES, s + 1 * pitch, 0x80); dw_copy_i8(d + 2 * EW_LANES, s + 2 * pitch, 0x80); dw_copy_i8(d + 3 * EW_LANES, s + 3 * pitch, 0x80); }
  for (; i < end; i++, d += EW_LANES, s += pitch) dw_copy_i8(d, s, 0x80);
  for (; i < pixels; i++, d += EW_LANES) dw_copy_i8(d, pad, 0);
}
EW_SHARED void dw_line_i16(i16 *d, const i16 *s, i64 pitch, i32 left, i32 w, i32 pixels, i32 outside, const i16 *pad) {
  i32 i = 0; const i32 end = outside ? 0 : left + w < pixels ? left + w : pixels;
  for (; i < (left < end ? left : end); i++, d += EW_LANES) dw_copy_i16(d, pad);
  for (; i + 4 <= end; i += 4, d += 4 * EW_LANES, s += 4 * pitch) { dw_copy_i16(d + 0 * EW_LANES, s + 0 * pitch); dw_copy_i16(d + 1 * EW_LANES, s + 1 * pitch); dw_copy_i16(d + 2 * EW_LANES, s + 2 * pitch); dw_copy_i16(d + 3 * EW_LANES, s + 3 * pitch); }
  for (; i < end; i++, d += EW_LANES, s += pitch) dw_copy_i16(d, s);
  for (; i < pixels; i++, d += EW_LANES) dw_copy_i16(d, pad);
}
`;
