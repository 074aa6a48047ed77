/**
 * The vector vocabulary (see targets/wasm/simd.ts) for GNU C compilers: gcc and clang. What vector extensions express well is one
 * text for all instruction sets; an instruction set's own text follows it and defines as macros what it has better instructions for;
 * last come general forms of everything that it did not define. So an empty text of its own gives the vocabulary for any processor.
 * All four types are one, as in WebAssembly. Every form gives the bits that the WebAssembly instruction gives.
 */
export function gnuHeader(instructionSet: string): string {
  return `${COMMON}${instructionSet}${GENERAL}`;
}

const COMMON = `
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "weights and values lie in little-endian order"
#endif
typedef signed char i8; typedef unsigned char u8; typedef short i16; typedef unsigned short u16;
typedef int i32; typedef unsigned int u32; typedef long long i64; typedef unsigned long long u64;
typedef int ew_i32x4 __attribute__((vector_size(16)));
typedef unsigned ew_u32x4 __attribute__((vector_size(16)));
typedef float ew_f32x4 __attribute__((vector_size(16)));
typedef short ew_i16x8 __attribute__((vector_size(16)));
typedef unsigned short ew_u16x8 __attribute__((vector_size(16)));
typedef signed char ew_i8x16 __attribute__((vector_size(16)));
typedef unsigned char ew_u8x16 __attribute__((vector_size(16)));
typedef i64 ew_i64x2 __attribute__((vector_size(16)));
typedef unsigned short ew_u16x4 __attribute__((vector_size(8)));
typedef signed char ew_i8x8 __attribute__((vector_size(8)));
typedef ew_i32x4 f4; typedef ew_i32x4 i4; typedef ew_i32x4 h8; typedef ew_i32x4 b16;
/* memory as it comes: any alignment, any type */
typedef ew_i32x4 ew_any16 __attribute__((aligned(1), may_alias));
typedef i64 ew_any8 __attribute__((aligned(1), may_alias));
typedef i32 ew_any4 __attribute__((aligned(1), may_alias));
#define EW_INLINE static inline __attribute__((always_inline, unused))
/* one copy in the module for all kernels */
#define EW_SHARED static __attribute__((noinline, unused))
#ifdef __clang__
#define EW_ROLLED _Pragma("clang loop unroll(disable)")
#define EW_SHUFFLE(type, a, b, ...) ((b16)__builtin_shufflevector((type)(a), (type)(b), __VA_ARGS__))
#else
#define EW_ROLLED _Pragma("GCC unroll 1")
#define EW_SHUFFLE(type, a, b, ...) ((b16)__builtin_shuffle((type)(a), (type)(b), (type){__VA_ARGS__}))
#endif
/* engines hold tiles that are multiplied with one row as those of sdk/wire/row-tiles.ts */
#define EW_ROW_TILES
/* of use to WebAssembly alone */
#define EW_POINTER(p) (void)(p)
#define EW_COUNT(n) (void)(n)

EW_INLINE f4 f4_load(const void *p) { return *(const ew_any16 *)p; }
#define f4_store(p, v) (*(ew_any16 *)(p) = (v))
EW_INLINE i4 i4_splat(i32 x) { return (i4){x, x, x, x}; }
EW_INLINE h8 h8_splat(i16 x) { return (h8)(ew_i16x8){x, x, x, x, x, x, x, x}; }
EW_INLINE b16 b16_splat(i8 x) { return (b16)(ew_i8x16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
EW_INLINE f4 f4_make(float a, float b, float c, float d) { return (f4)(ew_f32x4){a, b, c, d}; }
EW_INLINE f4 f4_splat(float x) { return f4_make(x, x, x, x); }
#define f4_load_splat(p) i4_splat(*(const ew_any4 *)(p))
#define f4_add(a, b) ((f4)((ew_f32x4)(a) + (ew_f32x4)(b)))
#define f4_sub(a, b) ((f4)((ew_f32x4)(a) - (ew_f32x4)(b)))
#define f4_mul(a, b) ((f4)((ew_f32x4)(a) * (ew_f32x4)(b)))
#define f4_div(a, b) ((f4)((ew_f32x4)(a) / (ew_f32x4)(b)))
#define f4_neg(a) v_xor((a), i4_splat((i32)0x80000000u))
#define f4_abs(a) v_and((a), i4_splat(0x7fffffff))
#define f4_eq(a, b) ((f4)((ew_f32x4)(a) == (ew_f32x4)(b)))
#define f4_lt(a, b) ((f4)((ew_f32x4)(a) < (ew_f32x4)(b)))
#define f4_le(a, b) ((f4)((ew_f32x4)(a) <= (ew_f32x4)(b)))
#define f4_lane(v, i) (((ew_f32x4)(v))[i])
#define f4_from_i4(v) ((f4)__builtin_convertvector((ew_i32x4)(v), ew_f32x4))
#define v_and(a, b) ((a) & (b))
#define v_or(a, b) ((a) | (b))
#define v_xor(a, b) ((a) ^ (b))
#define v_andnot(a, b) ((a) & ~(b))
#define v_not(a) (~(a))
EW_INLINE f4 v_select(f4 mask, f4 a, f4 b) { return (a & mask) | (b & ~mask); }
#define i4_load(p) f4_load(p)
#define i4_store(p, v) f4_store((p), (v))
#define i4_store_lane(p, v, i) (*(ew_any4 *)(p) = (v)[i])
#define i4_add(a, b) ((i4)((ew_u32x4)(a) + (ew_u32x4)(b)))
#define i4_sub(a, b) ((i4)((ew_u32x4)(a) - (ew_u32x4)(b)))
#define i4_mul(a, b) ((i4)((ew_u32x4)(a) * (ew_u32x4)(b)))
#define i4_shl(v, n) ((i4)((ew_u32x4)(v) << ((n) & 31)))
#define i4_shr(v, n) ((i4)((ew_i32x4)(v) >> ((n) & 31)))
#define i4_lane(v, i) ((v)[i])
#define h8_load(p) f4_load(p)
#define h8_store(p, v) f4_store((p), (v))
#define h8_add(a, b) ((h8)((ew_u16x8)(a) + (ew_u16x8)(b)))
#define h8_sub(a, b) ((h8)((ew_u16x8)(a) - (ew_u16x8)(b)))
#define h8_mul(a, b) ((h8)((ew_u16x8)(a) * (ew_u16x8)(b)))
#define h8_load_splat2(p) f4_load_splat(p)
#define h8_zip_lo(a, b) EW_SHUFFLE(ew_i16x8, a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define h8_zip_hi(a, b) EW_SHUFFLE(ew_i16x8, a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define i4_zip_lo(a, b) EW_SHUFFLE(ew_i32x4, a, b, 0, 4, 1, 5)
#define i4_zip_hi(a, b) EW_SHUFFLE(ew_i32x4, a, b, 2, 6, 3, 7)
#define b16_zip_lo(a, b) EW_SHUFFLE(ew_i8x16, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define b16_zip_hi(a, b) EW_SHUFFLE(ew_i8x16, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define h8_shr_u(v, n) ((h8)((ew_u16x8)(v) >> ((n) & 15)))
#define b16_load(p) f4_load(p)
#define b16_store(p, v) f4_store((p), (v))
#define b16_add(a, b) ((b16)((ew_u8x16)(a) + (ew_u8x16)(b)))
#define b16_sub(a, b) ((b16)((ew_u8x16)(a) - (ew_u8x16)(b)))
#define b16_eq(a, b) ((b16)((ew_i8x16)(a) == (ew_i8x16)(b)))
#define b16_shr_u(v, n) ((b16)((ew_u8x16)(v) >> ((n) & 7)))
#define b16_shl(v, n) ((b16)((ew_u8x16)(v) << ((n) & 7)))
EW_INLINE void b16_store_lo8(void *p, b16 v) { *(ew_any8 *)p = ((ew_i64x2)v)[0]; }
#define b16_pairs(v) EW_SHUFFLE(ew_i8x16, v, v, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)
#define b16_load_splat4(p) f4_load_splat(p)
#define EW_ZERO ((b16){0, 0, 0, 0})
#define ew_copy(d, s, n) __builtin_memcpy((d), (s), (n))
#define ew_fill(d, v, n) __builtin_memset((d), (v), (n))
`;

const GENERAL = `
#define EW_ROW_LISTS 60
#ifndef f4_min
EW_INLINE f4 f4_min(f4 a, f4 b) { return v_select(f4_lt(b, a), b, a); }
#endif
#ifndef f4_max
EW_INLINE f4 f4_max(f4 a, f4 b) { return v_select(f4_lt(a, b), b, a); }
#endif
#ifndef f4_sqrt
#define EW_EACH(f, v) f4_make(f(f4_lane(v, 0)), f(f4_lane(v, 1)), f(f4_lane(v, 2)), f(f4_lane(v, 3)))
EW_INLINE f4 f4_sqrt(f4 v) { return EW_EACH(__builtin_sqrtf, v); }
EW_INLINE f4 f4_floor(f4 v) { return EW_EACH(__builtin_floorf, v); }
EW_INLINE f4 f4_ceil(f4 v) { return EW_EACH(__builtin_ceilf, v); }
EW_INLINE f4 f4_round(f4 v) { return EW_EACH(__builtin_rintf, v); }
#endif
#ifndef i4_from_f4
/* towards zero, saturated; NaN gives 0 */
EW_INLINE i32 ew_to_int(float x) { return x != x ? 0 : x >= 2147483648.0f ? 0x7fffffff : x < -2147483648.0f ? (-0x7fffffff - 1) : (i32)x; }
EW_INLINE i4 i4_from_f4(f4 v) { return (i4){ew_to_int(f4_lane(v, 0)), ew_to_int(f4_lane(v, 1)), ew_to_int(f4_lane(v, 2)), ew_to_int(f4_lane(v, 3))}; }
#endif
#ifndef i4_load_u16
EW_INLINE i4 i4_load_u16(const void *p) { ew_u16x4 v; __builtin_memcpy(&v, p, 8); return (i4)__builtin_convertvector(v, ew_u32x4); }
#endif
#ifndef h8_load_i8
EW_INLINE h8 h8_load_i8(const void *p) { ew_i8x8 v; __builtin_memcpy(&v, p, 8); return (h8)__builtin_convertvector(v, ew_i16x8); }
#endif
#ifndef h8_max
EW_INLINE h8 h8_max(h8 a, h8 b) { return v_select((h8)((ew_i16x8)a > (ew_i16x8)b), a, b); }
#endif
#ifndef h8_dot
/* 8 x i16 -> 4 x i32: adjacent products summed */
EW_INLINE i4 h8_dot(h8 a, h8 b) {
  return i4_add(i4_mul(i4_shr(i4_shl(a, 16), 16), i4_shr(i4_shl(b, 16), 16)), i4_mul(i4_shr(a, 16), i4_shr(b, 16)));
}
#endif
#ifndef h8_extend_lo_i8
EW_INLINE h8 h8_extend_lo_i8(b16 v) { return (h8)((ew_i16x8)EW_SHUFFLE(ew_i8x16, EW_ZERO, v, 0, 16, 0, 17, 0, 18, 0, 19, 0, 20, 0, 21, 0, 22, 0, 23) >> 8); }
EW_INLINE h8 h8_extend_hi_i8(b16 v) { return (h8)((ew_i16x8)EW_SHUFFLE(ew_i8x16, EW_ZERO, v, 0, 24, 0, 25, 0, 26, 0, 27, 0, 28, 0, 29, 0, 30, 0, 31) >> 8); }
#endif
#ifndef i4_extend_lo
EW_INLINE i4 i4_extend_lo(h8 v) { return i4_shr(h8_zip_lo(EW_ZERO, v), 16); }
EW_INLINE i4 i4_extend_hi(h8 v) { return i4_shr(h8_zip_hi(EW_ZERO, v), 16); }
#endif
#ifndef h8_narrow
/* signed saturation of all, those of a first */
EW_INLINE i16 ew_to_i16(i32 x) { return (i16)(x < -32768 ? -32768 : x > 32767 ? 32767 : x); }
EW_INLINE h8 h8_narrow(i4 a, i4 b) {
  return (h8)(ew_i16x8){ew_to_i16(a[0]), ew_to_i16(a[1]), ew_to_i16(a[2]), ew_to_i16(a[3]), ew_to_i16(b[0]), ew_to_i16(b[1]), ew_to_i16(b[2]), ew_to_i16(b[3])};
}
#endif
#ifndef b16_narrow
EW_INLINE b16 ew_clamp_bytes(h8 a, h8 b, i16 low, i16 high) {
  const ew_i16x8 x = (ew_i16x8)h8_max(a, h8_splat(low)), y = (ew_i16x8)h8_max(b, h8_splat(low));
  const h8 top = h8_splat(high), u = v_select((h8)(x > (ew_i16x8)top), top, (h8)x), v = v_select((h8)(y > (ew_i16x8)top), top, (h8)y);
  return EW_SHUFFLE(ew_i8x16, u, v, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
EW_INLINE b16 b16_narrow(h8 a, h8 b) { return ew_clamp_bytes(a, b, -128, 127); }
EW_INLINE b16 b16_narrow_u8(h8 a, h8 b) { return ew_clamp_bytes(a, b, 0, 255); }
#endif
#ifndef b16_mask
EW_INLINE i32 b16_mask(b16 v) { i32 m = 0; for (i32 i = 0; i < 16; i++) m |= (i32)(((ew_u8x16)v)[i] >> 7) << i; return m; }
#endif
#ifndef b16_swizzle
EW_INLINE b16 b16_swizzle(b16 v, b16 index) {
  u8 s[16], t[16]; b16_store(s, v); b16_store(t, index);
  for (i32 i = 0; i < 16; i++) t[i] = t[i] < 16 ? s[t[i]] : 0;
  return b16_load(t);
}
#endif
#ifndef b16_pick
#define b16_pick b16_swizzle
#endif
#ifndef f4_load_bool
EW_INLINE f4 f4_load_bool(const u8 *p) { return f4_make((float)p[0], (float)p[1], (float)p[2], (float)p[3]); }
#endif
`;
