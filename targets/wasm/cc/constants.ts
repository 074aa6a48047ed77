import type { BinaryOperator, Expression, Type } from './ast.ts';
import { type Float, INT, type Int } from './types.ts';

/** Arithmetic on constants, as WebAssembly does it. */

export type Constant = Extract<Expression, { kind: 'constant' }>;

export function constant(type: Type, value: number | bigint): Constant {
  return { kind: 'constant', type, value };
}

/** `value`, which may be out of its range, as an int of that type: its low bits. */
export function wrap(type: Int, value: number | bigint): number | bigint {
  if (type.bytes === 8) {
    const wide = BigInt(value);
    return type.signed ? BigInt.asIntN(64, wide) : BigInt.asUintN(64, wide);
  }
  const low = typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value | 0;
  if (type.bytes === 4) return type.signed ? low : low >>> 0;
  const shift = 32 - type.bytes * 8;
  return type.signed ? (low << shift) >> shift : (low << shift) >>> shift;
}

/** The nearest value of the type. */
export function round(type: Float, value: number): number {
  return type.bytes === 4 ? Math.fround(value) : value;
}

/** A constant as one of another type; nothing where that is neither an int nor a float, or for what is not a number. */
export function convertConstant({ type: from, value }: Constant, to: Type): Constant | undefined {
  if (to.kind === 'float') {
    // From 8 bytes to a float in one step.
    if (typeof value === 'bigint') return to.bytes === 8 ? constant(to, Number(value)) : undefined;
    return Number.isNaN(value) ? undefined : constant(to, round(to, value));
  }
  if (to.kind !== 'int') return undefined;
  if (from.kind !== 'float') return constant(to, wrap(to, value));
  return Number.isNaN(value) ? constant(to, wrap(to, 0)) : constant(to, truncate(to, value as number));
}

/** A float without its fraction, limited to what the type holds; for types of fewer than 4 bytes by way of an int. */
function truncate(type: Int, value: number): number | bigint {
  const wide = type.bytes < 4 ? INT : type;
  const bits = BigInt(wide.bytes * 8);
  const most = wide.signed ? 2n ** (bits - 1n) - 1n : 2n ** bits - 1n;
  const least = wide.signed ? -(2n ** (bits - 1n)) : 0n;
  const limited = Math.abs(value) < 2 ** 65 ? BigInt(Math.trunc(value)) : value > 0 ? most : least;
  const clamped = limited > most ? most : limited < least ? least : limited;
  return wrap(type, wide.bytes === 8 ? clamped : Number(clamped));
}

/** `operator` of operands of `type`; nothing where it would stop the program, or is not a number. */
export function foldBinary(
  operator: BinaryOperator,
  type: Type,
  a: number | bigint,
  b: number | bigint,
): number | bigint | undefined {
  switch (operator) {
    case 'eq':
      return Number(a === b);
    case 'ne':
      return Number(a !== b);
    case 'lt':
      return Number(a < b);
    case 'le':
      return Number(a <= b);
    case 'gt':
      return Number(a > b);
    case 'ge':
      return Number(a >= b);
  }
  if (type.kind === 'float') return foldFloats(operator, type, a as number, b as number);
  if (type.kind !== 'int') return undefined;
  return type.bytes === 8
    ? foldWide(operator, type, a as bigint, b as bigint)
    : foldInts(operator, type, a as number, b as number);
}

function foldFloats(operator: BinaryOperator, type: Float, a: number, b: number): number | undefined {
  const exact =
    operator === 'add'
      ? a + b
      : operator === 'sub'
        ? a - b
        : operator === 'mul'
          ? a * b
          : operator === 'div'
            ? a / b
            : Number.NaN;
  return Number.isNaN(exact) ? undefined : round(type, exact);
}

function foldInts(operator: BinaryOperator, type: Int, a: number, b: number): number | undefined {
  switch (operator) {
    case 'add':
      return wrap(type, a + b) as number;
    case 'sub':
      return wrap(type, a - b) as number;
    case 'mul':
      return wrap(type, Math.imul(a, b)) as number;
    case 'div':
      return b === 0 ? undefined : (wrap(type, Math.trunc(a / b)) as number);
    case 'rem':
      return b === 0 ? undefined : (wrap(type, a % b) as number);
    case 'and':
      return wrap(type, a & b) as number;
    case 'or':
      return wrap(type, a | b) as number;
    case 'xor':
      return wrap(type, a ^ b) as number;
    case 'shl':
      return wrap(type, a << b) as number;
    case 'shr':
      return type.signed ? a >> b : (wrap(type, a >>> b) as number);
    default:
      return undefined;
  }
}

function foldWide(operator: BinaryOperator, type: Int, a: bigint, b: bigint): bigint | undefined {
  if (b === 0n && (operator === 'div' || operator === 'rem')) return undefined;
  return wrap(type, wideResult(operator, a, b)) as bigint;
}

function wideResult(operator: BinaryOperator, a: bigint, b: bigint): bigint {
  switch (operator) {
    case 'add':
      return a + b;
    case 'sub':
      return a - b;
    case 'mul':
      return a * b;
    case 'div':
      return a / b;
    case 'rem':
      return a % b;
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'shl':
      return a << (b & 63n);
    default:
      return a >> (b & 63n);
  }
}

/** The same of one operand; floats keep the sign of zero. */
export function foldUnary(
  operator: 'negate' | 'complement' | 'not',
  { type, value }: Constant,
): number | bigint | undefined {
  if (operator === 'not') return Number(!value);
  if (type.kind === 'float') return operator === 'negate' && !Number.isNaN(value) ? -(value as number) : undefined;
  if (type.kind !== 'int') return undefined;
  if (typeof value === 'bigint') return wrap(type, operator === 'negate' ? -value : ~value);
  return wrap(type, operator === 'negate' ? -value : ~value);
}
