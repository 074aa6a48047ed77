import type { Value } from './code.ts';
import { add, binary, int, intOf, multiply } from './fold.ts';
import { isSame } from './keys.ts';
import { I32, OP } from './opcodes.ts';

/** Sums of multiples, as addresses are: modulo 2^32, so that their terms can be put into any order. */

export interface Term {
  readonly value: Value;
  readonly by: number;
}

export interface Sum {
  readonly terms: readonly Term[];
  readonly constant: number;
}

/** Whether a value is made by adding or multiplying with constants. */
export function isSum(value: Value): boolean {
  if (value.kind !== 'operation') return false;
  const { opcode, operands } = value;
  if (opcode === OP.i32_add || opcode === OP.i32_sub) return true;
  return (opcode === OP.i32_mul || opcode === OP.i32_shl) && intOf(operands[1]!) !== undefined;
}

/** Equal terms are one; terms that cancel out are gone. */
export function sumOf(value: Value): Sum {
  const terms: { value: Value; by: number }[] = [];
  const constant = collect(value, 1, terms);
  return { terms: terms.some((t) => t.by === 0) ? terms.filter((t) => t.by !== 0) : terms, constant };
}

function collect(value: Value, by: number, terms: { value: Value; by: number }[]): number {
  if (value.kind === 'constant') {
    const known = intOf(value);
    if (known !== undefined) return Math.imul(known, by);
  } else if (value.kind === 'operation') {
    const [a, b] = value.operands as [Value, Value];
    switch (value.opcode) {
      case OP.i32_add:
        return (collect(a, by, terms) + collect(b, by, terms)) | 0;
      case OP.i32_sub:
        return (collect(a, by, terms) + collect(b, -by | 0, terms)) | 0;
      case OP.i32_mul: {
        const times = intOf(b);
        if (times !== undefined) return collect(a, Math.imul(by, times), terms);
        break;
      }
      case OP.i32_shl: {
        const bits = intOf(b);
        if (bits !== undefined) return collect(a, Math.imul(by, 1 << (bits & 31)), terms);
        break;
      }
    }
  }
  for (const t of terms) {
    if (!isSame(t.value, value)) continue;
    t.value = value;
    t.by = (t.by + by) | 0;
    return 0;
  }
  terms.push({ value, by });
  return 0;
}

/** The sum of terms as a value; undefined of none. */
export function valueOfTerms(terms: readonly Term[]): Value | undefined {
  let value: Value | undefined;
  for (const { value: v, by } of terms) {
    if (value === undefined) value = multiply(v, by);
    else if (by === -1) value = binary(OP.i32_sub, I32, value, v);
    else value = add(value, multiply(v, by));
  }
  return value;
}

export function plus(value: Value, constant: number): Value {
  return add(value, int(constant));
}
