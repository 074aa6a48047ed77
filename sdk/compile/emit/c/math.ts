/** What works on any number of lanes. */
export const LANE_MATH = `
EW_INLINE f4 ew_rint(f4 v) { return f4_sub(f4_add(v, f4_splat(12582912.0f)), f4_splat(12582912.0f)); }
/* rounded, and as integers */
EW_INLINE i4 ew_rint_i4(f4 v, f4 *rounded) {
  const f4 t = f4_add(v, f4_splat(12582912.0f));
  *rounded = f4_sub(t, f4_splat(12582912.0f)); return i4_sub(t, i4_splat(0x4B400000));
}
EW_INLINE f4 ew_pow2i(i4 n) { return i4_shl(i4_add(n, i4_splat(127)), 23); }
#define EW_H(r, x, c) f4_add(f4_mul(r, x), f4_splat(c))
/* e^(x + lo) */
EW_INLINE f4 ew_exp_lo(f4 x, f4 lo) {
  f4 y = f4_min(f4_max(x, f4_splat(-104.0f)), f4_splat(89.0f));
  f4 n; i4 k = ew_rint_i4(f4_mul(y, f4_splat(1.44269504088896341f)), &n);
  f4 r = f4_add(f4_sub(f4_sub(y, f4_mul(n, f4_splat(0.693359375f))), f4_mul(n, f4_splat(-2.12194440e-4f))), lo);
  f4 p = f4_splat(1.9875691500e-4f);
  p = EW_H(p, r, 1.3981999507e-3f); p = EW_H(p, r, 8.3334519073e-3f); p = EW_H(p, r, 4.1665795894e-2f);
  p = EW_H(p, r, 1.6666665459e-1f); p = EW_H(p, r, 5.0000001201e-1f);
  p = f4_add(f4_add(f4_mul(p, f4_mul(r, r)), r), f4_splat(1.0f));
  i4 half = i4_shr(k, 1);
  return f4_mul(f4_mul(p, ew_pow2i(half)), ew_pow2i(i4_sub(k, half)));
}
/* e^x as p times 2^k */
EW_INLINE f4 ew_exp_split(f4 y, i4 *k) {
  f4 n; *k = ew_rint_i4(f4_mul(y, f4_splat(1.44269504088896341f)), &n);
  f4 r = f4_sub(f4_sub(y, f4_mul(n, f4_splat(0.693359375f))), f4_mul(n, f4_splat(-2.12194440e-4f)));
  f4 p = f4_splat(1.9875691500e-4f);
  p = EW_H(p, r, 1.3981999507e-3f); p = EW_H(p, r, 8.3334519073e-3f); p = EW_H(p, r, 4.1665795894e-2f);
  p = EW_H(p, r, 1.6666665459e-1f); p = EW_H(p, r, 5.0000001201e-1f);
  return f4_add(f4_add(f4_mul(p, f4_mul(r, r)), r), f4_splat(1.0f));
}
EW_INLINE f4 ew_exp(f4 x) {
  i4 k; f4 p = ew_exp_split(f4_min(f4_max(x, f4_splat(-104.0f)), f4_splat(89.0f)), &k);
  i4 half = i4_shr(k, 1);
  return f4_mul(f4_mul(p, ew_pow2i(half)), ew_pow2i(i4_sub(k, half)));
}
/* the same for x up to 0: the second product alone rounds */
EW_INLINE f4 ew_exp_below(f4 x) {
  i4 k; f4 p = ew_exp_split(f4_max(x, f4_splat(-104.0f)), &k);
  return f4_mul(f4_mul(p, ew_pow2i(i4_add(k, i4_splat(32)))), f4_splat(2.3283064365386963e-10f));
}
/* the same for x from -80 on: 2^128 is half of it, twice */
EW_INLINE f4 ew_exp_above(f4 x) {
  i4 k; f4 p = ew_exp_split(f4_min(x, f4_splat(89.0f)), &k);
  return f4_mul(f4_add(p, p), ew_pow2i(i4_sub(k, i4_splat(1))));
}
/* the same for |x| < 80, where the product with 2^k is exact */
EW_INLINE f4 ew_exp_near(f4 x) { i4 k; f4 p = ew_exp_split(x, &k); return f4_mul(p, ew_pow2i(k)); }
/* beside 1, e^-80 is nothing */
EW_INLINE f4 ew_sigmoid(f4 x) { return f4_div(f4_splat(1.0f), f4_add(f4_splat(1.0f), ew_exp_above(f4_max(f4_neg(x), f4_splat(-80.0f))))); }
/* x = m 2^e: t = m - 1 with m in [sqrt 1/2, sqrt 2) */
EW_INLINE f4 ew_split_log(f4 x, f4 *e) {
  f4 small = f4_lt(x, f4_splat(1.17549435e-38f));
  i4 i = v_select(small, f4_mul(x, f4_splat(8388608.0f)), x);
  i4 k = i4_sub(i4_sub(v_and(i4_shr(i, 23), i4_splat(255)), i4_splat(126)), v_and(small, i4_splat(23)));
  f4 m = v_or(v_and(i, i4_splat(0x007fffff)), i4_splat(0x3f000000));
  f4 low = f4_lt(m, f4_splat(0.707106781186547524f));
  k = i4_sub(k, v_and(low, i4_splat(1)));
  m = v_select(low, f4_add(m, m), m);
  *e = f4_from_i4(k);
  return f4_sub(m, f4_splat(1.0f));
}
EW_INLINE f4 ew_log_poly(f4 t) {
  f4 p = f4_splat(7.0376836292e-2f);
  p = EW_H(p, t, -1.1514610310e-1f); p = EW_H(p, t, 1.1676998740e-1f); p = EW_H(p, t, -1.2420140846e-1f); p = EW_H(p, t, 1.4249322787e-1f);
  p = EW_H(p, t, -1.6668057665e-1f); p = EW_H(p, t, 2.0000714765e-1f); p = EW_H(p, t, -2.4999993993e-1f); p = EW_H(p, t, 3.3333331174e-1f);
  return p;
}
static f4 ew_log(f4 x) {
  f4 e, t = ew_split_log(x, &e), z = f4_mul(t, t);
  f4 y = f4_mul(f4_mul(ew_log_poly(t), t), z);
  y = f4_add(y, f4_mul(e, f4_splat(-2.12194440e-4f)));
  y = f4_sub(y, f4_mul(z, f4_splat(0.5f)));
  f4 r = f4_add(f4_add(t, y), f4_mul(e, f4_splat(0.693359375f)));
  r = v_select(f4_eq(x, f4_splat(__builtin_inff())), x, r);
  r = v_select(f4_lt(f4_splat(0.0f), x), r, f4_splat(__builtin_nanf("")));
  return v_select(f4_eq(x, f4_splat(0.0f)), f4_splat(-__builtin_inff()), r);
}
EW_INLINE f4 ew_tanh(f4 x) {
  f4 a = f4_abs(x), z = f4_mul(x, x);
  f4 p = f4_splat(-5.70498872745e-3f);
  p = EW_H(p, z, 2.06390887954e-2f); p = EW_H(p, z, -5.37397155531e-2f); p = EW_H(p, z, 1.33314422036e-1f); p = EW_H(p, z, -3.33332819422e-1f);
  f4 lo = f4_add(f4_mul(f4_mul(p, z), x), x);
  f4 hi = f4_sub(f4_splat(1.0f), f4_div(f4_splat(2.0f), f4_add(ew_exp_above(f4_add(a, a)), f4_splat(1.0f))));
  hi = v_select(f4_lt(x, f4_splat(0.0f)), f4_neg(hi), hi);
  return v_select(f4_lt(a, f4_splat(0.625f)), lo, hi);
}
static f4 ew_erf(f4 x) {
  f4 y = f4_min(f4_max(x, f4_splat(-4.0f)), f4_splat(4.0f)), z = f4_mul(y, y);
  f4 p = f4_splat(-2.72614225801306e-10f), q = f4_splat(-1.45660718464996e-5f);
  p = EW_H(p, z, 2.77068142495902e-8f); p = EW_H(p, z, -2.10102402082508e-6f); p = EW_H(p, z, -5.69250639462346e-5f);
  p = EW_H(p, z, -7.34990630326855e-4f); p = EW_H(p, z, -2.95459980854025e-3f); p = EW_H(p, z, -1.60960333262415e-2f);
  q = EW_H(q, z, -2.13374055278905e-4f); q = EW_H(q, z, -1.68282697438203e-3f); q = EW_H(q, z, -7.37332916720468e-3f); q = EW_H(q, z, -1.42647390514189e-2f);
  f4 r = f4_div(f4_mul(y, p), q);
  return f4_min(f4_max(r, f4_splat(-1.0f)), f4_splat(1.0f));
}
static f4 ew_sincos(f4 x, i32 shift) {
  f4 n = ew_rint(f4_mul(x, f4_splat(0.636619772367581343f)));
  f4 r = f4_sub(f4_sub(f4_sub(x, f4_mul(n, f4_splat(1.5703125f))), f4_mul(n, f4_splat(4.8375129699707031e-4f))), f4_mul(n, f4_splat(7.5497899548918821e-8f)));
  f4 z = f4_mul(r, r);
  f4 s = f4_splat(-1.9515295891e-4f); s = EW_H(s, z, 8.3321608736e-3f); s = EW_H(s, z, -1.6666654611e-1f);
  s = f4_add(f4_mul(f4_mul(s, z), r), r);
  f4 c = f4_splat(2.443315711809948e-5f); c = EW_H(c, z, -1.388731625493765e-3f); c = EW_H(c, z, 4.166664568298827e-2f);
  c = f4_add(f4_sub(f4_mul(f4_mul(c, z), z), f4_mul(z, f4_splat(0.5f))), f4_splat(1.0f));
  i4 q = v_and(i4_add(i4_from_f4(n), i4_splat(shift)), i4_splat(3));
  i4 odd = i4_sub(i4_splat(0), v_and(q, i4_splat(1))), flip = i4_shl(v_and(q, i4_splat(2)), 30);
  return v_xor(v_select(odd, c, s), flip);
}
EW_INLINE f4 ew_sin(f4 x) { return ew_sincos(x, 0); }
EW_INLINE f4 ew_cos(f4 x) { return ew_sincos(x, 1); }
`;

const POWERS = `EW_INLINE float ew_lane0(f4 v) { return f4_lane(v, 0); }
static float ew_head(float x) { return ew_lane0(v_and(f4_splat(x), i4_splat((i32)0xfffff000))); }
static float ew_two_sum(float a, float b, float *e) {
  float s = a + b, bb = s - a; *e = (a - (s - bb)) + (b - bb); return s;
}
static float ew_pow_positive(float a, float y) {
  if (a != a || y != y) return __builtin_nanf("");
  if (a == 0.0f) return y < 0.0f ? __builtin_inff() : 0.0f;
  if (a == __builtin_inff()) return y < 0.0f ? 0.0f : a;
  f4 ev; float t = ew_lane0(ew_split_log(f4_splat(a), &ev)), e = ew_lane0(ev);
  float th = ew_head(t), tl = t - th, half = (th * th) * 0.5f, rest = (th * tl) + ((tl * tl) * 0.5f), z = t * t;
  float tail = ((ew_lane0(ew_log_poly(f4_splat(t))) * t) * z + e * -2.12194440e-4f) - rest;
  float e1, e2, le, s1 = ew_two_sum(e * 0.693359375f, t, &e1), s2 = ew_two_sum(s1, -half, &e2);
  float ls = ew_two_sum(s2, (e1 + e2) + tail, &le);
  float w = y * ls, yh = ew_head(y), yl = y - yh, lh = ew_head(ls), ll = ls - lh;
  float product = ((((yh * lh) - w) + (yh * ll)) + (yl * lh)) + (yl * ll);
  float lo = product + (y * le);
  float aw = w < 0.0f ? -w : w;
  return ew_lane0(ew_exp_lo(f4_splat(w), f4_splat(aw < 89.0f ? lo : 0.0f)));
}
static float ew_pow1(float x, float y) {
  if (y == 0.0f || x == 1.0f) return 1.0f;
  i32 integer = __builtin_floorf(y) == y;
  float ay = y < 0.0f ? -y : y;
  i32 odd = integer && ay < 16777216.0f && y * 0.5f != __builtin_floorf(y * 0.5f);
  i32 negative = i4_lane(f4_splat(x), 0) < 0;
  float magnitude = ew_pow_positive(negative ? -x : x, y);
  if (x < 0.0f && !integer) return __builtin_nanf("");
  return odd && negative ? -magnitude : magnitude;
}
static f4 ew_pow(f4 x, f4 y) {
  return f4_make(ew_pow1(f4_lane(x, 0), f4_lane(y, 0)), ew_pow1(f4_lane(x, 1), f4_lane(y, 1)), ew_pow1(f4_lane(x, 2), f4_lane(y, 2)), ew_pow1(f4_lane(x, 3), f4_lane(y, 3)));
}
EW_INLINE f4 ew_mod(f4 a, f4 b) { f4 q = f4_div(a, b); f4 t = v_select(f4_lt(q, f4_splat(0.0f)), f4_ceil(q), f4_floor(q)); return f4_sub(a, f4_mul(b, t)); }
`;

/** C version of sdk/ir/math.ts: the same operations in the same order but where a shorter way gives the same bits. Compiled with -ffp-contract=off. */
export const MATH = `${LANE_MATH}${POWERS}`;
