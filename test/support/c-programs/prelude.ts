import { C_TYPES } from '../c-module.ts';

/** What all random programs begin with: types, tables, and functions that keep numbers where C says what becomes of them. */
export const PRELUDE = `#include <wasm_simd128.h>
${C_TYPES}
typedef struct { u8 a; i16 b[3]; i16 c; } pack;
typedef struct { u8 *p; i64 q; i8 r; } mixed;
typedef union { float f; u32 u; u16 h[2]; } word;
static const i16 T16[8] = {1, -2, 300, -32768, 32767, 7};
static const u8 T8[] = {0, 1, 2, 3, 255, 128, 127, 13, 200, 77, 11, 5, 9,};
static const float TF[5] = {1.5f, -0.25f, 1e-3f, 3, -7.0};
static const i32 M[3][4] = {{1, 2}, {-5, 1 << 20, 3}, {0x7fffffff, -2147483647 - 1, 42, 9}};
static const pack TP[3] = {{1, {2, 3, 4}, 5}, {6}, {7, {8}, -9}};
/* to any int of 32 bits or more, to any without a sign or of fewer */
EW_INLINE float clamped(float x) { return x > -1e6f ? (x < 1e6f ? x : 1e6f) : -1e6f; }
EW_INLINE float small(float x) { return x > 0.0f ? (x < 120.0f ? x : 120.0f) : 0.0f; }
/* which NaN an operation makes is not said */
EW_INLINE float clean(float x) { return x == x ? x : 0.0f; }
EW_INLINE v128_t cleans(v128_t v) { return wasm_v128_and(v, wasm_f32x4_eq(v, v)); }
`;

/** Parameters of every function: bytes and floats that it writes, numbers, and what it only reads, of which the last may not be there. */
export const PARAMETERS = `u8 *mem, float *fm, i32 x, u32 y, float z,
    const i16 *restrict q0, const float *restrict q1, const u8 *restrict q2, const i32 *restrict q3`;
