import type { Expression, Place, Record, Statement, Type, Variable } from './ast.ts';
import { constant } from './constants.ts';
import { assign, parseAssignment } from './expressions.ts';
import * as nodes from './nodes.ts';
import { BRACE, CLOSE, COMMA, END_BRACE, OPEN, type Parser } from './parser.ts';
import { END, LITERAL } from './tokens.ts';
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

function membersOf(record: Record): Record['members'] {
  return isUnion(record) ? record.members.slice(0, 1) : record.members;
}

function isUnion({ members }: Record): boolean {
  return members.length > 1 && members.every((m) => m.offset === 0);
}

/** The bytes that a global begins with, and its type, which for an array of unknown length is that of its list. */
export function parseData(p: Parser, declared: Type, isOpen = false): { type: Type; data: Uint8Array } {
  const type: Type = isOpen ? { kind: 'array', of: declared, length: countElements(p) } : declared;
  const data = new Uint8Array(sizeOf(type));
  parseBytes(p, new DataView(data.buffer), 0, type);
  return { type, data };
}

/** Of the list that is next. */
function countElements(p: Parser): number {
  let count = 0;
  let depth = 0;
  let isBegun = false;
  for (let at = p.at; ; at++) {
    const code = p.codes[at] as number;
    if (code === END) throw p.refused('a list without an end');
    const isEnd = code === END_BRACE || code === CLOSE;
    if (isEnd && --depth === 0) break;
    if (code === COMMA && depth === 1) isBegun = false;
    else if (depth > 0 && !isBegun) {
      isBegun = true;
      count++;
    }
    if (code === BRACE || code === OPEN) depth++;
  }
  return count;
}

function parseBytes(p: Parser, view: DataView, at: number, type: Type): void {
  if (type.kind !== 'array' && type.kind !== 'record') {
    parseElement(p, view, at, type);
    return;
  }
  p.expect(BRACE);
  const members = type.kind === 'record' ? membersOf(type) : undefined;
  const of = type.kind === 'array' ? type.of : VOID;
  const length = type.kind === 'array' ? type.length : (members?.length ?? 0);
  const bytes = sizeOf(of);
  for (let i = 0; !p.accept(END_BRACE); i++) {
    if (i > 0) {
      p.expect(COMMA);
      if (p.accept(END_BRACE)) break;
    }
    if (i >= length) throw p.refused(`a list of more than ${length} values`);
    const member = members?.[i];
    if (member) parseBytes(p, view, at + member.offset, member.type);
    else parseBytes(p, view, at + i * bytes, of);
  }
}

function parseElement(p: Parser, view: DataView, at: number, type: Type): void {
  const alone = p.code >= LITERAL && isEndOfValue(p.codes[p.at + 1]) ? p.number(p.code) : undefined;
  // The low bytes of an int are those of an int of fewer.
  if (alone && (alone.type === type || (alone.type === INT && type.kind === 'int' && type.bytes < 4))) {
    p.next();
    writeConstant(view, at, type, alone.value);
    return;
  }
  const e = nodes.convert(parseAssignment(p), type);
  if (e.kind !== 'constant') throw new nodes.Refusal('a constant was expected');
  writeConstant(view, at, e.type, e.value);
}

function isEndOfValue(code: number | undefined): boolean {
  return code === COMMA || code === END_BRACE;
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
  const isFilled = hasManyZeros(variable.type, initial);
  const writes: Expression[] = isFilled ? [filled(place)] : [];
  assignParts(place, initial, isFilled, writes);
  return writes.map((expression) => ({ kind: 'expression', expression }));
}

/** Whether so much is left out of a list that it is filled with zeros at once; vectors are filled in no other way. */
function hasManyZeros(type: Type, initial: Initial): boolean {
  let count = 0;
  let hasVectors = false;
  /** A union longer than its first member, of which the rest is zeros, too. */
  let hasRests = false;
  const visit = (of: Type, list: Initial | undefined): void => {
    const parts = partsOf(of);
    if (of.kind === 'record' && isUnion(of)) hasRests ||= sizeOf(of) > sizeOf(of.members[0]?.type ?? VOID);
    if (parts) for (const [i, part] of parts.entries()) visit(part.type, list && isList(list) ? list[i] : undefined);
    else if (list === undefined) {
      count++;
      hasVectors ||= of.kind === 'vector';
    }
  };
  visit(type, initial);
  return hasVectors || hasRests || count > MANY;
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
