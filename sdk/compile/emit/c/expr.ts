import type { Expr } from '../../../ir/expr.ts';
import { f32Literal } from './context.ts';

const UNARY: Record<Extract<Expr, { k: 'un' }>['f'], string> = {
  neg: 'f4_neg',
  abs: 'f4_abs',
  sqrt: 'f4_sqrt',
  exp: 'ew_exp',
  log: 'ew_log',
  tanh: 'ew_tanh',
  erf: 'ew_erf',
  sin: 'ew_sin',
  cos: 'ew_cos',
  floor: 'f4_floor',
  ceil: 'f4_ceil',
  round: 'f4_round',
  not: 'ew_not',
};

const BINARY: Record<Extract<Expr, { k: 'bin' }>['f'], string> = {
  add: 'f4_add',
  sub: 'f4_sub',
  mul: 'f4_mul',
  div: 'f4_div',
  min: 'f4_min',
  max: 'f4_max',
  pow: 'ew_pow',
  mod: 'ew_mod',
  eq: 'ew_eq',
  lt: 'ew_lt',
  le: 'ew_le',
  and: 'ew_and',
  or: 'ew_or',
};

/** Whether an expression has a form for any number of lanes. */
export function isLanewise(e: Expr): boolean {
  switch (e.k) {
    case 'in':
    case 'const':
      return true;
    case 'un':
      return isLanewise(e.a);
    case 'bin':
      return e.f !== 'pow' && e.f !== 'mod' && isLanewise(e.a) && isLanewise(e.b);
    case 'sel':
      return isLanewise(e.a) && isLanewise(e.b) && isLanewise(e.c);
    default:
      return e satisfies never;
  }
}

/** Renders a scalar expression over four lanes; `inputs[i]` is the C expression of input i, and `number` makes one of a number. */
export function renderExpr(
  e: Expr,
  inputs: readonly string[],
  number = (v: number): string => `f4_splat(${f32Literal(v)})`,
): string {
  const of = (x: Expr): string => renderExpr(x, inputs, number);
  switch (e.k) {
    case 'in':
      return inputs[e.i]!;
    case 'const':
      return number(e.v);
    case 'un':
      return `${UNARY[e.f]}(${of(e.a)})`;
    case 'bin':
      return `${BINARY[e.f]}(${of(e.a)}, ${of(e.b)})`;
    case 'sel':
      return `ew_sel(${of(e.c)}, ${of(e.a)}, ${of(e.b)})`;
    default:
      return e satisfies never;
  }
}
