import type { Value } from './code.ts';
import { compares, F32, F64, I32, I64, OP, type ValueType } from './opcodes.ts';

/** Makes values, simpler ones where operands are constants. Constants of sums and products end up last, where loads and stores take them as their offset. */

type Constant = Value & { readonly kind: 'constant' };

export function constant(type: ValueType, value: number | bigint): Value {
  if (type === I32) {
    return { kind: 'constant', type, value: typeof value === 'number' ? value | 0 : Number(BigInt.asIntN(32, value)) };
  }
  if (type === I64) return { kind: 'constant', type, value: BigInt.asIntN(64, BigInt(value)) };
  return { kind: 'constant', type, value: type === F32 ? Math.fround(Number(value)) : Number(value) };
}

export function int(value: number): Value {
  return { kind: 'constant', type: I32, value: value | 0 };
}

/** The int that a value is; undefined where it is no constant of 4 bytes. */
export function intOf(value: Value): number | undefined {
  return value.kind === 'constant' && value.type === I32 ? (value.value as number) : undefined;
}

/** Whether nothing is missed when it is not computed, nor anything but time lost when it is computed again. */
export function isPure(value: Value): boolean {
  switch (value.kind) {
    case 'constant':
    case 'vector':
    case 'read':
    case 'frame':
    case 'data':
      return true;
    case 'operation':
      return value.operands.every(isPure);
    case 'extract':
      return isPure(value.operand);
    case 'replace':
      return isPure(value.operand) && isPure(value.by);
    case 'shuffle':
      return isPure(value.left) && isPure(value.right);
    case 'load':
      return isPure(value.address);
    case 'choose':
      return isPure(value.test) && isPure(value.yes) && isPure(value.no);
    case 'call':
    case 'sequence':
      return false;
  }
}

export function unary(opcode: number, type: ValueType, a: Value): Value {
  if (a.kind === 'constant') {
    const folded = foldUnary(opcode, a);
    if (folded !== undefined) return constant(type, folded);
  }
  if (opcode === OP.i32_eqz) return not(a);
  if (a.kind === 'operation') {
    const inner = a.opcode;
    if (opcode === OP.i32_wrap_i64 && (inner === OP.i64_extend_i32_s || inner === OP.i64_extend_i32_u)) {
      return a.operands[0]!;
    }
    if (opcode === inner && (opcode === OP.i32_extend8_s || opcode === OP.i32_extend16_s)) return a;
  }
  if (
    a.kind === 'load' &&
    ((opcode === OP.i32_extend8_s && a.opcode === 0x2c) || (opcode === OP.i32_extend16_s && a.opcode === 0x2e))
  ) {
    return a;
  }
  return { kind: 'operation', type, opcode, operands: [a] };
}

function foldUnary(opcode: number, { value: a, type }: Constant): number | bigint | undefined {
  switch (opcode) {
    case OP.i32_eqz:
    case OP.i64_eqz:
      return Number(a) === 0 ? 1 : 0;
    case OP.i32_wrap_i64:
    case OP.i64_extend_i32_s:
      return a;
    case OP.i64_extend_i32_u:
    case OP.f32_convert_i32_u:
      return (a as number) >>> 0;
    case OP.f32_convert_i32_s:
    case OP.f64_convert_i32_s:
    case OP.f64_promote_f32:
    case OP.f32_demote_f64:
      return a;
    case OP.i32_extend8_s:
      return ((a as number) << 24) >> 24;
    case OP.i32_extend16_s:
      return ((a as number) << 16) >> 16;
    case OP.f32_neg:
    case OP.f64_neg:
      // The sign of a NaN would be lost.
      return (type === F32 || type === F64) && !Number.isNaN(a) ? -a : undefined;
    default:
      return undefined;
  }
}

/** What is true where it is not. */
export function not(test: Value): Value {
  const known = intOf(test);
  if (known !== undefined) return int(known === 0 ? 1 : 0);
  if (test.kind === 'operation') {
    const inverse = INVERSE.get(test.opcode);
    if (inverse !== undefined) return { ...test, opcode: inverse };
    if (test.opcode === OP.i32_eqz && isTruth(test.operands[0]!)) return test.operands[0]!;
  }
  return { kind: 'operation', type: I32, opcode: OP.i32_eqz, operands: [test] };
}

/** Comparisons of ints and their opposites; of floats, neither of two may hold. */
const INVERSE: ReadonlyMap<number, number> = new Map(
  [
    [0x46, 0x47],
    [0x48, 0x4e],
    [0x49, 0x4f],
    [0x4a, 0x4c],
    [0x4b, 0x4d],
    [0x51, 0x52],
    [0x53, 0x59],
    [0x54, 0x5a],
    [0x55, 0x57],
    [0x56, 0x58],
    [OP.f32_eq, OP.f32_ne],
    [OP.f64_eq, OP.f64_ne],
  ].flatMap(([a, b]) => [
    [a!, b!],
    [b!, a!],
  ]),
);

/** Whether it is 0 or 1. */
function isTruth(value: Value): boolean {
  if (value.kind === 'choose') return isTruth(value.yes) && isTruth(value.no);
  if (value.kind === 'constant') return value.value === 0 || value.value === 1;
  return value.kind === 'operation' && compares(value.opcode);
}

/** 0 or 1 of an i32. */
export function truth(value: Value): Value {
  return isTruth(value) ? value : binary(OP.i32_ne, I32, value, int(0));
}

export function choose(test: Value, yes: Value, no: Value): Value {
  const known = intOf(test);
  if (known !== undefined) return known !== 0 ? yes : no;
  return { kind: 'choose', type: yes.type!, test, yes, no };
}

export function add(a: Value, b: Value): Value {
  return binary(OP.i32_add, I32, a, b);
}

export function multiply(a: Value, by: number): Value {
  return binary(OP.i32_mul, I32, a, int(by));
}

/** A value less the constant that is added to it last. */
export function splitSum(value: Value): { readonly rest: Value; readonly offset: number } {
  if (value.kind === 'operation' && value.opcode === OP.i32_add) {
    const offset = intOf(value.operands[1]!);
    if (offset !== undefined) return { rest: value.operands[0]!, offset };
  }
  return { rest: value, offset: 0 };
}

export function binary(opcode: number, type: ValueType, a: Value, b: Value): Value {
  if (a.kind === 'constant' && b.kind === 'constant') {
    const folded = foldBinary(opcode, a, b);
    if (folded !== undefined) return constant(type, folded);
  }
  const simpler =
    opcode >= OP.i32_add && opcode <= OP.i32_shr_u
      ? simplerInt(opcode, a, b)
      : opcode === OP.i32_ne && intOf(b) === 0 && isTruth(a)
        ? a
        : opcode === OP.i32_eq && intOf(b) === 0
          ? not(a)
          : undefined;
  return simpler ?? { kind: 'operation', type, opcode, operands: [a, b] };
}

/** Arithmetic is modulo 2^32, so that constants can be moved about freely. */
function simplerInt(opcode: number, a: Value, b: Value): Value | undefined {
  switch (opcode) {
    case OP.i32_add:
      return simplerSum(a, b);
    case OP.i32_sub: {
      const by = intOf(b);
      if (by !== undefined) return add(a, int(-by));
      const left = splitSum(a);
      const right = splitSum(b);
      if (left.offset === 0 && right.offset === 0) return undefined;
      return add(binary(opcode, I32, left.rest, right.rest), int(left.offset - right.offset));
    }
    case OP.i32_mul:
      return intOf(a) !== undefined ? binary(opcode, I32, b, a) : simplerProduct(a, intOf(b));
    default:
      return simplerByConstant(opcode, a, intOf(b));
  }
}

function simplerSum(a: Value, b: Value): Value | undefined {
  const by = intOf(b);
  if (by === 0) return a;
  if (by !== undefined) {
    const { rest, offset } = splitSum(a);
    return offset === 0 ? undefined : add(rest, int(offset + by));
  }
  const left = intOf(a);
  if (left !== undefined) return add(b, a);
  const { rest, offset } = splitSum(a);
  if (offset !== 0) return add(add(rest, b), int(offset));
  const right = splitSum(b);
  return right.offset === 0 ? undefined : add(add(a, right.rest), int(right.offset));
}

function simplerProduct(a: Value, by: number | undefined): Value | undefined {
  if (by === undefined) return undefined;
  if (by === 1) return a;
  if (by === 0) return isPure(a) ? int(0) : undefined;
  const { rest, offset } = splitSum(a);
  if (offset !== 0) return add(multiply(rest, by), int(Math.imul(offset, by)));
  if (a.kind !== 'operation' || a.opcode !== OP.i32_mul) return undefined;
  const other = intOf(a.operands[1]!);
  return other === undefined ? undefined : multiply(a.operands[0]!, Math.imul(other, by));
}

function simplerByConstant(opcode: number, a: Value, by: number | undefined): Value | undefined {
  if (by === undefined) return undefined;
  switch (opcode) {
    case OP.i32_div_s:
    case OP.i32_div_u:
      return by === 1 ? a : undefined;
    case OP.i32_rem_s:
    case OP.i32_rem_u:
      return by === 1 && isPure(a) ? int(0) : undefined;
    case OP.i32_and:
      if (by === 0 && isPure(a)) return int(0);
      if (by === -1 || (by === 255 && a.kind === 'load' && a.opcode === 0x2d)) return a;
      if (by === 65535 && a.kind === 'load' && a.opcode === 0x2f) return a;
      return undefined;
    case OP.i32_or:
    case OP.i32_xor:
    case OP.i32_shl:
    case OP.i32_shr_s:
    case OP.i32_shr_u:
      return by === 0 ? a : undefined;
    default:
      return undefined;
  }
}

function foldBinary(opcode: number, a: Constant, b: Constant): number | bigint | undefined {
  if (a.type === I32) return foldInt(opcode, a.value as number, b.value as number);
  if (a.type === I64) return foldLong(opcode, a.value as bigint, b.value as bigint);
  return a.type === F32 ? foldFloat(opcode, a.value as number, b.value as number) : undefined;
}

/** Undefined where it traps. */
function foldInt(opcode: number, a: number, b: number): number | undefined {
  if (compares(opcode)) return compared(opcode - OP.i32_eq, a, b, a >>> 0, b >>> 0);
  switch (opcode) {
    case OP.i32_add:
      return (a + b) | 0;
    case OP.i32_sub:
      return (a - b) | 0;
    case OP.i32_mul:
      return Math.imul(a, b);
    case OP.i32_div_s:
      return b === 0 || (a === -0x8000_0000 && b === -1) ? undefined : (a / b) | 0;
    case OP.i32_div_u:
      return b === 0 ? undefined : ((a >>> 0) / (b >>> 0)) >>> 0;
    case OP.i32_rem_s:
      return b === 0 ? undefined : (a % b) | 0;
    case OP.i32_rem_u:
      return b === 0 ? undefined : (a >>> 0) % (b >>> 0);
    case OP.i32_and:
      return a & b;
    case OP.i32_or:
      return a | b;
    case OP.i32_xor:
      return a ^ b;
    case OP.i32_shl:
      return a << b;
    case OP.i32_shr_s:
      return a >> b;
    case OP.i32_shr_u:
      return a >>> b;
    default:
      return undefined;
  }
}

function foldLong(opcode: number, a: bigint, b: bigint): number | bigint | undefined {
  const ua = BigInt.asUintN(64, a);
  const ub = BigInt.asUintN(64, b);
  if (compares(opcode)) return compared(opcode - OP.i64_eq, a, b, ua, ub);
  switch (opcode) {
    case OP.i64_add:
      return a + b;
    case OP.i64_sub:
      return a - b;
    case OP.i64_mul:
      return a * b;
    case OP.i64_div_s:
      return b === 0n || b === -1n ? undefined : a / b;
    case OP.i64_div_u:
      return b === 0n ? undefined : ua / ub;
    case OP.i64_rem_s:
      return b === 0n ? undefined : a % b;
    case OP.i64_rem_u:
      return b === 0n ? undefined : ua % ub;
    case OP.i64_and:
      return a & b;
    case OP.i64_or:
      return a | b;
    case OP.i64_xor:
      return a ^ b;
    case OP.i64_shl:
      return a << (ub & 63n);
    case OP.i64_shr_s:
      return a >> (ub & 63n);
    case OP.i64_shr_u:
      return ua >> (ub & 63n);
    default:
      return undefined;
  }
}

/** By the place of a comparison behind `eq`: eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u. */
function compared<T extends number | bigint>(which: number, a: T, b: T, ua: T, ub: T): number {
  const holds = [a === b, a !== b, a < b, ua < ub, a > b, ua > ub, a <= b, ua <= ub, a >= b, ua >= ub];
  return holds[which] ? 1 : 0;
}

/** Not where the result is a NaN, of which signs may differ. */
function foldFloat(opcode: number, a: number, b: number): number | undefined {
  const value = floatResult(opcode, a, b);
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/** Rounding twice, to 64 bits and then to 32, is as good as once for these. */
function floatResult(opcode: number, a: number, b: number): number | undefined {
  switch (opcode) {
    case OP.f32_add:
      return a + b;
    case OP.f32_sub:
      return a - b;
    case OP.f32_mul:
      return a * b;
    case OP.f32_div:
      return a / b;
    case OP.f32_eq:
      return a === b ? 1 : 0;
    case OP.f32_ne:
      return a !== b ? 1 : 0;
    default:
      return undefined;
  }
}
