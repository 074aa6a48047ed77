import { expression, toInt } from './expressions.ts';
import type { Scope, Term } from './scope.ts';
import { bitsOf } from './types.ts';
import { scalarOfVector } from './vectors.ts';

const EDGES = [2147483647, 2147483648, 4294967295, 65535, 127, 128, 255, 256, 32767, 32768];
const SIZES = ['u16', 'mixed', 'pack', 'u8 *'].map((t) => `sizeof(${t})`);
const SIZES_OF = ['sizeof T16', 'sizeof T16 / sizeof T16[0]', 'sizeof M', 'sizeof M[0]'];

/** A number, a variable, or what lies somewhere. */
export function leaf(s: Scope): Term {
  const variables = s.readable();
  if (variables.length > 0 && s.chance(0.5)) return s.pick(variables);
  if (s.sources.length > 0 && s.chance(0.3)) return source(s);
  if (s.vectors.length > 0 && s.chance(0.15)) return scalarOfVector(s);
  if (s.chance(0.35)) return stored(s);
  const pointers = s.readablePointers();
  if (pointers.length > 0 && s.chance(0.3)) {
    const { text, type } = s.pick(pointers);
    return { text: s.chance(0.5) ? `*${text}` : `${text}[${s.below(4)}]`, type };
  }
  return literal(s);
}

export function literal(s: Scope): Term {
  const any32 = s.rng.next();
  switch (s.below(9)) {
    case 0:
      return { text: `${s.below(10)}`, type: 'i32' };
    case 1:
      return { text: `0x${any32.toString(16)}u`, type: 'u32' };
    case 2:
      return { text: `0x${any32.toString(16)}`, type: any32 > 0x7fffffff ? 'u32' : 'i32' };
    case 3: {
      const value = s.pick(EDGES);
      return { text: `${value}`, type: value > 0x7fffffff ? 'i64' : 'i32' };
    }
    case 4:
      return { text: `${1 + s.below(1e9)}${s.below(1e9)}ll`, type: 'i64' };
    case 5:
      return { text: `${s.below(1000)}.${s.below(1000)}f`, type: 'float' };
    case 6:
      return { text: `${s.below(100)}.${s.below(100000)}e${s.below(8) - 4}f`, type: 'float' };
    case 7:
      return s.chance(0.5)
        ? { text: `${s.below(100)}.${s.below(1000)}`, type: 'double' }
        : { text: `0${s.below(8)}${s.below(8)}u`, type: 'u32' };
    default:
      return { text: s.pick([...SIZES, ...SIZES_OF]), type: 'u32' };
  }
}

/** Through a pointer to what is not written, of which one may be 0. */
function source(s: Scope): Term {
  const { optional } = s;
  if (optional && s.chance(0.2)) {
    const { text: name, type } = optional;
    return { text: `(${name} ? ${name}[${index(s, 8)}] : ${s.below(9)})`, type };
  }
  const { text: name, type } = s.pick(s.sources);
  const text = s.pick([
    `*${name}`,
    `${name}[${s.below(8)}]`,
    `${name}[${index(s, 8)}]`,
    `(${name} + 2)[${index(s, 6)}]`,
  ]);
  return { text, type };
}

/** In tables and in what is written. */
function stored(s: Scope): Term {
  switch (s.below(8)) {
    case 0:
      return { text: `T16[${index(s, 8)}]`, type: 'i16' };
    case 1:
      return { text: `T8[${index(s, 13)}]`, type: 'u8' };
    case 2:
      return { text: `TF[${index(s, 5)}]`, type: 'float' };
    case 3:
      return { text: `M[${index(s, 3)}][${index(s, 4)}]`, type: 'i32' };
    case 4:
      return { text: `((const i16 *)mem)[${index(s, 32)}]`, type: 'i16' };
    case 5:
      return { text: `*(const u32 *)(mem + 4 * ${index(s, 16)})`, type: 'u32' };
    case 6:
      return { text: `TP[${index(s, 3)}].${s.pick(['b[1]', 'c'])}`, type: 'i16' };
    default:
      return { text: `((const u64 *)mem + 2)[${index(s, 9)}]`, type: 'u64' };
  }
}

/** An int from 0 to below n. */
export function index(s: Scope, n: number): string {
  if (s.nesting > 3 || s.chance(0.4)) return `${s.below(n)}`;
  const e = toInt(expression(s, 2));
  const text = `(u32)(${e.text}) % ${n}u`;
  return bitsOf(e.type) > 32 || s.chance(0.5) ? text : `(${text})`;
}
