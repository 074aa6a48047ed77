/**
 * The vocabulary of kernels for microcontrollers, in plain C99: names and meaning of targets/wasm/simd.ts with one lane instead of four,
 * which lies in an unsigned integer, be it a float, an integer or a mask. Compilers see through the conversions, and keep floats in
 * floating point registers where there are some. Every form gives the bits that a lane of the WebAssembly instruction gives; the square
 * root and the rounding are the text's own, since they may be calls of a mathematical library that is not there.
 */
export const LANE = `
typedef int8_t i8;
typedef uint8_t u8;
typedef int16_t i16;
typedef uint16_t u16;
typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef u32 f4;
typedef u32 i4;
typedef union { float value; u32 bits; } ew_word;
#define EW_INLINE static inline
#define EW_SHARED static
#define EW_ROLLED
#define EW_INFINITY ew_float(0x7f800000u)
#define EW_NAN ew_float(0x7fc00000u)
#define ew_copy(d, s, n) memcpy((d), (s), (size_t)(n))
#define ew_fill(d, v, n) memset((d), (v), (size_t)(n))
EW_INLINE float ew_float(u32 bits) { ew_word w; w.bits = bits; return w.value; }
EW_INLINE f4 f4_splat(float v) { ew_word w; w.value = v; return w.bits; }
EW_INLINE f4 f4_load(const float *p) { return f4_splat(*p); }
EW_INLINE void f4_store(float *p, f4 v) { *p = ew_float(v); }
#define f4_make(a, b, c, d) f4_splat(a)
#define f4_lane(v, i) ew_float(v)
#define i4_lane(v, i) ((i32)(v))
#define i4_splat(v) ((u32)(v))
EW_INLINE f4 f4_add(f4 a, f4 b) { return f4_splat(ew_float(a) + ew_float(b)); }
EW_INLINE f4 f4_sub(f4 a, f4 b) { return f4_splat(ew_float(a) - ew_float(b)); }
EW_INLINE f4 f4_mul(f4 a, f4 b) { return f4_splat(ew_float(a) * ew_float(b)); }
EW_INLINE f4 f4_div(f4 a, f4 b) { return f4_splat(ew_float(a) / ew_float(b)); }
EW_INLINE f4 f4_min(f4 a, f4 b) { return ew_float(b) < ew_float(a) ? b : a; }
EW_INLINE f4 f4_max(f4 a, f4 b) { return ew_float(a) < ew_float(b) ? b : a; }
EW_INLINE f4 f4_neg(f4 a) { return a ^ 0x80000000u; }
EW_INLINE f4 f4_abs(f4 a) { return a & 0x7fffffffu; }
EW_INLINE f4 f4_eq(f4 a, f4 b) { return ew_float(a) == ew_float(b) ? 0xffffffffu : 0u; }
EW_INLINE f4 f4_lt(f4 a, f4 b) { return ew_float(a) < ew_float(b) ? 0xffffffffu : 0u; }
EW_INLINE f4 f4_le(f4 a, f4 b) { return ew_float(a) <= ew_float(b) ? 0xffffffffu : 0u; }
EW_INLINE f4 f4_from_i4(i4 a) { return f4_splat((float)(i32)a); }
/* towards zero, saturated; 0 of what is no number */
EW_INLINE i32 ew_truncate(float v) { return v < 2147483648.0f ? v >= -2147483648.0f ? (i32)v : (i32)(-2147483647 - 1) : v >= 2147483648.0f ? 2147483647 : 0; }
EW_INLINE i4 i4_from_f4(f4 a) { return (u32)ew_truncate(ew_float(a)); }
/* to an integer, the sign of zero kept; from 2^23 on there are only integers */
EW_SHARED f4 f4_round(f4 a) {
  const f4 m = a & 0x7fffffffu;
  return m < 0x4b000000u ? f4_sub(f4_add(m, 0x4b000000u), 0x4b000000u) | (a & 0x80000000u) : a;
}
EW_INLINE f4 f4_floor(f4 a) { const f4 r = f4_round(a); return f4_lt(a, r) ? f4_sub(r, 0x3f800000u) : r; }
EW_INLINE f4 f4_ceil(f4 a) { const f4 r = f4_round(a); return f4_lt(r, a) ? f4_add(r, 0x3f800000u) | (a & 0x80000000u) : r; }
EW_INLINE float ew_floorf(float v) { return ew_float(f4_floor(f4_splat(v))); }
EW_INLINE float ew_ceilf(float v) { return ew_float(f4_ceil(f4_splat(v))); }
/* correctly rounded, bit by bit: the root of m 2^e with e even */
EW_SHARED f4 f4_sqrt(f4 a) {
  i32 e = (i32)(a >> 23) - 127;
  u32 m = a & 0x7fffffu, root = 0, rest = 0, i;
  if (a == 0x7f800000u || (a & 0x7fffffffu) == 0u || (a & 0x7fffffffu) > 0x7f800000u) return a;
  if (a & 0x80000000u) return 0x7fc00000u;
  if (e == -127) { e = -126; while (!(m & 0x800000u)) { m <<= 1; e--; } } else m |= 0x800000u;
  if (e & 1) { m <<= 1; e--; }
  for (i = 0; i < 25u; i++) {
    rest = (rest << 2) | ((m >> 23) & 3u);
    m = (m << 2) & 0x1ffffffu;
    root <<= 1;
    if (rest > root << 1) { rest -= (root << 1) + 1u; root++; }
  }
  return ((root >> 1) & 0x7fffffu) + (root & 1u) + ((u32)(e / 2 + 127) << 23);
}
#define v_and(a, b) ((a) & (b))
#define v_or(a, b) ((a) | (b))
#define v_xor(a, b) ((a) ^ (b))
#define v_andnot(a, b) ((a) & ~(b))
#define v_select(mask, a, b) ((mask) ? (a) : (b))
#define i4_add(a, b) ((a) + (b))
#define i4_sub(a, b) ((a) - (b))
#define i4_shl(a, n) ((a) << (n))
#define i4_shr(a, n) ((u32)((i32)(a) >> (n)))
`;
