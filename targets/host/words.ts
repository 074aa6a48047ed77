import type { Width } from './width.ts';

/** The words of sdk/compile/emit/c/lanes.ts for 8 and 16 lanes. */
export function wideWords(w: Width): string {
  return `${words(w)}${w.lanes === 16 ? WORDS_512 : WORDS_256}`;
}

function words({ lanes, bytes, mm, si }: Width): string {
  return `
#define EW_LANES ${lanes}
typedef int ew_wi __attribute__((vector_size(${bytes})));
typedef unsigned ew_wu __attribute__((vector_size(${bytes})));
typedef float ew_wf __attribute__((vector_size(${bytes})));
typedef short ew_wh __attribute__((vector_size(${bytes})));
typedef unsigned short ew_wuh __attribute__((vector_size(${bytes})));
typedef ew_wi fx; typedef ew_wi ix;
typedef ew_wi ew_anyx __attribute__((aligned(1), may_alias));
typedef __m${bytes * 8}i ew_mx; typedef __m${bytes * 8} ew_mf;
EW_INLINE fx fx_load(const void *p) { return *(const ew_anyx *)p; }
#define fx_store(p, v) (*(ew_anyx *)(p) = (v))
EW_INLINE ix ix_splat(i32 x) { return (ix)${mm}_set1_epi32(x); }
EW_INLINE fx fx_splat(float x) { return (fx)${mm}_set1_ps(x); }
#define fx_load_splat(p) ix_splat(*(const ew_any4 *)(p))
#define fx_add(a, b) ((fx)((ew_wf)(a) + (ew_wf)(b)))
#define fx_sub(a, b) ((fx)((ew_wf)(a) - (ew_wf)(b)))
#define fx_mul(a, b) ((fx)((ew_wf)(a) * (ew_wf)(b)))
#define fx_div(a, b) ((fx)((ew_wf)(a) / (ew_wf)(b)))
#define fx_min(a, b) ((fx)${mm}_min_ps((ew_mf)(b), (ew_mf)(a)))
#define fx_max(a, b) ((fx)${mm}_max_ps((ew_mf)(b), (ew_mf)(a)))
#define fx_sqrt(v) ((fx)${mm}_sqrt_ps((ew_mf)(v)))
#define fx_neg(a) x_xor((a), ix_splat((i32)0x80000000u))
#define fx_abs(a) x_and((a), ix_splat(0x7fffffff))
#define fx_eq(a, b) ((fx)((ew_wf)(a) == (ew_wf)(b)))
#define fx_lt(a, b) ((fx)((ew_wf)(a) < (ew_wf)(b)))
#define fx_le(a, b) ((fx)((ew_wf)(a) <= (ew_wf)(b)))
#define fx_from_i4(v) ((fx)${mm}_cvtepi32_ps((ew_mx)(v)))
#define x_and(a, b) ((a) & (b))
#define x_or(a, b) ((a) | (b))
#define x_xor(a, b) ((a) ^ (b))
#define x_andnot(a, b) ((a) & ~(b))
#define x_not(a) (~(a))
EW_INLINE fx x_select(fx mask, fx a, fx b) { return (a & mask) | (b & ~mask); }
#define ix_load(p) fx_load(p)
#define ix_store(p, v) fx_store((p), (v))
#define ix_add(a, b) ((ix)((ew_wu)(a) + (ew_wu)(b)))
#define ix_sub(a, b) ((ix)((ew_wu)(a) - (ew_wu)(b)))
#define ix_mul(a, b) ((ix)((ew_wu)(a) * (ew_wu)(b)))
#define ix_shl(v, n) ((ix)((ew_wu)(v) << ((n) & 31)))
#define ix_shr(v, n) ((ix)((ew_wi)(v) >> ((n) & 31)))
EW_INLINE ix ix_from_f4(fx v) {
  const fx number = x_and(v, fx_eq(v, v));
  return x_xor((ix)${mm}_cvttps_epi32((ew_mf)number), fx_le(fx_splat(2147483648.0f), number));
}
/* vectors of 16 bits */
typedef ew_wh hx;
#define hx_load(p) ((hx)EW_LOADX(p))
#define hx_store(p, v) EW_STOREX((p), (ew_mx)(v))
#define hx_add(a, b) ((hx)((ew_wuh)(a) + (ew_wuh)(b)))
#define hx_sub(a, b) ((hx)((ew_wuh)(a) - (ew_wuh)(b)))
#define EW_LOADX(p) ${mm}_loadu_${si}((const ew_mx *)(p))
#define EW_STOREX(p, v) ${mm}_storeu_${si}((ew_mx *)(p), (v))
`;
}

const WORDS_512 = `
/* lanes of a table of eight */
#define fx_of_eight(table, i) ((fx)_mm512_permutexvar_ps((ew_mx)(i), _mm512_castps256_ps512(_mm256_loadu_ps(table))))
#define fx_floor(v) ((fx)_mm512_roundscale_ps((ew_mf)(v), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC))
#define fx_ceil(v) ((fx)_mm512_roundscale_ps((ew_mf)(v), _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC))
#define fx_round(v) ((fx)_mm512_roundscale_ps((ew_mf)(v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
/* the first n lanes, and zeros */
#define fx_load_part(p, n) ((fx)_mm512_maskz_loadu_epi32((__mmask16)((1u << (n)) - 1), p))
/* eight lanes, and the same again */
#define fx_load_twice(p) ((fx)_mm512_broadcast_f32x8(_mm256_loadu_ps((const float *)(p))))
#define ix_load_twice(p) fx_load_twice(p)
#define ix_load_i8(p) ((ix)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p))))
#define ix_load_i16(p) ((ix)_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(p))))
#define fx_load_bool(p) ((fx)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))))
/* saturated; _part: the first n lanes */
#define ix_store_i8(p, v) _mm_storeu_si128((__m128i *)(p), _mm512_cvtsepi32_epi8((ew_mx)(v)))
#define ix_store_i16(p, v) _mm256_storeu_si256((__m256i *)(p), _mm512_cvtsepi32_epi16((ew_mx)(v)))
/* two vectors of codes at p and two at q, all saturated; four at p */
EW_INLINE ew_mx ew_pack_i8(ix a, ix b, ix c, ix d) {
  const ew_mx lanes = _mm512_packs_epi16(_mm512_packs_epi32((ew_mx)a, (ew_mx)b), _mm512_packs_epi32((ew_mx)c, (ew_mx)d));
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(${[0, 1, 2, 3].flatMap((v) => [0, 4, 8, 12].map((l) => l + v))}), lanes);
}
EW_INLINE void ix_store_i8_pairs(i8 *p, i8 *q, ix a, ix b, ix c, ix d) {
  const ew_mx all = ew_pack_i8(a, b, c, d);
  _mm256_storeu_si256((__m256i *)p, _mm512_castsi512_si256(all)); _mm256_storeu_si256((__m256i *)q, _mm512_extracti64x4_epi64(all, 1));
}
#define ix_store_i8_four(p, a, b, c, d) EW_STOREX((p), ew_pack_i8((a), (b), (c), (d)))
/* stores under a mask are slow, those that narrow as well most of all, whatever the mask is */
EW_INLINE void ix_store_i8_part(i8 *p, ix v, i32 n) {
  const __m128i t = _mm512_cvtsepi32_epi8((ew_mx)v);
  if (n == 16) _mm_storeu_si128((__m128i *)p, t);
  else if (n == 8) _mm_storel_epi64((__m128i *)p, t);
  else _mm_mask_storeu_epi8(p, (__mmask16)((1u << n) - 1), t);
}
EW_INLINE void ix_store_i16_part(i16 *p, ix v, i32 n) {
  const __m256i t = _mm512_cvtsepi32_epi16((ew_mx)v);
  if (n == 16) _mm256_storeu_si256((__m256i *)p, t);
  else if (n == 8) _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(t));
  else _mm256_mask_storeu_epi16(p, (__mmask16)((1u << n) - 1), t);
}
`;

const WORDS_256 = `
#define fx_of_eight(table, i) ((fx)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (ew_mx)(i)))
#define fx_floor(v) ((fx)_mm256_floor_ps((ew_mf)(v)))
#define fx_ceil(v) ((fx)_mm256_ceil_ps((ew_mf)(v)))
#define fx_round(v) ((fx)_mm256_round_ps((ew_mf)(v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
/* the first n lanes, and zeros */
#define fx_load_part(p, n) ((fx)_mm256_maskload_epi32((const int *)(p), _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))))
#define ix_load_i8(p) ((ix)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p))))
#define ix_load_i16(p) ((ix)_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(p))))
#define fx_load_bool(p) ((fx)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))))
/* saturated; _part: the first n lanes */
EW_INLINE __m128i ew_narrow_i16(ix v) { return _mm_packs_epi32(_mm256_castsi256_si128((ew_mx)v), _mm256_extracti128_si256((ew_mx)v, 1)); }
#define ix_store_i16(p, v) _mm_storeu_si128((__m128i *)(p), ew_narrow_i16(v))
EW_INLINE void ix_store_i8(i8 *p, ix v) { const __m128i h = ew_narrow_i16(v); _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(h, h)); }
/* two vectors of codes at p and two at q, all saturated; four at p */
EW_INLINE ew_mx ew_pack_i8(ix a, ix b, ix c, ix d) {
  const ew_mx halves = _mm256_packs_epi16(_mm256_packs_epi32((ew_mx)a, (ew_mx)b), _mm256_packs_epi32((ew_mx)c, (ew_mx)d));
  return _mm256_permutevar8x32_epi32(halves, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
EW_INLINE void ix_store_i8_pairs(i8 *p, i8 *q, ix a, ix b, ix c, ix d) {
  const ew_mx all = ew_pack_i8(a, b, c, d);
  _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(all)); _mm_storeu_si128((__m128i *)q, _mm256_extracti128_si256(all, 1));
}
#define ix_store_i8_four(p, a, b, c, d) EW_STOREX((p), ew_pack_i8((a), (b), (c), (d)))
EW_INLINE void ix_store_i16_part(i16 *p, ix v, i32 n) { i16 t[8]; ix_store_i16(t, v); for (i32 j = 0; j < n; j++) p[j] = t[j]; }
EW_INLINE void ix_store_i8_part(i8 *p, ix v, i32 n) { i8 t[8]; ix_store_i8(t, v); for (i32 j = 0; j < n; j++) p[j] = t[j]; }
`;
