import type { Value } from './code.ts';

/** Values by how they are made: those that are made in the same way are one. Calls and sequences are only themselves. */
export class ValueMap<T> {
  private readonly entries = new Map<number, Entry<T>>();

  get(value: Value): T | undefined {
    let entry = this.entries.get(hashOf(value));
    while (entry !== undefined && !isSame(entry.value, value)) entry = entry.next;
    return entry?.found;
  }

  /** Of a value that is not there yet. */
  set(value: Value, found: T): void {
    const hash = hashOf(value);
    this.entries.set(hash, { value, found, next: this.entries.get(hash) });
  }
}

interface Entry<T> {
  readonly value: Value;
  readonly found: T;
  /** Another one of the same hash. */
  readonly next: Entry<T> | undefined;
}

/** A number that is the same for values that are made in the same way, from their upper parts. */
function hashOf(v: Value, depth = 3): number {
  switch (v.kind) {
    case 'constant':
      return typeof v.value === 'number' ? v.value | 0 : 1;
    case 'vector':
      return (v.bytes[0]! + v.bytes[4]! * 31 + v.bytes[8]! * 961 + v.bytes[12]! * 29791) | 0;
    case 'read':
    case 'frame':
      return v.local.id;
    case 'data':
      return v.global.id;
    case 'operation': {
      let hash = v.opcode;
      if (depth > 0) for (const o of v.operands) hash = (Math.imul(hash, 31) + hashOf(o, depth - 1)) | 0;
      return hash;
    }
    case 'load':
      return depth > 0 ? (Math.imul(v.opcode + v.offset, 31) + hashOf(v.address, depth - 1)) | 0 : v.opcode;
    case 'extract':
    case 'replace':
      return depth > 0 ? (Math.imul(v.opcode + v.lane, 31) + hashOf(v.operand, depth - 1)) | 0 : v.opcode;
    case 'shuffle':
      return depth > 0 ? (hashOf(v.left, depth - 1) + Math.imul(hashOf(v.right, depth - 1), 31)) | 0 : 2;
    default:
      return 3;
  }
}

/** Whether values are made in the same way. */
function isSame(a: Value, b: Value): boolean {
  switch (a.kind) {
    case 'constant':
      return b.kind === 'constant' && a.type === b.type && Object.is(a.value, b.value);
    case 'vector':
      return b.kind === 'vector' && a.bytes.every((byte, i) => byte === b.bytes[i]);
    case 'read':
    case 'frame':
      return b.kind === a.kind && a.local === b.local;
    case 'data':
      return b.kind === 'data' && a.global === b.global;
    case 'operation':
      return b.kind === 'operation' && a.opcode === b.opcode && areSame(a.operands, b.operands);
    case 'extract':
      return b.kind === 'extract' && a.opcode === b.opcode && a.lane === b.lane && isSame(a.operand, b.operand);
    case 'replace':
      return (
        b.kind === 'replace' &&
        a.opcode === b.opcode &&
        a.lane === b.lane &&
        isSame(a.operand, b.operand) &&
        isSame(a.by, b.by)
      );
    case 'shuffle':
      return (
        b.kind === 'shuffle' &&
        a.lanes.every((lane, i) => lane === b.lanes[i]) &&
        isSame(a.left, b.left) &&
        isSame(a.right, b.right)
      );
    case 'load':
      return b.kind === 'load' && a.opcode === b.opcode && a.offset === b.offset && isSame(a.address, b.address);
    case 'choose':
      return b.kind === 'choose' && isSame(a.test, b.test) && isSame(a.yes, b.yes) && isSame(a.no, b.no);
    case 'call':
    case 'sequence':
      return a === b;
  }
}

function areSame(a: readonly Value[], b: readonly Value[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!isSame(a[i]!, b[i]!)) return false;
  return true;
}
