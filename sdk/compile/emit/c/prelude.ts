/** Helpers that work on any number of lanes. */
export const LANE_PRELUDE = `
/* round to nearest even; exact for |v| < 2^22, so v is clamped to +-2^21 first */
EW_INLINE i4 ew_round(f4 v) {
  v = f4_min(f4_max(v, f4_splat(-2097152.0f)), f4_splat(2097152.0f));
  return i4_sub(f4_add(v, f4_splat(12582912.0f)), i4_splat(0x4B400000));
}
/* the same plus zp, for |v| < 2^22 */
EW_INLINE i4 ew_round_add(f4 v, i4 zp) { return i4_sub(f4_add(v, f4_splat(12582912.0f)), i4_sub(i4_splat(0x4B400000), zp)); }
/* what is to be taken off v + 1.5 * 2^23, as an integer, for that */
EW_INLINE i4 ew_round_base(i4 zp) { return i4_sub(i4_splat(0x4B400000), zp); }
/* codes less their zero point times the step */
EW_INLINE f4 ew_decode(i4 q, i4 zp, f4 step) { return f4_mul(f4_from_i4(i4_sub(q, zp)), step); }
EW_INLINE f4 ew_bool(f4 mask) { return v_and(mask, f4_splat(1.0f)); }
EW_INLINE f4 ew_eq(f4 a, f4 b) { return ew_bool(f4_eq(a, b)); }
EW_INLINE f4 ew_lt(f4 a, f4 b) { return ew_bool(f4_lt(a, b)); }
EW_INLINE f4 ew_le(f4 a, f4 b) { return ew_bool(f4_le(a, b)); }
EW_INLINE f4 ew_zero_mask(f4 a) { return f4_eq(a, f4_splat(0.0f)); }
EW_INLINE f4 ew_not(f4 a) { return ew_bool(ew_zero_mask(a)); }
EW_INLINE f4 ew_and(f4 a, f4 b) { return v_andnot(f4_splat(1.0f), v_or(ew_zero_mask(a), ew_zero_mask(b))); }
EW_INLINE f4 ew_or(f4 a, f4 b) { return v_andnot(f4_splat(1.0f), v_and(ew_zero_mask(a), ew_zero_mask(b))); }
EW_INLINE f4 ew_sel(f4 c, f4 a, f4 b) { return v_select(ew_zero_mask(c), b, a); }
`;

/** Helpers every module needs, on top of a target's vector header. Text only; semantics are those of sdk/ir/kernel.ts. */
export const PRELUDE = `${LANE_PRELUDE}#ifndef EW_KEEP
#define EW_KEEP(v)
#endif
/* four of eight codes times 2^16 times their step: in the upper half of a lane their sign is that of the lane, and 2^16 changes no bit of a fraction */
EW_INLINE f4 ew_decode_lo(h8 q, f4 step) { return f4_mul(f4_from_i4(h8_zip_lo(h8_splat(0), q)), step); }
EW_INLINE f4 ew_decode_hi(h8 q, f4 step) { return f4_mul(f4_from_i4(h8_zip_hi(h8_splat(0), q)), step); }
/* sum and maximum of the four lanes, in a fixed order */
EW_INLINE float ew_sum4(f4 v) { return (f4_lane(v, 0) + f4_lane(v, 1)) + (f4_lane(v, 2) + f4_lane(v, 3)); }
EW_INLINE float ew_max4(f4 v) {
  float a = f4_lane(v, 0), b = f4_lane(v, 1), c = f4_lane(v, 2), d = f4_lane(v, 3);
  a = a < b ? b : a; c = c < d ? d : c; return a < c ? c : a;
}
/* n (1..4) floats at p in the low lanes, the rest filled with v */
EW_INLINE f4 ew_load_part(const float *p, i32 n, float v) {
  float t[4] = {v, v, v, v}; for (i32 i = 0; i < n; i++) t[i] = p[i]; return f4_load(t);
}
EW_INLINE void ew_store_part(float *p, i32 n, f4 v) { float t[4]; f4_store(t, v); for (i32 i = 0; i < n; i++) p[i] = t[i]; }
/* n i8 -> i16 */
static void ew_widen(i16 *d, const i8 *s, i32 n) {
  i32 i = 0; for (; i + 8 <= n; i += 8) h8_store(d + i, h8_load_i8(s + i));
  for (; i < n; i++) d[i] = s[i];
}
/* n i8 less zp -> i16 */
static void ew_widen_less(i16 *d, const i8 *s, i32 n, i32 zp) {
  const h8 z = h8_splat((i16)zp);
  i32 i = 0; for (; i + 8 <= n; i += 8) h8_store(d + i, h8_sub(h8_load_i8(s + i), z));
  for (; i < n; i++) d[i] = (i16)(s[i] - zp);
}
/* n i16 within i8's range -> i8 */
static void ew_narrow(i8 *d, const i16 *s, i32 n) {
  i32 i = 0; for (; i + 16 <= n; i += 16) b16_store(d + i, b16_narrow(h8_load(s + i), h8_load(s + i + 8)));
  for (; i < n; i++) d[i] = (i8)s[i];
}
/* h in [-1, 1] to round(h * 127), as i16; initial states may lie outside, and are limited to what 8 bits hold; the padding after n is zero */
static void ew_quantize_h(const float *h, i16 *q, i32 n, i32 padded) {
  i32 k = 0;
  for (; k < n; k += 8) {
    const f4 s = f4_splat(127.0f);
    const h8 codes = h8_narrow(ew_round(f4_mul(f4_load(h + k), s)), ew_round(f4_mul(f4_load(h + k + 4), s)));
    h8_store(q + k, h8_extend_lo_i8(b16_narrow(codes, codes)));
  }
  for (k = n; k < padded; k++) q[k] = 0;
}
/* four consecutive elements of an array of n, the last one repeated past the end */
EW_INLINE f4 ew_load_row(const float *p, i32 i, i32 n) {
  return i + 4 <= n ? f4_load(p + i) : f4_make(p[i < n ? i : n - 1], p[i + 1 < n ? i + 1 : n - 1], p[i + 2 < n ? i + 2 : n - 1], p[i + 3 < n ? i + 3 : n - 1]);
}
/* ONNX recurrent bias [d][2*gh]: input part + recurrent part of row n over all directions */
EW_INLINE float ew_bias2(const float *b, i32 n, i32 gh, i32 rows) {
  if (n >= rows) n = rows - 1;
  const float *p = b + n / gh * 2 * gh + n % gh;
  return p[0] + p[gh];
}
static void ew_fill16(i16 *d, i32 v, i32 n) {
  i32 i = 0; for (; i + 8 <= n; i += 8) h8_store(d + i, h8_splat((i16)v));
  for (; i < n; i++) d[i] = (i16)v;
}
#ifdef EW_DOT7
/* b16_dot7 for sums of two products that fit 16 bits, where it is not to be used (\`ew_chained\`) either */
#ifdef h8_dot7
#define ew_add7(a, w, acc) i4_add_pairs((acc), h8_dot7((a), (w)))
#else
#define ew_add7 b16_dot7
#define ew_chained 0
#endif
#ifdef h8_dot7
/* n bytes, and up to 15 more, with bits turned round: activations where the dot product of bytes wants them without a sign; d may be s */
static void ew_flip(i8 *d, const i8 *s, i32 n, b16 bits) {
  for (i32 i = 0; i < n; i += 16) b16_store(d + i, v_xor(b16_load(s + i), bits));
}
#endif
/* -offset * sum of each of mb rows, which are so many pieces of kp codes, a multiple of 4, some distance apart */
static void ew_row_sums(const i8 *d, i32 *s, i32 mb, i32 kp, i32 pitch, i32 pieces, i32 apart, i32 offset) {
  const b16 one = b16_splat(1);
  for (i32 i = 0; i < mb; i++, d += pitch) {
    i4 c = i4_splat(0), t = c; const i8 *p = d;
    for (i32 j = 0; j < pieces; j++, p += apart) {
      i32 k = 0;
      for (; k + 16 <= kp; k += 16) c = ew_add7(b16_load(p + k), one, c);
      for (; k < kp; k += 4) t = ew_add7(b16_load_splat4(p + k), one, t);
    }
    s[i] = -offset * (((i4_lane(c, 0) + i4_lane(c, 1)) + (i4_lane(c, 2) + i4_lane(c, 3))) + i4_lane(t, 0));
  }
}
#else
#define ew_chained 0
#endif
`;
