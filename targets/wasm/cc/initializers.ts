import type { Expression, Place, Record, Statement, Type, Variable } from './ast.ts';
import { constant } from './constants.ts';
import { assign, parseAssignment } from './expressions.ts';
import * as nodes from './nodes.ts';
import { BRACE, COMMA, END_BRACE, type Parser } from './parser.ts';
import { type Arrayed, INT, isNumber, pointerTo, sizeOf, UNSIGNED, VOID } from './types.ts';

/** What variables begin with. */

/** Elements of a list that are not written, from which on they are filled with zeros at once. */
const MANY = 8;

/** A value, or a list of them. */
export type Initial = Expression | readonly Initial[];

export function parseInitial(p: Parser): Initial {
  if (!p.accept(BRACE)) return parseAssignment(p);
  const list: Initial[] = [];
  while (!p.accept(END_BRACE)) {
    if (list.length > 0) p.expect(COMMA);
    if (p.accept(END_BRACE)) break;
    list.push(parseInitial(p));
  }
  return list;
}

export function isList(initial: Initial): initial is readonly Initial[] {
  return !('kind' in initial);
}

/** The type of an array whose length is that of its list. */
export function closedArray(of: Type, initial: Initial): Arrayed {
  if (!isList(initial)) throw new nodes.Refusal('an array of unknown length without a list');
  return { kind: 'array', of, length: initial.length };
}

/** The parts of a value that has parts: elements, members, of a union the first; nothing for others. */
function partsOf(type: Type): readonly { type: Type; offset: number }[] | undefined {
  if (type.kind === 'array') {
    const bytes = sizeOf(type.of);
    return Array.from({ length: type.length }, (_, i) => ({ type: type.of, offset: i * bytes }));
  }
  return type.kind === 'record' ? membersOf(type) : undefined;
}

function membersOf({ members }: Record): Record['members'] {
  return members.length > 1 && members.every((m) => m.offset === 0) ? members.slice(0, 1) : members;
}

/** Bytes of constants. */
export function encode(type: Type, initial: Initial): Uint8Array {
  const bytes = new Uint8Array(sizeOf(type));
  write(new DataView(bytes.buffer), 0, type, initial);
  return bytes;
}

function write(view: DataView, at: number, type: Type, initial: Initial): void {
  const parts = partsOf(type);
  if (parts) {
    if (!isList(initial) || initial.length > parts.length) throw new nodes.Refusal('a list that does not fit its type');
    for (const [i, inner] of initial.entries()) {
      const part = parts[i];
      if (part) write(view, at + part.offset, part.type, inner);
    }
    return;
  }
  const e = isList(initial) ? undefined : nodes.convert(initial, type);
  if (e?.kind !== 'constant') throw new nodes.Refusal('a constant was expected');
  writeConstant(view, at, e.type, e.value);
}

function writeConstant(view: DataView, at: number, type: Type, value: number | bigint): void {
  if (type.kind === 'float') {
    if (type.bytes === 4) view.setFloat32(at, Number(value), true);
    else view.setFloat64(at, Number(value), true);
  } else if (sizeOf(type) === 8) view.setBigInt64(at, BigInt(value), true);
  else if (sizeOf(type) === 4) view.setInt32(at, Number(value), true);
  else if (sizeOf(type) === 2) view.setInt16(at, Number(value), true);
  else view.setInt8(at, Number(value));
}

/** Statements that write a list into a variable that was declared. */
export function writeList(variable: Variable, initial: Initial): Statement[] {
  const place: Place = { kind: 'variable', variable, type: variable.type };
  const missing = countMissing(variable.type, initial);
  const writes: Expression[] = missing === 'fill' ? [filled(place)] : [];
  assignParts(place, initial, missing === 'fill', writes);
  return writes.map((expression) => ({ kind: 'expression', expression }));
}

/** Whether zeros are written one by one. */
function countMissing(type: Type, initial: Initial): 'fill' | 'each' {
  let count = 0;
  let hasVectors = false;
  const visit = (of: Type, list: Initial | undefined): void => {
    const parts = partsOf(of);
    if (parts) for (const [i, part] of parts.entries()) visit(part.type, list && isList(list) ? list[i] : undefined);
    else if (list === undefined) {
      count++;
      hasVectors ||= of.kind === 'vector';
    }
  };
  visit(type, initial);
  return hasVectors || count > MANY ? 'fill' : 'each';
}

function filled(place: Place): Expression {
  const address: Expression = { ...nodes.addressOf(place), type: pointerTo(VOID) };
  const args = [address, constant(INT, 0), constant(UNSIGNED, sizeOf(place.type))];
  return { kind: 'intrinsic', type: VOID, name: '__builtin_memset', args };
}

function assignParts(place: Place, initial: Initial | undefined, isFilled: boolean, writes: Expression[]): void {
  const parts = partsOf(place.type);
  if (parts) {
    if (initial && (!isList(initial) || initial.length > parts.length)) {
      throw new nodes.Refusal('a list that does not fit its type');
    }
    for (const [i, { type, offset }] of parts.entries()) {
      const inner = nodes.part(place, type, offset);
      if (inner.kind === 'read') assignParts(inner.place, initial?.[i], isFilled, writes);
    }
  } else if (initial === undefined) {
    if (!isFilled) writes.push(assign(place, zeroOf(place.type)));
  } else if (isList(initial)) {
    throw new nodes.Refusal('a list for one value');
  } else {
    writes.push(assign(place, initial));
  }
}

function zeroOf(type: Type): Expression {
  if (!isNumber(type)) return constant(INT, 0);
  return constant(type, type.kind === 'int' && type.bytes === 8 ? 0n : 0);
}
