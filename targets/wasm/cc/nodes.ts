import type { BinaryOperator, Expression, Place, Type } from './ast.ts';
import { constant, convertConstant, foldBinary, foldUnary } from './constants.ts';
import { describe, INT, isNumber, isSame, type Pointer, pointerTo, promoted, sizeOf } from './types.ts';

/** Expressions with the conversions that C makes without being told; constants are folded. */

/** What is refused; who catches it knows the line. */
export class Refusal {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** An expression as one of another type: what a cast does. */
export function cast(operand: Expression, type: Type): Expression {
  const from = operand.type;
  if (type.kind === 'void') return { kind: 'convert', type, operand };
  const e = value(operand);
  if (type.kind === 'pointer' && e.type.kind === 'pointer') return retyped(e, type);
  if (isSame(e.type, type)) return e;
  const isScalar = isNumber(e.type) || e.type.kind === 'pointer';
  const isOfFloat = e.type.kind === 'float' || type.kind === 'float';
  const isPointer = e.type.kind === 'pointer' || type.kind === 'pointer';
  if (!isScalar || !(isNumber(type) || type.kind === 'pointer') || (isOfFloat && isPointer)) {
    throw new Refusal(`${describe(from)} cannot be made ${describe(type)}`);
  }
  const folded = e.kind === 'constant' ? convertConstant(e, type) : undefined;
  return folded ?? { kind: 'convert', type, operand: e };
}

/** The same where nothing says so: ints do not become pointers, but for 0, nor the other way round. */
export function convert(operand: Expression, type: Type): Expression {
  const e = value(operand);
  const isPointer = type.kind === 'pointer';
  if (isPointer && e.type.kind === 'pointer') return e;
  if (isPointer !== (e.type.kind === 'pointer') && !(isPointer && isZero(e))) {
    throw new Refusal(`${describe(e.type)} where ${describe(type)} is wanted`);
  }
  return cast(e, type);
}

function isZero(e: Expression): boolean {
  return e.kind === 'constant' && e.type.kind === 'int' && Number(e.value) === 0;
}

/** The same address as one of another type. */
function retyped(e: Expression, type: Pointer): Expression {
  if (e.type === type) return e;
  switch (e.kind) {
    case 'offset':
    case 'address':
    case 'convert':
      return { ...e, type };
    default:
      return { kind: 'convert', type, operand: e };
  }
}

/** What an expression is where its value is used: an array is a pointer to its first element. */
export function value(e: Expression): Expression {
  if (e.type.kind !== 'array') return e;
  if (e.kind !== 'read') throw new Refusal('an array that has no place');
  return retyped(addressOf(e.place), pointerTo(e.type.of));
}

export function addressOf(place: Place): Expression {
  if (place.kind === 'memory') return retyped(place.address, pointerTo(place.type));
  place.variable.addressed = true;
  return { kind: 'address', type: pointerTo(place.type), place };
}

/** What an address points to. */
export function target(address: Expression): Expression {
  const e = value(address);
  if (e.type.kind !== 'pointer') throw new Refusal(`* of ${describe(e.type)}`);
  const type = e.type.to;
  return { kind: 'read', type, place: { kind: 'memory', address: e, type } };
}

/** An operand of arithmetic. */
export function operand(e: Expression): Expression {
  const used = value(e);
  return isNumber(used.type) ? cast(used, promoted(used.type)) : used;
}

/** What a branch depends on. */
export function condition(e: Expression): Expression {
  const test = operand(e);
  if (!isNumber(test.type) && test.type.kind !== 'pointer') throw new Refusal(`a test of ${describe(test.type)}`);
  return test;
}

export function unary(operator: 'negate' | 'complement' | 'not', e: Expression): Expression {
  const used = operator === 'not' ? condition(e) : operand(e);
  const isInt = used.type.kind === 'int';
  if (operator !== 'not' && !(isInt || (operator === 'negate' && used.type.kind === 'float'))) {
    throw new Refusal(`${operator} of ${describe(used.type)}`);
  }
  const type = operator === 'not' ? INT : used.type;
  const folded = used.kind === 'constant' ? foldUnary(operator, used) : undefined;
  return folded === undefined ? { kind: 'unary', operator, type, operand: used } : constant(type, folded);
}

/** Operands that are of the type already, both. */
export function binary(operator: BinaryOperator, left: Expression, right: Expression): Expression {
  const type = COMPARISONS.has(operator) ? INT : left.type;
  if (left.kind === 'constant' && right.kind === 'constant') {
    const folded = foldBinary(operator, left.type, left.value, right.value);
    if (folded !== undefined) return constant(type, folded);
  }
  return { kind: 'binary', operator, type, left, right };
}

const COMPARISONS: ReadonlySet<BinaryOperator> = new Set(['eq', 'ne', 'lt', 'le', 'gt', 'ge']);

export function isComparison(operator: BinaryOperator): boolean {
  return COMPARISONS.has(operator);
}

/** A pointer plus so many of what it points to, or less so many. */
export function offset(base: Expression, by: Expression, isBack = false): Expression {
  if (base.type.kind !== 'pointer') throw new Refusal(`an offset of ${describe(base.type)}`);
  const count = operand(by);
  if (count.type.kind !== 'int') throw new Refusal(`an offset by ${describe(count.type)}`);
  const narrow = cast(count, count.type.signed || count.type.bytes === 8 ? INT : count.type);
  const index = isBack ? unary('negate', narrow) : narrow;
  return { kind: 'offset', type: base.type, base, index, scale: sizeOf(base.type.to) };
}

/** How many of what they point to lie between two pointers. */
export function distance(left: Expression, right: Expression): Expression {
  const scale = left.type.kind === 'pointer' ? sizeOf(left.type.to) : 1;
  const bytes = binary('sub', cast(left, INT), cast(right, INT));
  return scale === 1 ? bytes : binary('div', bytes, constant(INT, scale));
}

/** A part of a record, `bytes` after its beginning. */
export function part(record: Place, type: Type, bytes: number): Expression {
  const base = addressOf(record);
  const address: Expression = {
    kind: 'offset',
    type: pointerTo(type),
    base,
    index: constant(INT, bytes),
    scale: 1,
  };
  return { kind: 'read', type, place: { kind: 'memory', address, type } };
}
