import type { BinaryOperator } from './ast.ts';

/** Types of values, as they are encoded. */
export type ValueType = 0x7f | 0x7e | 0x7d | 0x7c | 0x7b;
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F32 = 0x7d;
export const F64 = 0x7c;
export const V128 = 0x7b;

/** Those of instructions behind the prefix 0xfd, or 0xfc, are numbered from here on. */
export const VECTOR = 0xfd_0000;
export const MISC = 0xfc_0000;

/** The instructions by name that are made or looked for by name; without immediates. */
export const OP = {
  i32_eqz: 0x45,
  i32_eq: 0x46,
  i32_ne: 0x47,
  i32_lt_s: 0x48,
  i32_ge_u: 0x4f,
  i64_eqz: 0x50,
  i64_eq: 0x51,
  i64_ne: 0x52,
  i64_ge_u: 0x5a,
  f32_eq: 0x5b,
  f32_ne: 0x5c,
  f64_eq: 0x61,
  f64_ne: 0x62,
  f64_ge: 0x66,
  i32_add: 0x6a,
  i32_sub: 0x6b,
  i32_mul: 0x6c,
  i32_div_s: 0x6d,
  i32_div_u: 0x6e,
  i32_rem_s: 0x6f,
  i32_rem_u: 0x70,
  i32_and: 0x71,
  i32_or: 0x72,
  i32_xor: 0x73,
  i32_shl: 0x74,
  i32_shr_s: 0x75,
  i32_shr_u: 0x76,
  i64_add: 0x7c,
  i64_sub: 0x7d,
  i64_mul: 0x7e,
  i64_div_s: 0x7f,
  i64_div_u: 0x80,
  i64_rem_s: 0x81,
  i64_rem_u: 0x82,
  i64_and: 0x83,
  i64_or: 0x84,
  i64_xor: 0x85,
  i64_shl: 0x86,
  i64_shr_s: 0x87,
  i64_shr_u: 0x88,
  f32_neg: 0x8c,
  f32_add: 0x92,
  f32_sub: 0x93,
  f32_mul: 0x94,
  f32_div: 0x95,
  f64_neg: 0x9a,
  i32_wrap_i64: 0xa7,
  i64_extend_i32_s: 0xac,
  i64_extend_i32_u: 0xad,
  f32_convert_i32_s: 0xb2,
  f32_convert_i32_u: 0xb3,
  f32_demote_f64: 0xb6,
  f64_convert_i32_s: 0xb7,
  f64_promote_f32: 0xbb,
  i32_reinterpret_f32: 0xbc,
  f32_reinterpret_i32: 0xbe,
  i32_extend8_s: 0xc0,
  i32_extend16_s: 0xc1,
  /** Of float kind and sign follow: f32 s, u, f64 s, u; then those to 64 bits. */
  i32_trunc_sat_f32_s: MISC | 0,
  i64_trunc_sat_f32_s: MISC | 4,
} as const;

/** For ints of 4 bytes with a sign and without, of 8 bytes with and without, for floats of 4 and of 8 bytes. */
const BINARY: { readonly [operator in BinaryOperator]: readonly number[] } = {
  add: [0x6a, 0x6a, 0x7c, 0x7c, 0x92, 0xa0],
  sub: [0x6b, 0x6b, 0x7d, 0x7d, 0x93, 0xa1],
  mul: [0x6c, 0x6c, 0x7e, 0x7e, 0x94, 0xa2],
  div: [0x6d, 0x6e, 0x7f, 0x80, 0x95, 0xa3],
  rem: [0x6f, 0x70, 0x81, 0x82],
  and: [0x71, 0x71, 0x83, 0x83],
  or: [0x72, 0x72, 0x84, 0x84],
  xor: [0x73, 0x73, 0x85, 0x85],
  shl: [0x74, 0x74, 0x86, 0x86],
  shr: [0x75, 0x76, 0x87, 0x88],
  eq: [0x46, 0x46, 0x51, 0x51, 0x5b, 0x61],
  ne: [0x47, 0x47, 0x52, 0x52, 0x5c, 0x62],
  lt: [0x48, 0x49, 0x53, 0x54, 0x5d, 0x63],
  gt: [0x4a, 0x4b, 0x55, 0x56, 0x5e, 0x64],
  le: [0x4c, 0x4d, 0x57, 0x58, 0x5f, 0x65],
  ge: [0x4e, 0x4f, 0x59, 0x5a, 0x60, 0x66],
};

/** Undefined where there is no such instruction. */
export function binaryOpcode(operator: BinaryOperator, type: ValueType, signed: boolean): number | undefined {
  const unsigned = signed ? 0 : 1;
  switch (type) {
    case I32:
      return BINARY[operator][unsigned];
    case I64:
      return BINARY[operator][2 + unsigned];
    case F32:
      return BINARY[operator][4];
    case F64:
      return BINARY[operator][5];
    case V128:
      return undefined;
  }
}

/** Whether an instruction compares: its result is an i32, 0 or 1. */
export function compares(opcode: number): boolean {
  return opcode >= OP.i32_eqz && opcode <= OP.f64_ge;
}
