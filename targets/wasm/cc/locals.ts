import type { Variable } from './ast.ts';
import type { Local, Value } from './code.ts';
import { int, splitSum } from './fold.ts';
import { alignOf, isSigned, sizeOf, valueTypeOf } from './layout.ts';
import { I32, type ValueType } from './opcodes.ts';

/** The local that a variable of C becomes. */
export function localOf(v: Variable, stable: boolean): Local {
  return {
    ...fresh(v.name, valueTypeOf(v.type), sizeOf(v.type), alignOf(v.type)),
    signed: isSigned(v.type),
    stable: stable && !v.addressed,
    untouched: v.untouched === true && stable && !v.addressed,
    tracked: !v.addressed,
    addressed: v.addressed,
  };
}

/** One that no variable of C is; `stable` where it is written once. */
export function temporary(name: string, type: ValueType, bytes: number, stable: boolean): Local {
  return { ...fresh(name, type, bytes, bytes), stable, tracked: false };
}

let created = 0;

function fresh(name: string, type: ValueType | undefined, bytes: number, align: number): Local {
  return {
    id: created++,
    name,
    type,
    bytes,
    align,
    signed: false,
    stable: false,
    tracked: false,
    depth: 0,
    known: undefined,
    home: undefined,
    untouched: false,
    addressed: false,
    escapes: false,
    reads: 0,
    slots: undefined,
    index: -1,
    offset: 0,
  };
}

export function readOf(local: Local): Value {
  return local.known ?? { kind: 'read', type: local.type!, local };
}

export function frameOf(local: Local): Value {
  return { kind: 'frame', type: I32, local };
}

/** Whether it is the same wherever it is computed, and at next to no cost: it may stand for a variable that has it as its value. */
export function isStable(value: Value): boolean {
  switch (value.kind) {
    case 'constant':
    case 'frame':
    case 'data':
      return true;
    case 'read':
      return value.local.stable;
    default:
      return false;
  }
}

/** Whether `value` is cheap to compute a second time, right after the first. */
export function isCheap(value: Value): boolean {
  return value.kind === 'read' || isStable(value) || (value.kind === 'operation' && value.operands.every(isCheap));
}

/** What is known of locals changes along the way; this undoes it where ways part. */
export class Knowledge {
  private log: { readonly local: Local; readonly before: Value | undefined }[] = [];

  /** `local` has been written; `value` where it can stand for it from here on. */
  learn(local: Local, value: Value | undefined): void {
    if (!local.tracked) return;
    // Also where it is as it was: it has been written on one of two ways.
    this.log.push({ local, before: local.known });
    local.known = value && isStable(splitSum(value).rest) ? value : undefined;
  }

  /** Runs what is in a block; behind it nothing is known by its locals, which have more than `depth` blocks around them. */
  within<T>(depth: number, block: () => T): T {
    const start = this.log.length;
    const result = block();
    for (let i = this.log.length - 1; i >= start; i--) {
      const { local } = this.log[i]!;
      const rest = local.known && splitSum(local.known).rest;
      if ((rest?.kind === 'read' || rest?.kind === 'frame') && rest.local.depth > depth) this.learn(local, undefined);
    }
    return result;
  }

  /** Runs `way`, then knows what it knew; returns what was written on it. */
  apart(way: () => void): readonly Local[] {
    const start = this.log.length;
    way();
    const written: Local[] = [];
    for (let i = this.log.length - 1; i >= start; i--) {
      const { local, before } = this.log[i]!;
      local.known = before;
      written.push(local);
    }
    this.log.length = start;
    return written;
  }

  /** These may have been written. */
  forget(locals: Iterable<Local>): void {
    for (const local of locals) this.learn(local, undefined);
  }
}

export const ZERO = int(0);
