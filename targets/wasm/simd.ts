/**
 * The instruction-set header of the WebAssembly target: the vector vocabulary that every emitted kernel is written in.
 * f4 = 4 x f32, i4 = 4 x i32, h8 = 8 x i16, b16 = 16 x i8; all are one v128. min/max return the second operand only
 * when it compares smaller/larger (x86 and Arm agree on that form), so that engines agree on signed zeros as well.
 */
export const WASM_SIMD_HEADER = `
#include <wasm_simd128.h>
typedef signed char i8; typedef unsigned char u8; typedef short i16; typedef unsigned short u16;
typedef int i32; typedef unsigned int u32; typedef long long i64; typedef unsigned long long u64;
typedef v128_t f4; typedef v128_t i4; typedef v128_t h8; typedef v128_t b16;
#define EW_INLINE static inline __attribute__((always_inline))
/* one copy in the module for all kernels */
#define EW_SHARED static __attribute__((noinline))

/* its engine holds tiles that are multiplied with one row as those of sdk/wire/row-tiles.ts */
#define EW_ROW_TILES
#define EW_ROLLED _Pragma("clang loop unroll(disable)")
/* hides what a pointer in a loop is made of, so that constant offsets from it stay in the instructions that load */
#define EW_POINTER(p) __asm__("" : "+r"(p))
/* hides that a loop runs at least once: without a test before it, loops of products that begin a function take V8 of Node 20 twice as long */
#define EW_COUNT(n) __asm__("" : "+r"(n))

/* hides what a vector is: engines make constants anew wherever they are used, by three instructions */
#define EW_KEEP(v) __asm__("" : "+r"(v))

#define f4_load(p) wasm_v128_load(p)
#define f4_store(p, v) wasm_v128_store((p), (v))
#define f4_load_splat(p) wasm_v128_load32_splat(p)
#define f4_splat(x) wasm_f32x4_splat(x)
#define f4_make wasm_f32x4_make
#define f4_add wasm_f32x4_add
#define f4_sub wasm_f32x4_sub
#define f4_mul wasm_f32x4_mul
#define f4_div wasm_f32x4_div
#define f4_min(a, b) wasm_f32x4_pmin((a), (b))
#define f4_max(a, b) wasm_f32x4_pmax((a), (b))
#define f4_sqrt wasm_f32x4_sqrt
#define f4_neg wasm_f32x4_neg
#define f4_abs wasm_f32x4_abs
#define f4_floor wasm_f32x4_floor
#define f4_ceil wasm_f32x4_ceil
#define f4_round wasm_f32x4_nearest
#define f4_eq wasm_f32x4_eq
#define f4_lt wasm_f32x4_lt
#define f4_le wasm_f32x4_le
#define f4_lane(v, i) wasm_f32x4_extract_lane((v), i)
#define f4_from_i4 wasm_f32x4_convert_i32x4
#define i4_from_f4 wasm_i32x4_trunc_sat_f32x4
#define v_and wasm_v128_and
#define v_or wasm_v128_or
#define v_xor wasm_v128_xor
#define v_andnot wasm_v128_andnot
#define v_not wasm_v128_not
#define v_select(mask, a, b) wasm_v128_bitselect((a), (b), (mask))
#define i4_load(p) wasm_v128_load(p)
#define i4_load_u16(p) wasm_u32x4_load16x4(p)
#define i4_make wasm_i32x4_make
#define i4_store(p, v) wasm_v128_store((p), (v))
#define i4_store_lane(p, v, i) wasm_v128_store32_lane((p), (v), i)
#define i4_splat wasm_i32x4_splat
#define i4_add wasm_i32x4_add
#define i4_sub wasm_i32x4_sub
#define i4_mul wasm_i32x4_mul
#define i4_shl wasm_i32x4_shl
#define i4_shr wasm_i32x4_shr
#define i4_lane(v, i) wasm_i32x4_extract_lane((v), i)
#define h8_load(p) wasm_v128_load(p)
#define h8_store(p, v) wasm_v128_store((p), (v))
#define h8_splat wasm_i16x8_splat
#define h8_add wasm_i16x8_add
#define h8_sub wasm_i16x8_sub
#define h8_mul wasm_i16x8_mul
#define h8_max wasm_i16x8_max
#define h8_load_i8(p) wasm_i16x8_load8x8(p)
/* 8 x i16 -> 4 x i32: adjacent products summed. Exact unless all four inputs of a lane are -32768. */
#define h8_dot wasm_i32x4_dot_i16x8
/* two adjacent i16 in every pair of lanes */
#define h8_load_splat2(p) wasm_v128_load32_splat(p)
#define h8_zip_lo(a, b) wasm_i16x8_shuffle((a), (b), 0, 8, 1, 9, 2, 10, 3, 11)
#define h8_zip_hi(a, b) wasm_i16x8_shuffle((a), (b), 4, 12, 5, 13, 6, 14, 7, 15)
#define i4_zip_lo(a, b) wasm_i32x4_shuffle((a), (b), 0, 4, 1, 5)
#define i4_zip_hi(a, b) wasm_i32x4_shuffle((a), (b), 2, 6, 3, 7)
#define b16_zip_lo(a, b) wasm_i8x16_shuffle((a), (b), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define b16_zip_hi(a, b) wasm_i8x16_shuffle((a), (b), 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define h8_shr_u wasm_u16x8_shr
#define h8_narrow(a, b) wasm_i16x8_narrow_i32x4((a), (b))
#define h8_extend_lo_i8 wasm_i16x8_extend_low_i8x16
#define h8_extend_hi_i8 wasm_i16x8_extend_high_i8x16
#define i4_extend_lo wasm_i32x4_extend_low_i16x8
#define i4_extend_hi wasm_i32x4_extend_high_i16x8
#define b16_load(p) wasm_v128_load(p)
#define b16_store(p, v) wasm_v128_store((p), (v))
#define b16_splat wasm_i8x16_splat
#define b16_add wasm_i8x16_add
#define b16_sub wasm_i8x16_sub
#define b16_eq wasm_i8x16_eq
/* the top bits of all bytes, the first one lowest */
#define b16_mask wasm_i8x16_bitmask
/* byte i is byte index[i] of v, 0 where there is none */
#define b16_swizzle(v, index) wasm_i8x16_swizzle((v), (index))
/* as b16_swizzle, for indices below 16 or from 128 on */
#ifdef EW_DOT7
#define b16_pick(v, index) wasm_i8x16_relaxed_swizzle((v), (index))
#else
#define b16_pick b16_swizzle
#endif
#define b16_narrow(a, b) wasm_i8x16_narrow_i16x8((a), (b))
#define b16_narrow_u8(a, b) wasm_u8x16_narrow_i16x8((a), (b))
#define b16_shr_u wasm_u8x16_shr
#define b16_shl wasm_i8x16_shl
#define b16_store_lo8(p, v) wasm_v128_store64_lane((p), (v), 0)
/* rows of four codes (r0k0 r0k1 r0k2 r0k3 r1k0 ...) -> (k0 k1) pairs of all rows first, then (k2 k3) */
#define b16_pairs(v) wasm_i8x16_shuffle((v), (v), 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)
#define b16_load_splat4(p) wasm_v128_load32_splat(p)
#ifdef EW_DOT7
/* acc + sum over 4 of (signed 8 bit a) * (7 bit w); exact because w < 128 */
#define b16_dot7(a, w, acc) wasm_i32x4_relaxed_dot_i8x16_i7x16_add((a), (w), (acc))
/* 8 x i16: sums over 2 of the same products; exact where they fit, and where products are chained for 8 bits of w too, without a sign */
#define h8_dot7(a, w) wasm_i16x8_relaxed_dot_i8x16_i7x16((a), (w))
/* sums of neighbours added; the compiler would make one b16_dot7 of this and h8_dot7, which may be wrong where that is not */
EW_INLINE i4 i4_add_pairs(i4 acc, h8 v) { __asm__("" : "+r"(v)); return wasm_i32x4_add(acc, wasm_i32x4_extadd_pairwise_i16x8(v)); }
/* 1 where products are to be summed in 16 bits first, because b16_dot7 is wrong or slow here; engines say it before the first step. One for all translation units */
__attribute__((weak)) i32 ew_chained;
/* what the dot product in use takes its second operand for here: 0 for 7 bits only, 1 for 8 without a sign, as always where products are chained, 2 for 8 with one */
__attribute__((weak)) i32 ew_eight;
__attribute__((weak)) void ew_set_chained(i32 on) { ew_chained = on; ew_eight = on; }
__attribute__((weak)) void ew_set_eight(i32 kind) { ew_eight = kind; }
#endif
/* four bools (0/1 bytes) as 0.0f/1.0f */
EW_INLINE f4 f4_load_bool(const u8 *p) {
  return wasm_f32x4_convert_i32x4(wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p))));
}
#define ew_copy(d, s, n) __builtin_memcpy((d), (s), (n))
#define ew_fill(d, v, n) __builtin_memset((d), (v), (n))
#ifdef __clang__
/* Clang turns some counting loops into closed forms with 128-bit products, and there is no runtime library to take them from. */
typedef unsigned __int128 ew_u128;
__attribute__((weak)) ew_u128 __multi3(ew_u128 a, ew_u128 b) {
  const unsigned long long al = (unsigned long long)a, bl = (unsigned long long)b;
  const unsigned long long a0 = al & 0xffffffffu, a1 = al >> 32, b0 = bl & 0xffffffffu, b1 = bl >> 32;
  const unsigned long long p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
  const unsigned long long mid = (p00 >> 32) + (p01 & 0xffffffffu) + (p10 & 0xffffffffu);
  const unsigned long long low = (p00 & 0xffffffffu) | (mid << 32);
  unsigned long long high = p11 + (p01 >> 32) + (p10 >> 32) + (mid >> 32);
  high += al * (unsigned long long)(b >> 64) + (unsigned long long)(a >> 64) * bl;
  return ((ew_u128)high << 64) | low;
}
#endif
`;
