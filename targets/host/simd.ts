import { gnuHeader } from '../../sdk/compile/emit/c/gnu.ts';

/** The vector vocabulary on x86-64: SSE 4.1 at least; with AVX-512 VNNI the dot product of bytes. */
export const X86_HEADER = gnuHeader(`
#include <immintrin.h>
#define EW_M(v) ((__m128i)(v))
#define EW_F(v) ((__m128)(v))
/* minps and maxps give the second operand unless the comparison holds */
#define f4_min(a, b) ((f4)_mm_min_ps(EW_F(b), EW_F(a)))
#define f4_max(a, b) ((f4)_mm_max_ps(EW_F(b), EW_F(a)))
#define f4_sqrt(v) ((f4)_mm_sqrt_ps(EW_F(v)))
#define f4_floor(v) ((f4)_mm_floor_ps(EW_F(v)))
#define f4_ceil(v) ((f4)_mm_ceil_ps(EW_F(v)))
#define f4_round(v) ((f4)_mm_round_ps(EW_F(v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
/* cvttps gives the least integer for all that has none: right for large negative values, and one less than the largest integer */
EW_INLINE i4 ew_x86_to_int(f4 v) {
  const __m128 x = EW_F(v), number = _mm_and_ps(x, _mm_cmpord_ps(x, x));
  return (i4)_mm_xor_si128(_mm_cvttps_epi32(number), _mm_castps_si128(_mm_cmpge_ps(number, _mm_set1_ps(2147483648.0f))));
}
#define i4_from_f4 ew_x86_to_int
#define i4_load_u16(p) ((i4)_mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)(p))))
#define h8_load_i8(p) ((h8)_mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(p))))
#define h8_max(a, b) ((h8)_mm_max_epi16(EW_M(a), EW_M(b)))
#define h8_dot(a, b) ((i4)_mm_madd_epi16(EW_M(a), EW_M(b)))
#define h8_extend_lo_i8(v) ((h8)_mm_cvtepi8_epi16(EW_M(v)))
#define h8_extend_hi_i8(v) ((h8)_mm_srai_epi16(_mm_unpackhi_epi8(EW_M(v), EW_M(v)), 8))
#define i4_extend_lo(v) ((i4)_mm_cvtepi16_epi32(EW_M(v)))
#define i4_extend_hi(v) ((i4)_mm_srai_epi32(_mm_unpackhi_epi16(EW_M(v), EW_M(v)), 16))
#define h8_narrow(a, b) ((h8)_mm_packs_epi32(EW_M(a), EW_M(b)))
#define b16_narrow(a, b) ((b16)_mm_packs_epi16(EW_M(a), EW_M(b)))
#define b16_narrow_u8(a, b) ((b16)_mm_packus_epi16(EW_M(a), EW_M(b)))
#define b16_mask(v) _mm_movemask_epi8(EW_M(v))
/* pshufb gives 0 where the top bit of an index is set: from 16 on it is, after a saturated sum */
#define b16_swizzle(v, index) ((b16)_mm_shuffle_epi8(EW_M(v), _mm_adds_epu8(EW_M(index), _mm_set1_epi8(0x70))))
#define b16_pick(v, index) ((b16)_mm_shuffle_epi8(EW_M(v), EW_M(index)))
EW_INLINE f4 ew_x86_bools(const u8 *p) { return (f4)_mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(*(const ew_any4 *)p))); }
#define f4_load_bool ew_x86_bools
#ifdef EW_DOT7
#ifdef __AVX512VNNI__
#define b16_dot7(a, w, acc) ((i4)_mm_dpbusd_epi32(EW_M(acc), EW_M(w), EW_M(a)))
#else
/* pairs of products fit 16 bits: 2 * 127 * 128 < 32768 */
#define b16_dot7(a, w, acc) i4_add((acc), (i4)_mm_madd_epi16(_mm_maddubs_epi16(EW_M(w), EW_M(a)), _mm_set1_epi16(1)))
#endif
#endif
`);
