import { assignable, expression, toInt, valueAs } from './expressions.ts';
import { index } from './leaves.ts';
import type { Scope, Term } from './scope.ts';

/** Vectors: expressions and statements of wasm_simd128.h. */

/** Names of instructions by what they take; those on floats are rid of NaNs, of which there are several. */
const list = (prefix: string, names: string): readonly string[] => names.split(' ').map((n) => `${prefix}_${n}`);
const UNARY = [
  'wasm_v128_not',
  'wasm_u16x8_extend_low_u8x16',
  'wasm_u16x8_extend_high_u8x16',
  'wasm_u32x4_extend_low_u16x8',
  ...list('wasm_i16x8', 'extend_low_i8x16 extend_high_i8x16'),
  ...list('wasm_i32x4', 'extadd_pairwise_i16x8 extend_low_i16x8 extend_high_i16x8 trunc_sat_f32x4'),
];
const UNARY_FLOAT = list('wasm_f32x4', 'ceil floor nearest abs neg sqrt convert_i32x4');
const BINARY = [
  ...list('wasm_i8x16', 'swizzle eq narrow_i16x8 add sub'),
  ...list('wasm_u8x16', 'narrow_i16x8'),
  ...list('wasm_i16x8', 'narrow_i32x4 add sub mul max'),
  ...list('wasm_i32x4', 'add sub mul dot_i16x8'),
  ...list('wasm_f32x4', 'eq lt le'),
  ...list('wasm_v128', 'and andnot or xor'),
];
const BINARY_FLOAT = list('wasm_f32x4', 'add sub mul div pmin pmax');
const SHIFTS = ['wasm_i8x16_shl', 'wasm_u8x16_shr', 'wasm_u16x8_shr', 'wasm_i32x4_shl', 'wasm_i32x4_shr'];
const LOADS = list('wasm', 'v128_load i16x8_load8x8 u32x4_load16x4 v128_load32_splat v128_load32_zero');
const SHUFFLES = [
  { name: 'wasm_i8x16_shuffle', lanes: 16 },
  { name: 'wasm_i16x8_shuffle', lanes: 8 },
  { name: 'wasm_i32x4_shuffle', lanes: 4 },
];

export function vector(s: Scope, levels: number): string {
  if (levels <= 0) return vectorLeaf(s);
  const operand = (): string => vector(s, levels - 1);
  switch (s.below(9)) {
    case 0:
      return vectorLeaf(s);
    case 1:
      return `${s.pick(UNARY)}(${operand()})`;
    case 2:
      return `cleans(${s.pick(UNARY_FLOAT)}(cleans(${operand()})))`;
    case 3:
    case 4:
      return `${s.pick(BINARY)}(${operand()}, ${operand()})`;
    case 5:
      return `cleans(${s.pick(BINARY_FLOAT)}(cleans(${operand()}), cleans(${operand()})))`;
    case 6:
      return `${s.pick(SHIFTS)}(${operand()}, ${s.chance(0.5) ? s.below(8) : index(s, 32)})`;
    case 7:
      return `wasm_v128_bitselect(${operand()}, ${operand()}, ${operand()})`;
    default: {
      const { name, lanes } = s.pick(SHUFFLES);
      const chosen = Array.from({ length: lanes }, () => s.below(2 * lanes));
      return `${name}(${operand()}, ${operand()}, ${chosen.join(', ')})`;
    }
  }
}

function vectorLeaf(s: Scope): string {
  if (s.vectors.length > 0 && s.chance(0.4)) return s.pick(s.vectors);
  if (s.sources.length > 0 && s.chance(0.4)) {
    const { text, type } = s.pick(s.sources);
    const at = `${text} + ${s.below(8)}`;
    if (type === 'float' && s.chance(0.5)) return `wasm_f32x4_splat(${text}[${s.below(8)}])`;
    return `${s.pick(LOADS)}(${at})`;
  }
  const int = (): string => toInt(expression(s, 1)).text;
  const float = (): string => `clean(${s.chance(0.5) ? valueAs(s, 'float', 1) : `${s.below(9)}.5f`})`;
  switch (s.below(7)) {
    case 0:
      return `wasm_i8x16_splat(${int()})`;
    case 1:
      return `wasm_i16x8_splat(${int()})`;
    case 2:
      return `wasm_i32x4_splat(${int()})`;
    case 3:
      return `wasm_f32x4_splat(${float()})`;
    case 4:
      return `wasm_f32x4_make(${float()}, ${float()}, ${float()}, ${float()})`;
    case 5:
      return `wasm_i32x4_make(${int()}, ${s.below(9)}, ${int()}, ${s.below(9)})`;
    default:
      return `${s.pick(LOADS)}(mem + ${index(s, 48)})`;
  }
}

export function scalarOfVector(s: Scope): Term {
  const v = s.pick(s.vectors);
  const lane = s.below(4);
  return s.pick<Term>([
    { text: `wasm_i32x4_extract_lane(${v}, ${lane})`, type: 'i32' },
    { text: `clean(wasm_f32x4_extract_lane(${v}, ${lane}))`, type: 'float' },
    { text: `wasm_i8x16_bitmask(${v})`, type: 'u32' },
  ]);
}

/** A vector is declared, changed or stored. */
export function vectorStatement(s: Scope): void {
  if (s.vectors.length === 0 || s.chance(0.3)) {
    const name = s.name('w');
    s.emit(`v128_t ${name} = ${vector(s, 2)};`);
    s.vectors.push(name);
    return;
  }
  const name = s.pick(s.vectors);
  switch (s.below(6)) {
    case 0:
      s.emit(`wasm_v128_store(mem + ${index(s, 48)}, ${vector(s, 2)});`);
      return;
    case 1:
      s.emit(`wasm_v128_store32_lane(mem + ${index(s, 48)}, ${vector(s, 1)}, ${s.below(4)});`);
      return;
    case 2:
      s.emit(`wasm_v128_store64_lane(mem + ${index(s, 48)}, ${vector(s, 1)}, ${s.below(2)});`);
      return;
    case 3:
      s.emit(`${name} = (${assignable('i32', expression(s, 2))}) ? ${vector(s, 1)} : ${vector(s, 1)};`);
      return;
    default:
      s.emit(`${name} = ${vector(s, 3)};`);
  }
}
