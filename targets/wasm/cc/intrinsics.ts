import type { Type } from './ast.ts';

/**
 * The functions of wasm_simd128.h and the builtins of clang that kernels call, and what each is in WebAssembly. Opcodes are those of the
 * vector prefix unless the form says otherwise.
 */

/** How a call becomes an instruction. */
export type Form =
  /** Operands, then the opcode. */
  | 'plain'
  /** The same, with an opcode of a scalar instruction. */
  | 'scalar'
  /** Of an address, of any alignment. */
  | 'load'
  /** An address and a vector. */
  | 'store'
  /** The same, with a lane. */
  | 'store-lane'
  /** A vector and a lane. */
  | 'extract'
  /** Two vectors and lanes, each of so many bytes as `opcode` says. */
  | 'shuffle'
  /** A vector of one scalar. */
  | 'splat'
  /** A vector of its lanes, which may differ; `opcode` puts the first one everywhere. */
  | 'make'
  /** A float of these bits; operands are of no account. */
  | 'constant'
  | 'copy'
  | 'fill';

export interface Intrinsic {
  readonly form: Form;
  readonly opcode: number;
  readonly result: Type;
  readonly parameters: readonly Type[];
}

const VOID: Type = { kind: 'void' };
const int = (bytes: 1 | 2 | 4, signed: boolean): Type => ({ kind: 'int', bytes, signed });

/** Letters of signatures. */
const TYPES: { readonly [letter: string]: Type } = {
  v: { kind: 'vector' },
  p: { kind: 'pointer', to: VOID },
  i: int(4, true),
  u: int(4, false),
  h: int(2, true),
  b: int(1, true),
  /** A lane: a constant. */
  l: int(4, true),
  f: { kind: 'float', bytes: 4 },
  _: VOID,
};

/** Name, parameters:result, opcode; by form. */
const ROWS: readonly (readonly [Form, string])[] = [
  [
    'plain',
    `wasm_i8x16_swizzle vv:v 0e  wasm_i8x16_eq vv:v 23
     wasm_f32x4_eq vv:v 41  wasm_f32x4_lt vv:v 43  wasm_f32x4_le vv:v 45
     wasm_v128_not v:v 4d  wasm_v128_and vv:v 4e  wasm_v128_andnot vv:v 4f  wasm_v128_or vv:v 50  wasm_v128_xor vv:v 51
     wasm_v128_bitselect vvv:v 52
     wasm_i8x16_bitmask v:u 64  wasm_i8x16_narrow_i16x8 vv:v 65  wasm_u8x16_narrow_i16x8 vv:v 66
     wasm_f32x4_ceil v:v 67  wasm_f32x4_floor v:v 68  wasm_f32x4_nearest v:v 6a
     wasm_i8x16_shl vu:v 6b  wasm_u8x16_shr vu:v 6d  wasm_i8x16_add vv:v 6e  wasm_i8x16_sub vv:v 71
     wasm_i32x4_extadd_pairwise_i16x8 v:v 7e
     wasm_i16x8_narrow_i32x4 vv:v 85  wasm_i16x8_extend_low_i8x16 v:v 87  wasm_i16x8_extend_high_i8x16 v:v 88
     wasm_u16x8_extend_low_u8x16 v:v 89  wasm_u16x8_extend_high_u8x16 v:v 8a  wasm_u16x8_shr vu:v 8d
     wasm_i16x8_add vv:v 8e  wasm_i16x8_sub vv:v 91  wasm_i16x8_mul vv:v 95  wasm_i16x8_max vv:v 98
     wasm_i32x4_extend_low_i16x8 v:v a7  wasm_i32x4_extend_high_i16x8 v:v a8  wasm_u32x4_extend_low_u16x8 v:v a9
     wasm_i32x4_shl vu:v ab  wasm_i32x4_shr vu:v ac  wasm_i32x4_add vv:v ae  wasm_i32x4_sub vv:v b1  wasm_i32x4_mul vv:v b5
     wasm_i32x4_dot_i16x8 vv:v ba
     wasm_f32x4_abs v:v e0  wasm_f32x4_neg v:v e1  wasm_f32x4_sqrt v:v e3
     wasm_f32x4_add vv:v e4  wasm_f32x4_sub vv:v e5  wasm_f32x4_mul vv:v e6  wasm_f32x4_div vv:v e7
     wasm_f32x4_pmin vv:v ea  wasm_f32x4_pmax vv:v eb
     wasm_i32x4_trunc_sat_f32x4 v:v f8  wasm_f32x4_convert_i32x4 v:v fa
     wasm_i8x16_relaxed_swizzle vv:v 100
     wasm_i16x8_relaxed_dot_i8x16_i7x16 vv:v 112  wasm_i32x4_relaxed_dot_i8x16_i7x16_add vvv:v 113`,
  ],
  [
    'scalar',
    `__builtin_clz u:i 67  __builtin_ctz u:i 68  __builtin_popcount u:i 69
     __builtin_fabsf f:f 8b  __builtin_ceilf f:f 8d  __builtin_floorf f:f 8e  __builtin_sqrtf f:f 91`,
  ],
  [
    'load',
    `wasm_v128_load p:v 00  wasm_i16x8_load8x8 p:v 01  wasm_u32x4_load16x4 p:v 04
     wasm_v128_load32_splat p:v 09  wasm_v128_load32_zero p:v 5c`,
  ],
  ['store', 'wasm_v128_store pv:_ 0b'],
  ['store-lane', 'wasm_v128_store32_lane pvl:_ 5a  wasm_v128_store64_lane pvl:_ 5b'],
  ['extract', 'wasm_i32x4_extract_lane vl:i 1b  wasm_f32x4_extract_lane vl:f 1f'],
  [
    'shuffle',
    'wasm_i8x16_shuffle vvllllllllllllllll:v 1  wasm_i16x8_shuffle vvllllllll:v 2  wasm_i32x4_shuffle vvllll:v 4',
  ],
  ['splat', 'wasm_i8x16_splat b:v 0f  wasm_i16x8_splat h:v 10  wasm_i32x4_splat i:v 11  wasm_f32x4_splat f:v 13'],
  ['make', 'wasm_i32x4_make iiii:v 11  wasm_f32x4_make ffff:v 13'],
  // A quiet NaN whatever the text that nanf is given.
  ['constant', '__builtin_inff :f 7f800000  __builtin_nanf p:f 7fc00000'],
  // Their results, the first operand, are not to be had.
  ['copy', '__builtin_memcpy ppu:_ 0a'],
  ['fill', '__builtin_memset piu:_ 0b'],
];

const TABLE: ReadonlyMap<string, Intrinsic> = new Map(ROWS.flatMap(([form, text]) => parsed(form, text)));

function parsed(form: Form, text: string): [string, Intrinsic][] {
  const words = text.split(/\s+/);
  const rows: [string, Intrinsic][] = [];
  for (let i = 0; i < words.length; i += 3) {
    const [parameters, result] = words[i + 1]!.split(':');
    const types = [...parameters!].map((letter) => TYPES[letter]!);
    const opcode = Number.parseInt(words[i + 2]!, 16);
    rows.push([words[i]!, { form, opcode, result: TYPES[result!]!, parameters: types }]);
  }
  return rows;
}

/** What a function of this name is in WebAssembly; undefined where kernels have no such intrinsic. */
export function intrinsicOf(name: string): Intrinsic | undefined {
  return TABLE.get(name);
}

/** Types of a call, to which arguments are converted. */
export function signatureOf(name: string): Pick<Intrinsic, 'result' | 'parameters'> | undefined {
  return TABLE.get(name);
}
