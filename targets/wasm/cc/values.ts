import type { Expression, Type } from './ast.ts';
import type { Action, Value } from './code.ts';
import { add, binary, choose, constant, int, isPure, multiply, not, truth, unary } from './fold.ts';
import { inlineCall } from './inline.ts';
import { intrinsicEffect, intrinsicValue } from './instructions.ts';
import { isSigned, valueTypeOf } from './layout.ts';
import { isCheap, readOf, temporary } from './locals.ts';
import { type Lowering, testOf } from './lower.ts';
import { binaryOpcode, compares, F32, F64, I32, I64, MISC, OP, type ValueType } from './opcodes.ts';
import { addressOf, copyRecord, type Located, locate, read, readFrom, writeTo } from './places.ts';

/** The value of an expression, with all that it does. */
export function evaluate(l: Lowering, e: Expression): Value {
  switch (e.kind) {
    case 'constant':
      return constant(valueTypeOf(e.type)!, e.value);
    case 'read':
      return read(l, e.place, e.type);
    case 'address':
      return addressOf(l, e.place);
    case 'convert':
      return converted(evaluate(l, e.operand), e.operand.type, e.type);
    case 'unary':
      return unaryOf(l, e);
    case 'binary': {
      const { left, right } = e;
      const type = valueTypeOf(left.type)!;
      const opcode = binaryOpcode(e.operator, type, isSigned(left.type))!;
      return binary(opcode, compares(opcode) ? I32 : type, evaluate(l, left), evaluate(l, right));
    }
    case 'offset':
      return add(evaluate(l, e.base), multiply(evaluate(l, e.index), e.scale));
    case 'logical':
      return logicalOf(l, e);
    case 'conditional':
      return conditionalOf(l, e);
    case 'assign':
      return assignOf(l, e);
    case 'modify':
      return modifyOf(l, e);
    case 'comma': {
      const body = l.capture(() => effectOf(l, e.first));
      return sequence(body, evaluate(l, e.second));
    }
    case 'call':
      return inlineCall(l, e);
    case 'intrinsic':
      return intrinsicValue(l, e);
  }
}

/** An expression whose value is of no account. */
export function effectOf(l: Lowering, e: Expression): void {
  switch (e.kind) {
    case 'convert':
      effectOf(l, e.operand);
      return;
    case 'comma':
      effectOf(l, e.first);
      effectOf(l, e.second);
      return;
    case 'assign': {
      if (e.type.kind === 'record') {
        copyRecord(l, e);
        return;
      }
      const to = locate(l, e.place);
      writeTo(l, to, e.type, evaluate(l, e.value));
      return;
    }
    case 'modify':
      modify(l, e);
      return;
    case 'intrinsic':
      if (intrinsicEffect(l, e)) return;
      break;
    case 'conditional': {
      const test = testOf(l, e.test);
      const known = test.kind === 'constant' ? Number(test.value) : undefined;
      if (known !== undefined) {
        effectOf(l, known !== 0 ? e.yes : e.no);
        return;
      }
      const yes = apart(l, () => l.capture(() => effectOf(l, e.yes)));
      const no = apart(l, () => l.capture(() => effectOf(l, e.no)));
      l.emit({ kind: 'if', test, yes, no });
      return;
    }
    case 'call':
      if (e.type.kind === 'void') {
        const value = inlineCall(l, e, true);
        if (value.kind === 'call') l.emit({ kind: 'drop', value });
        return;
      }
  }
  drop(l, evaluate(l, e));
}

export function drop(l: Lowering, value: Value): void {
  if (isPure(value)) return;
  l.emit({ kind: 'drop', value });
}

/** Runs one of two ways; what is written on it is no longer known behind it. */
function apart<T>(l: Lowering, way: () => T): T {
  let result: T | undefined;
  l.knowledge.forget(
    l.knowledge.apart(() => {
      result = way();
    }),
  );
  return result as T;
}

export function sequence(body: readonly Action[], value: Value): Value {
  return body.length === 0 ? value : { kind: 'sequence', type: value.type!, body, value };
}

function unaryOf(l: Lowering, e: Extract<Expression, { kind: 'unary' }>): Value {
  const type = valueTypeOf(e.operand.type)!;
  const operand = evaluate(l, e.operand);
  switch (e.operator) {
    case 'not':
      return type === I32
        ? not(operand)
        : type === I64
          ? unary(OP.i64_eqz, I32, operand)
          : binary(type === F32 ? OP.f32_eq : OP.f64_eq, I32, operand, constant(type, 0));
    case 'negate':
      return type === I32
        ? binary(OP.i32_sub, I32, int(0), operand)
        : type === I64
          ? binary(OP.i64_sub, I64, constant(I64, 0n), operand)
          : unary(type === F32 ? OP.f32_neg : OP.f64_neg, type, operand);
    case 'complement':
      return binary(type === I32 ? OP.i32_xor : OP.i64_xor, type, operand, constant(type, -1n));
  }
}

function logicalOf(l: Lowering, e: Extract<Expression, { kind: 'logical' }>): Value {
  const left = testOf(l, e.left);
  const isAnd = e.operator === 'and';
  if (left.kind === 'constant' && (left.value !== 0) !== isAnd) return int(isAnd ? 0 : 1);
  const right = apart(l, () => truth(testOf(l, e.right)));
  if (right.kind === 'constant') {
    if ((right.value !== 0) === isAnd) return truth(left);
    if (isPure(left)) return right;
  }
  return isAnd ? choose(left, right, int(0)) : choose(left, int(1), right);
}

function conditionalOf(l: Lowering, e: Extract<Expression, { kind: 'conditional' }>): Value {
  const test = testOf(l, e.test);
  if (test.kind === 'constant') return evaluate(l, test.value !== 0 ? e.yes : e.no);
  const yes = apart(l, () => evaluate(l, e.yes));
  const no = apart(l, () => evaluate(l, e.no));
  return choose(test, yes, no);
}

function assignOf(l: Lowering, e: Extract<Expression, { kind: 'assign' }>): Value {
  let result: Value | undefined;
  const body = l.capture(() => {
    const to = locate(l, e.place);
    result = store(l, to, e.type, evaluate(l, e.value));
  });
  return sequence(body, result!);
}

/** Writes a value that is used afterwards. */
function store(l: Lowering, to: Located, type: Type, value: Value): Value {
  if ('local' in to) {
    writeTo(l, to, type, value);
    return readOf(to.local);
  }
  const again = value.kind === 'constant' ? value : readOf(l.hold(value));
  writeTo(l, to, type, again);
  return again;
}

function modifyOf(l: Lowering, e: Extract<Expression, { kind: 'modify' }>): Value {
  let result: Value | undefined;
  const body = l.capture(() => {
    result = modify(l, e, e.result);
  });
  return sequence(body, result!);
}

/** Returns the value before or after where that is wanted. */
function modify(l: Lowering, e: Extract<Expression, { kind: 'modify' }>, wanted?: 'old' | 'new'): Value | undefined {
  const found = locate(l, e.place);
  const to = 'local' in found || isCheap(found.address) ? found : { ...found, address: readOf(l.hold(found.address)) };
  const before = readFrom(l, to, e.type);
  const old = wanted === 'old' && before.kind !== 'constant' ? readOf(l.hold(before)) : before;
  l.frame.bindings.set(e.old, { value: old });
  const value = evaluate(l, e.value);
  if (wanted === 'new') return store(l, to, e.type, value);
  writeTo(l, to, e.type, value);
  return wanted && old;
}

/** A value of C of one type as one of another. */
export function converted(value: Value, from: Type, to: Type): Value {
  const source = valueTypeOf(from);
  const type = valueTypeOf(to);
  if (source === undefined || type === undefined) return value;
  if (type === I32) return narrowed(toInt(value, source, to), from, to);
  if (type === I64) {
    if (source === I32) return unary(isSigned(from) ? OP.i64_extend_i32_s : OP.i64_extend_i32_u, I64, value);
    return source === I64 ? value : unary(OP.i64_trunc_sat_f32_s + saturating(source, to), I64, value);
  }
  if (type === source) return value;
  if (source === F64) return unary(OP.f32_demote_f64, F32, value);
  if (source === F32) return unary(OP.f64_promote_f32, F64, value);
  // f32.convert_i32_s, _i32_u, _i64_s, _i64_u, f32.demote_f64, then the same for f64.
  const first = type === F32 ? OP.f32_convert_i32_s : OP.f64_convert_i32_s;
  return unary(first + (source === I64 ? 2 : 0) + (isSigned(from) ? 0 : 1), type, value);
}

/** Of a truncation: s of f32, u of f32, s of f64, u of f64. */
function saturating(source: ValueType, to: Type): number {
  return (source === F64 ? 2 : 0) + (isSigned(to) ? 0 : 1);
}

function toInt(value: Value, source: ValueType, to: Type): Value {
  if (source === I64) return unary(OP.i32_wrap_i64, I32, value);
  if (source === I32) return value;
  const isSmall = to.kind === 'int' && to.bytes < 4;
  return unary(isSmall ? MISC | (source === F64 ? 2 : 0) : OP.i32_trunc_sat_f32_s + saturating(source, to), I32, value);
}

/** An i32 as an int of fewer bytes: its low ones, with their sign. */
function narrowed(value: Value, from: Type, to: Type): Value {
  if (to.kind !== 'int' || to.bytes >= 4) return value;
  if (
    from.kind === 'int' &&
    (from.bytes < to.bytes ? !from.signed || to.signed : from.bytes === to.bytes && from.signed === to.signed)
  ) {
    return value;
  }
  if (to.signed) return unary(to.bytes === 1 ? OP.i32_extend8_s : OP.i32_extend16_s, I32, value);
  return binary(OP.i32_and, I32, value, int(to.bytes === 1 ? 255 : 65535));
}

/** A local of a type of C that is no variable. */
export function resultLocal(type: Type): ReturnType<typeof temporary> | undefined {
  const value = valueTypeOf(type);
  return value === undefined ? undefined : temporary('result', value, 16, false);
}
