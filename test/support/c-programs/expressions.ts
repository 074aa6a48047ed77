import { leaf } from './leaves.ts';
import type { Scope, Term } from './scope.ts';
import { bitsOf, common, INTS, isFloat, promoted, type Scalar } from './types.ts';

/** Expressions that write nothing, of a few levels; where C leaves open what they are, they are kept away from that. */

export function anyType(s: Scope): Scalar {
  return s.chance(0.22) ? 'float' : s.chance(0.08) ? 'double' : s.pick(INTS);
}

/** An int in the place of a float. */
export function toInt(e: Term): Term {
  if (!isFloat(e.type)) return e;
  return { text: `(i32)clamped(${e.type === 'float' ? e.text : `(float)(${e.text})`})`, type: 'i32' };
}

/** A cast, of floats to ints after they are brought into the type's range. */
export function cast(type: Scalar, e: Term): Term {
  if (!isFloat(e.type) || isFloat(type)) return { text: `(${type})(${e.text})`, type };
  const single = e.type === 'float' ? e.text : `(float)(${e.text})`;
  const bound = type[0] === 'u' || bitsOf(type) < 32 ? 'small' : 'clamped';
  return { text: `(${type})${bound}(${single})`, type };
}

/** What may be assigned to a variable of this type. */
export function valueAs(s: Scope, type: Scalar, levels = 3): string {
  return assignable(type, expression(s, levels));
}

export function assignable(type: Scalar, e: Term): string {
  return isFloat(e.type) && !isFloat(type) ? cast(type, e).text : e.text;
}

export function expression(s: Scope, levels: number): Term {
  if (levels <= 0) return leaf(s);
  s.nesting++;
  const made = s.pick(KINDS)(s, levels - 1);
  s.nesting--;
  return made;
}

type Kind = (s: Scope, levels: number) => Term;

function unary(s: Scope, levels: number): Term {
  const e = expression(s, levels);
  const operator = s.pick(isFloat(e.type) ? ['-', '!', '+'] : ['-', '~', '!', '+']);
  return { text: `${operator}(${e.text})`, type: operator === '!' ? 'i32' : promoted(e.type) };
}

function truth(...operators: readonly string[]): Kind {
  return (s, levels) => {
    const [a, b] = [expression(s, levels), expression(s, levels)];
    return { text: `(${a.text}) ${s.pick(operators)} (${b.text})`, type: 'i32' };
  };
}

function conditional(s: Scope, levels: number): Term {
  const [test, a, b] = [expression(s, levels), expression(s, levels), expression(s, levels)];
  return { text: `(${test.text}) ? (${a.text}) : (${b.text})`, type: common(a.type, b.type) };
}

function shift(s: Scope, levels: number): Term {
  const [a, b] = [toInt(expression(s, levels)), toInt(expression(s, levels))];
  const type = promoted(a.type);
  return { text: `(${a.text}) ${s.pick(['<<', '>>'])} ((${b.text}) & ${bitsOf(type) - 1})`, type };
}

function bitwise(s: Scope, levels: number): Term {
  const [a, b] = [toInt(expression(s, levels)), toInt(expression(s, levels))];
  return { text: `(${a.text}) ${s.pick(['&', '|', '^'])} (${b.text})`, type: common(a.type, b.type) };
}

const DIVISORS: readonly Term[] = [
  ...['1', '2', '3', '7', '-3', '16', '255', '-16', '1000003'].map((text): Term => ({ text, type: 'i32' })),
  { text: '100u', type: 'u32' },
  { text: '4096ll', type: 'i64' },
];

function division(s: Scope, levels: number): Term {
  const a = toInt(expression(s, levels));
  const by: Term = s.chance(0.2)
    ? { text: `(i32)(((${toInt(expression(s, levels)).text}) & 15) + 2)`, type: 'i32' }
    : s.pick(DIVISORS);
  return { text: `(${a.text}) ${s.pick(['/', '%'])} ${by.text}`, type: common(a.type, by.type) };
}

/** By a variable, where that is not 0. */
function guardedDivision(s: Scope, levels: number): Term {
  const unsigned = s.readable().filter((v) => v.type[0] === 'u');
  if (unsigned.length === 0) return leaf(s);
  const by = s.pick(unsigned);
  const { text } = cast('u32', expression(s, levels));
  return s.chance(0.5)
    ? { text: `${by.text} ? (${text}) / ${by.text} : 7u`, type: common('u32', by.type) }
    : { text: `${by.text} && (${text}) % ${by.text} > 1u`, type: 'i32' };
}

function call(s: Scope, levels: number): Term {
  const helper = s.helper(false);
  if (!helper) return leaf(s);
  const { name, parameters, reads, result } = helper;
  const args = parameters.map((type) => valueAs(s, type, levels - 1));
  if (reads) args.push(`(const ${reads} *)(mem + ${8 * s.below(8)})`);
  return { text: `${name}(${args.join(', ')})`, type: result };
}

function builtin(s: Scope, levels: number): Term {
  const e = expression(s, levels);
  if (isFloat(e.type)) {
    const name = s.pick(['fabsf', 'floorf', 'ceilf', 'sqrtf']);
    return { text: `__builtin_${name}(${e.text})`, type: 'float' };
  }
  // Of 0 some are not defined.
  return { text: `__builtin_${s.pick(['popcount', 'clz', 'ctz'])}((u32)(${e.text}) | 0x1000u)`, type: 'i32' };
}

function comma(s: Scope, levels: number): Term {
  const [a, b] = [expression(s, levels), expression(s, levels)];
  return { text: `((void)(${a.text}), ${b.text})`, type: b.type };
}

function arithmetic(s: Scope, levels: number): Term {
  const [a, b] = [expression(s, levels), expression(s, levels)];
  const type = common(a.type, b.type);
  const operator = isFloat(type) && s.chance(0.2) ? '/' : s.pick(['+', '-', '*', '+', '-']);
  const bare = s.chance(0.2);
  const [left, right] = [a, b].map(({ text }) => (bare && /^[\w[\]]+$/.test(text) ? text : `(${text})`));
  return { text: `${left} ${operator} ${right}`, type };
}

const KINDS: readonly Kind[] = [
  leaf,
  unary,
  (s, levels) => cast(anyType(s), expression(s, levels)),
  truth('<', '<=', '>', '>=', '==', '!='),
  truth('&&', '||'),
  conditional,
  shift,
  bitwise,
  division,
  guardedDivision,
  call,
  builtin,
  comma,
  arithmetic,
  arithmetic,
  arithmetic,
];
