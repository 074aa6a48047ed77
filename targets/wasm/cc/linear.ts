import type { Value } from './code.ts';
import { add, binary, int, intOf, multiply } from './fold.ts';
import { keyOf } from './keys.ts';
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
  const terms = new Map<string, Term>();
  const constant = collect(value, 1, terms);
  return { terms: [...terms.values()].filter((t) => t.by !== 0), constant };
}

function collect(value: Value, by: number, terms: Map<string, Term>): number {
  const known = intOf(value);
  if (known !== undefined) return Math.imul(known, by);
  if (value.kind === 'operation' && isSum(value)) {
    const [a, b] = value.operands as [Value, Value];
    switch (value.opcode) {
      case OP.i32_add:
        return (collect(a, by, terms) + collect(b, by, terms)) | 0;
      case OP.i32_sub:
        return (collect(a, by, terms) + collect(b, -by | 0, terms)) | 0;
      case OP.i32_mul:
        return collect(a, Math.imul(by, intOf(b)!), terms);
      default:
        return collect(a, Math.imul(by, 1 << (intOf(b)! & 31)), terms);
    }
  }
  const key = keyOf(value);
  terms.set(key, { value, by: ((terms.get(key)?.by ?? 0) + by) | 0 });
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
