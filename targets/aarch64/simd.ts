import { gnuHeader } from '../../sdk/compile/emit/c/gnu.ts';

/**
 * The vector vocabulary on 64-bit Arm: NEON as every such core has it, and the dot product of bytes where the compiler may use it.
 * Minimum and maximum are not fmin and fmax, which order zeros and treat NaN in their own way.
 */
export const NEON_HEADER = gnuHeader(`
#include <arm_neon.h>
#define EW_F32(v) ((float32x4_t)(v))
#define EW_S16(v) ((int16x8_t)(v))
#define EW_S8(v) ((int8x16_t)(v))
#define EW_U8(v) ((uint8x16_t)(v))
EW_INLINE f4 ew_neon_select(f4 mask, f4 a, f4 b) { return (f4)vbslq_s32((uint32x4_t)mask, (int32x4_t)a, (int32x4_t)b); }
#define v_select ew_neon_select
#define f4_sqrt(v) ((f4)vsqrtq_f32(EW_F32(v)))
#define f4_floor(v) ((f4)vrndmq_f32(EW_F32(v)))
#define f4_ceil(v) ((f4)vrndpq_f32(EW_F32(v)))
#define f4_round(v) ((f4)vrndnq_f32(EW_F32(v)))
#define i4_from_f4(v) ((i4)vcvtq_s32_f32(EW_F32(v)))
#define i4_load_u16(p) ((i4)vmovl_u16((uint16x4_t)vld1_u8((const u8 *)(p))))
#define h8_load_i8(p) ((h8)vmovl_s8(vld1_s8((const i8 *)(p))))
#define h8_max(a, b) ((h8)vmaxq_s16(EW_S16(a), EW_S16(b)))
EW_INLINE i4 ew_neon_dot(h8 a, h8 b) {
  return (i4)vpaddq_s32(vmull_s16(vget_low_s16(EW_S16(a)), vget_low_s16(EW_S16(b))), vmull_high_s16(EW_S16(a), EW_S16(b)));
}
#define h8_dot ew_neon_dot
#define h8_extend_lo_i8(v) ((h8)vmovl_s8(vget_low_s8(EW_S8(v))))
#define h8_extend_hi_i8(v) ((h8)vmovl_high_s8(EW_S8(v)))
#define i4_extend_lo(v) ((i4)vmovl_s16(vget_low_s16(EW_S16(v))))
#define i4_extend_hi(v) ((i4)vmovl_high_s16(EW_S16(v)))
#define h8_narrow(a, b) ((h8)vqmovn_high_s32(vqmovn_s32((int32x4_t)(a)), (int32x4_t)(b)))
#define b16_narrow(a, b) ((b16)vqmovn_high_s16(vqmovn_s16(EW_S16(a)), EW_S16(b)))
#define b16_narrow_u8(a, b) ((b16)vqmovun_high_s16(vqmovun_s16(EW_S16(a)), EW_S16(b)))
EW_INLINE i32 ew_neon_mask(b16 v) {
  const uint8x16_t places = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t set = vandq_u8((uint8x16_t)vshrq_n_s8(EW_S8(v), 7), places);
  return vaddv_u8(vget_low_u8(set)) | vaddv_u8(vget_high_u8(set)) << 8;
}
#define b16_mask ew_neon_mask
#define b16_swizzle(v, index) ((b16)vqtbl1q_u8(EW_U8(v), EW_U8(index)))
/* the next ones of a list where m marks bytes, 0 elsewhere: places in the list are counts of marks, added up by doubling */
EW_INLINE b16 ew_neon_next(b16 m, const u8 **list) {
  const int8x16_t none = vdupq_n_s8(0);
  int8x16_t c = vaddq_s8(EW_S8(m), vextq_s8(none, EW_S8(m), 15));
  c = vaddq_s8(c, vextq_s8(none, c, 14)); c = vaddq_s8(c, vextq_s8(none, c, 12)); c = vaddq_s8(c, vextq_s8(none, c, 8));
  const uint8x16_t next = vqtbl1q_u8(vld1q_u8(*list), EW_U8(vmvnq_s8(c)));
  *list -= c[15];
  return v_and((b16)next, m);
}
#define ew_next ew_neon_next
EW_INLINE f4 ew_neon_bools(const u8 *p) {
  return (f4)vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8((uint8x8_t)(u64)(u32)*(const ew_any4 *)p))));
}
#define f4_load_bool ew_neon_bools
#ifdef EW_DOT7
#ifdef __ARM_FEATURE_DOTPROD
#define b16_dot7(a, w, acc) ((i4)vdotq_s32((int32x4_t)(acc), EW_S8(a), EW_S8(w)))
#else
/* sums of two products fit 16 bits: 2 * 127 * 128 < 32768 */
EW_INLINE i4 ew_neon_dot7(b16 a, b16 w, i4 acc) {
  const int16x8_t low = vmull_s8(vget_low_s8(EW_S8(a)), vget_low_s8(EW_S8(w))), high = vmull_high_s8(EW_S8(a), EW_S8(w));
  return (i4)vpadalq_s16((int32x4_t)acc, vpaddq_s16(low, high));
}
#define b16_dot7 ew_neon_dot7
#endif

/*
 * Sums of eight channels. sum7 takes 16 columns: bytes at a, codes of 7 bits in b0 .. b7 as [column / 4][channel][column % 4];
 * sum16 takes 8 columns of 16 bits, in b0 .. b7 as [column / 2][channel][column % 2].
 */
#ifdef __ARM_FEATURE_DOTPROD
typedef struct { int32x4_t low, high; } sum7;
EW_INLINE sum7 sum7_zero(void) { const int32x4_t z = vdupq_n_s32(0); return (sum7){z, z}; }
#define EW_SUM7_STEP(i, b, c) \\
  s.low = vdotq_laneq_s32(s.low, EW_S8(b), x, i); s.high = vdotq_laneq_s32(s.high, EW_S8(c), x, i);
EW_INLINE sum7 sum7_add(sum7 s, const i8 *a, b16 b0, b16 b1, b16 b2, b16 b3, b16 b4, b16 b5, b16 b6, b16 b7) {
  const int8x16_t x = vld1q_s8(a);
  EW_SUM7_STEP(0, b0, b1) EW_SUM7_STEP(1, b2, b3) EW_SUM7_STEP(2, b4, b5) EW_SUM7_STEP(3, b6, b7)
  return s;
}
#define sum7_lo(s) ((i4)(s).low)
#define sum7_hi(s) ((i4)(s).high)
#else
/* two partial sums a channel: two steps' products are added in 16 bits, then neighbours into the sums */
typedef struct { int32x4_t c01, c23, c45, c67; } sum7;
EW_INLINE sum7 sum7_zero(void) { const int32x4_t z = vdupq_n_s32(0); return (sum7){z, z, z, z}; }
/* four sums side by side, for cores that run in order */
#define EW_SUM7_STEPS(i, j, b0, b1, b2, b3) { \\
  const int8x16_t x = (int8x16_t)vdupq_laneq_s32(q, i), y = (int8x16_t)vdupq_laneq_s32(q, j); \\
  int16x8_t p01 = vmull_s8(vget_low_s8(x), vget_low_s8(EW_S8(b0))), p23 = vmull_high_s8(x, EW_S8(b0)); \\
  int16x8_t p45 = vmull_s8(vget_low_s8(x), vget_low_s8(EW_S8(b1))), p67 = vmull_high_s8(x, EW_S8(b1)); \\
  p01 = vmlal_s8(p01, vget_low_s8(y), vget_low_s8(EW_S8(b2))); p23 = vmlal_high_s8(p23, y, EW_S8(b2)); \\
  p45 = vmlal_s8(p45, vget_low_s8(y), vget_low_s8(EW_S8(b3))); p67 = vmlal_high_s8(p67, y, EW_S8(b3)); \\
  s.c01 = vpadalq_s16(s.c01, p01); s.c23 = vpadalq_s16(s.c23, p23); \\
  s.c45 = vpadalq_s16(s.c45, p45); s.c67 = vpadalq_s16(s.c67, p67); }
EW_INLINE sum7 sum7_add(sum7 s, const i8 *a, b16 b0, b16 b1, b16 b2, b16 b3, b16 b4, b16 b5, b16 b6, b16 b7) {
  const int32x4_t q = (int32x4_t)vld1q_s8(a);
  EW_SUM7_STEPS(0, 1, b0, b1, b2, b3) EW_SUM7_STEPS(2, 3, b4, b5, b6, b7)
  return s;
}
#define sum7_lo(s) ((i4)vpaddq_s32((s).c01, (s).c23))
#define sum7_hi(s) ((i4)vpaddq_s32((s).c45, (s).c67))
#endif
#endif
typedef struct { int32x4_t c01, c23, c45, c67; } sum16;
EW_INLINE sum16 sum16_zero(void) { const int32x4_t z = vdupq_n_s32(0); return (sum16){z, z, z, z}; }
#define EW_SUM16_STEP(i, b, c) { \\
  const int16x8_t x = (int16x8_t)vdupq_laneq_s32(q, i); \\
  s.c01 = vmlal_s16(s.c01, vget_low_s16(x), vget_low_s16(EW_S16(b))); s.c23 = vmlal_high_s16(s.c23, x, EW_S16(b)); \\
  s.c45 = vmlal_s16(s.c45, vget_low_s16(x), vget_low_s16(EW_S16(c))); s.c67 = vmlal_high_s16(s.c67, x, EW_S16(c)); }
EW_INLINE sum16 sum16_add(sum16 s, const i16 *a, h8 b0, h8 b1, h8 b2, h8 b3, h8 b4, h8 b5, h8 b6, h8 b7) {
  const int32x4_t q = (int32x4_t)vld1q_s16(a);
  EW_SUM16_STEP(0, b0, b1) EW_SUM16_STEP(1, b2, b3) EW_SUM16_STEP(2, b4, b5) EW_SUM16_STEP(3, b6, b7)
  return s;
}
#define sum16_lo(s) ((i4)vpaddq_s32((s).c01, (s).c23))
#define sum16_hi(s) ((i4)vpaddq_s32((s).c45, (s).c67))
`);
