import type { Record, Type } from './ast.ts';

/** Types of C on wasm32, where long and pointers have four bytes. */

export type Int = Extract<Type, { kind: 'int' }>;
export type Float = Extract<Type, { kind: 'float' }>;
export type Pointer = Extract<Type, { kind: 'pointer' }>;
export type Arrayed = Extract<Type, { kind: 'array' }>;

export const VOID: Type = { kind: 'void' };
export const VECTOR: Type = { kind: 'vector' };
export const FLOAT: Float = { kind: 'float', bytes: 4 };
export const DOUBLE: Float = { kind: 'float', bytes: 8 };

const ints = ([1, 2, 4, 8] as const).flatMap((bytes) =>
  [true, false].map((signed): Int => ({ kind: 'int', bytes, signed })),
);

/** The int type of so many bytes; there is one object for each. */
export function int(bytes: Int['bytes'], signed: boolean): Int {
  return ints[(bytes === 8 ? 6 : bytes === 4 ? 4 : bytes === 2 ? 2 : 0) + (signed ? 0 : 1)] as Int;
}

export const INT = int(4, true);
export const UNSIGNED = int(4, false);

const pointers = new WeakMap<Type, Pointer>();

export function pointerTo(to: Type): Pointer {
  let pointer = pointers.get(to);
  if (!pointer) {
    pointer = { kind: 'pointer', to };
    pointers.set(to, pointer);
  }
  return pointer;
}

/** Bytes of a value; 1 for void, which pointers to it count in. */
export function sizeOf(type: Type): number {
  switch (type.kind) {
    case 'void':
      return 1;
    case 'vector':
      return 16;
    case 'pointer':
      return 4;
    case 'array':
      return type.length * sizeOf(type.of);
    default:
      return type.bytes;
  }
}

export function alignOf(type: Type): number {
  if (type.kind === 'array') return alignOf(type.of);
  return type.kind === 'record' ? type.align : sizeOf(type);
}

/** A struct or a union of these members, in their order. */
export function recordOf(members: readonly { name: string; type: Type }[], isUnion: boolean): Record {
  let end = 0;
  let align = 1;
  const placed = members.map(({ name, type }) => {
    const own = alignOf(type);
    const offset = isUnion ? 0 : roundUp(end, own);
    align = Math.max(align, own);
    end = Math.max(end, offset + sizeOf(type));
    return { name, type, offset };
  });
  return { kind: 'record', bytes: roundUp(end, align), align, members: placed };
}

function roundUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}

export function isNumber(type: Type): type is Int | Float {
  return type.kind === 'int' || type.kind === 'float';
}

/** Whether values of one are values of the other as they are; any two pointers are. */
export function isSame(a: Type, b: Type): boolean {
  if (a === b) return true;
  if (a.kind === 'int') return b.kind === 'int' && a.bytes === b.bytes && a.signed === b.signed;
  if (a.kind === 'float') return b.kind === 'float' && a.bytes === b.bytes;
  return a.kind === b.kind && a.kind !== 'record' && a.kind !== 'array';
}

/** The type that arithmetic on a value is done in. */
export function promoted(type: Int | Float): Int | Float {
  return type.kind === 'int' && type.bytes < 4 ? INT : type;
}

/** The type that two operands are converted to. */
export function common(a: Int | Float, b: Int | Float): Int | Float {
  if (a.kind === 'float' || b.kind === 'float') {
    const bytes = Math.max(a.kind === 'float' ? a.bytes : 0, b.kind === 'float' ? b.bytes : 0);
    return bytes === 8 ? DOUBLE : FLOAT;
  }
  const left = promoted(a) as Int;
  const right = promoted(b) as Int;
  if (left.bytes !== right.bytes) return left.bytes > right.bytes ? left : right;
  return left.signed ? right : left;
}

/** A type as messages say it. */
export function describe(type: Type): string {
  switch (type.kind) {
    case 'int':
      return `${type.signed ? 'i' : 'u'}${type.bytes * 8}`;
    case 'float':
      return type.bytes === 4 ? 'float' : 'double';
    case 'vector':
      return 'v128_t';
    case 'pointer':
      return `${describe(type.to)} *`;
    case 'array':
      return `${describe(type.of)}[${type.length}]`;
    case 'record':
      return `struct {${type.members.map((m) => m.name).join(', ')}}`;
    case 'void':
      return 'void';
  }
}
