import type { Type } from './ast.ts';
import { F32, F64, I32, I64, V128, type ValueType, VECTOR } from './opcodes.ts';

/** Sizes, alignments and instructions of types. */

export function sizeOf(type: Type): number {
  switch (type.kind) {
    case 'void':
      return 0;
    case 'int':
    case 'float':
    case 'record':
      return type.bytes;
    case 'vector':
      return 16;
    case 'pointer':
      return 4;
    case 'array':
      return type.length * sizeOf(type.of);
  }
}

export function alignOf(type: Type): number {
  if (type.kind === 'array') return alignOf(type.of);
  return type.kind === 'record' ? type.align : Math.max(1, sizeOf(type));
}

/** Undefined of what is no value: void, arrays and records. */
export function valueTypeOf(type: Type): ValueType | undefined {
  switch (type.kind) {
    case 'int':
      return type.bytes === 8 ? I64 : I32;
    case 'float':
      return type.bytes === 8 ? F64 : F32;
    case 'pointer':
      return I32;
    case 'vector':
      return V128;
    default:
      return undefined;
  }
}

export function isSigned(type: Type): boolean {
  return type.kind === 'int' && type.signed;
}

const LOADS = { i8: [0x2d, 0x2c], i16: [0x2f, 0x2e] } as const;

/** What loads a value of this type. */
export function loadOf(type: Type): number {
  if (type.kind === 'int' && type.bytes < 4) return LOADS[type.bytes === 1 ? 'i8' : 'i16'][type.signed ? 1 : 0];
  switch (valueTypeOf(type)) {
    case I64:
      return 0x29;
    case F32:
      return 0x2a;
    case F64:
      return 0x2b;
    case V128:
      return VECTOR;
    default:
      return 0x28;
  }
}

export function storeOf(type: Type): number {
  if (type.kind === 'int' && type.bytes < 4) return type.bytes === 1 ? 0x3a : 0x3b;
  switch (valueTypeOf(type)) {
    case I64:
      return 0x37;
    case F32:
      return 0x38;
    case F64:
      return 0x39;
    case V128:
      return VECTOR | 0x0b;
    default:
      return 0x36;
  }
}
