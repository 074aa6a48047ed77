import type { Expression, Place, Type } from './ast.ts';
import type { Local, Value } from './code.ts';
import { add, int, splitSum } from './fold.ts';
import { hoisted } from './hoist.ts';
import { isSigned, loadOf, sizeOf, storeOf, valueTypeOf } from './layout.ts';
import { frameOf, isCheap, readOf } from './locals.ts';
import type { Lowering } from './lower.ts';
import { I32, MISC } from './opcodes.ts';
import { evaluate } from './values.ts';

/** Where a value is: in a local, in memory, or nowhere but where it is used. */
export type Located = { readonly local: Local } | { readonly address: Value; readonly offset: number };

type Found = Located | { readonly value: Value };

/**
 * Offsets up to here are left to the instruction that loads or stores. It adds them to the address without a carry being lost: an address that
 * is below 0 on its own, as of `p[i - n]`, would be out of bounds. None is by less than this, since the stack and the module's data come
 * before all that pointers are made of.
 */
export const OFFSETS = 1 << 14;

export function locate(l: Lowering, place: Place): Located {
  const found = find(l, place);
  if ('value' in found) throw new Error('a value is written');
  return found;
}

function find(l: Lowering, place: Place): Found {
  if (place.kind === 'memory') return pointedTo(evaluate(l, place.address), place.type);
  const { variable } = place;
  if (variable.storage === 'global') {
    return { address: { kind: 'data', type: I32, global: variable }, offset: 0 };
  }
  const binding = l.frame.bindings.get(variable);
  if (!binding) throw new Error(`${variable.name} is used before it is declared`);
  return binding;
}

/** What lies at an address. */
function pointedTo(at: Value, type: Type): Located {
  const { address, offset } = splitAddress(at);
  if (address.kind === 'frame' && offset === 0) {
    const { local } = address;
    const isSame = local.type !== undefined && local.type === valueTypeOf(type) && local.bytes === sizeOf(type);
    // Ints of few bytes are kept with their sign, or without.
    if (isSame && (local.bytes >= 4 || local.signed === isSigned(type))) return { local };
  }
  return { address, offset };
}

export function splitAddress(at: Value): { readonly address: Value; readonly offset: number } {
  const { rest, offset } = splitSum(at);
  const fixed = rest.kind === 'frame' || rest.kind === 'data';
  if (offset >= 0 && (offset < OFFSETS || fixed)) return { address: rest, offset };
  return { address: at, offset: 0 };
}

export function read(l: Lowering, place: Place, type: Type): Value {
  const found = find(l, place);
  return 'value' in found ? found.value : readFrom(l, found, type);
}

export function readFrom(l: Lowering, from: Located, type: Type): Value {
  if ('local' in from) return from.local.type === undefined ? frameOf(from.local) : readOf(from.local);
  const value = valueTypeOf(type);
  if (value === undefined) return addressIn(from);
  return hoisted(l, { kind: 'load', type: value, opcode: loadOf(type), bytes: sizeOf(type), ...from });
}

export function writeTo(l: Lowering, to: Located, type: Type, value: Value): void {
  if ('local' in to) l.set(to.local, value);
  else l.emit({ kind: 'store', opcode: storeOf(type), bytes: sizeOf(type), ...to, value: lowBits(value, type) });
}

/** What a store of fewer bytes than an int's does not need to have done. */
function lowBits(value: Value, type: Type): Value {
  return type.kind === 'int' && type.bytes < 4 ? withoutNarrowing(value, type.bytes) : value;
}

/** A value of which only so many low bytes are used. */
export function withoutNarrowing(value: Value, bytes: number): Value {
  if (value.kind !== 'operation') return value;
  const [operand, by] = value.operands;
  const keeps =
    value.opcode === 0xc0
      ? bytes <= 1
      : value.opcode === 0xc1
        ? bytes <= 2
        : value.opcode === 0x71 &&
          by?.kind === 'constant' &&
          (by.value === 65535 ? bytes <= 2 : by.value === 255 && bytes <= 1);
  return keeps ? withoutNarrowing(operand!, bytes) : value;
}

function addressIn({ address, offset }: { readonly address: Value; readonly offset: number }): Value {
  return add(address, int(offset));
}

export function addressOf(l: Lowering, place: Place): Value {
  if (place.kind === 'memory') return evaluate(l, place.address);
  const found = locate(l, place);
  return 'local' in found ? frameOf(found.local) : addressIn(found);
}

/** A struct or a union that is assigned. */
export function copyRecord(l: Lowering, e: Extract<Expression, { kind: 'assign' }>): void {
  if (e.value.kind !== 'read') throw new Error('a record that has no place');
  const to = addressOf(l, e.place);
  const from = addressOf(l, e.value.place);
  copyBytes(l, to, from, int(sizeOf(e.type)));
}

/** Bytes that are copied or filled one by one, as vectors or parts of them, at most. */
const WORDS = 64;

/** `memcpy`: a few bytes by loads and stores. */
export function copyBytes(l: Lowering, to: Value, from: Value, bytes: Value): void {
  const count = bytes.kind === 'constant' ? (bytes.value as number) : -1;
  if (count < 0 || count > WORDS) {
    l.emit({ kind: 'bulk', opcode: MISC | 0x0a, operands: [to, from, bytes] });
    return;
  }
  const d = isCheap(to) ? to : readOf(l.hold(to));
  const s = isCheap(from) ? from : readOf(l.hold(from));
  for (const { type, at } of words(count)) {
    const value = readFrom(l, pointedTo(add(s, int(at)), type), type);
    writeTo(l, pointedTo(add(d, int(at)), type), type, value);
  }
}

/** Pieces of so many bytes, the largest first. */
export function words(bytes: number): { readonly type: Type; readonly at: number }[] {
  const pieces: { readonly type: Type; readonly at: number }[] = [];
  for (let at = 0; at < bytes; ) {
    const type = WORD_TYPES.find((t) => sizeOf(t) <= bytes - at)!;
    pieces.push({ type, at });
    at += sizeOf(type);
  }
  return pieces;
}

const WORD_TYPES: readonly Type[] = [
  { kind: 'vector' },
  { kind: 'int', bytes: 8, signed: false },
  { kind: 'int', bytes: 4, signed: false },
  { kind: 'int', bytes: 2, signed: false },
  { kind: 'int', bytes: 1, signed: false },
];

/** `memset`: a few bytes of a value that is known by stores. */
export function fillBytes(l: Lowering, to: Value, value: Value, bytes: Value): void {
  const count = bytes.kind === 'constant' ? (bytes.value as number) : -1;
  const byte = value.kind === 'constant' ? (value.value as number) & 255 : undefined;
  if (count < 0 || count > WORDS || byte === undefined) {
    l.emit({ kind: 'bulk', opcode: MISC | 0x0b, operands: [to, value, bytes] });
    return;
  }
  const d = isCheap(to) ? to : readOf(l.hold(to));
  for (const { type, at } of words(count)) {
    writeTo(l, pointedTo(add(d, int(at)), type), type, repeated(byte, type));
  }
}

function repeated(byte: number, type: Type): Value {
  if (type.kind === 'vector') return { kind: 'vector', type: 0x7b, bytes: new Uint8Array(16).fill(byte) };
  const size = sizeOf(type);
  if (size === 8) return { kind: 'constant', type: 0x7e, value: BigInt.asIntN(64, BigInt(byte) * 0x0101010101010101n) };
  return int(size === 4 ? Math.imul(byte, 0x01010101) : size === 2 ? byte * 0x0101 : byte);
}
