/**
 * Scalar expressions over f32: what an elementwise operator computes. The reference target interprets them, the C
 * emitter renders them for scalars and vectors, and fusing two operators is substituting one tree into the other.
 * Every function is defined so that all engines give the same bits: `exp`, `tanh`, `erf`, `log`, `sin`, `cos`, `pow` are the project's
 * own polynomials (sdk/ir/math.ts), `round` is to nearest even, nothing is contracted into an FMA.
 */
export type Unary =
  | 'neg'
  | 'abs'
  | 'sqrt'
  | 'exp'
  | 'log'
  | 'tanh'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'not';
export type Binary = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max' | 'pow' | 'mod' | 'eq' | 'lt' | 'le' | 'and' | 'or';

export type Expr =
  | { readonly k: 'in'; readonly i: number }
  | { readonly k: 'const'; readonly v: number }
  | { readonly k: 'un'; readonly f: Unary; readonly a: Expr }
  | { readonly k: 'bin'; readonly f: Binary; readonly a: Expr; readonly b: Expr }
  /** c != 0 ? a : b */
  | { readonly k: 'sel'; readonly c: Expr; readonly a: Expr; readonly b: Expr };

export const x = (i = 0): Expr => ({ k: 'in', i });
/** A constant, rounded to f32 where it is made so that every engine sees the same value. */
export const c = (v: number): Expr => ({ k: 'const', v: Math.fround(v) });
export const un = (f: Unary, a: Expr): Expr => ({ k: 'un', f, a });
export const bin = (f: Binary, a: Expr, b: Expr): Expr => ({ k: 'bin', f, a, b });
export const sel = (cond: Expr, a: Expr, b: Expr): Expr => ({ k: 'sel', c: cond, a, b });
export const add = (a: Expr, b: Expr): Expr => bin('add', a, b);
export const sub = (a: Expr, b: Expr): Expr => bin('sub', a, b);
export const mul = (a: Expr, b: Expr): Expr => bin('mul', a, b);
export const div = (a: Expr, b: Expr): Expr => bin('div', a, b);
export const min = (a: Expr, b: Expr): Expr => bin('min', a, b);
export const max = (a: Expr, b: Expr): Expr => bin('max', a, b);
export const clamp = (a: Expr, lo: number, hi: number): Expr => min(max(a, c(lo)), c(hi));

/** Replaces input i of `e` by `inputs[i]`. */
export function substitute(e: Expr, inputs: readonly Expr[]): Expr {
  switch (e.k) {
    case 'in':
      return inputs[e.i]!;
    case 'const':
      return e;
    case 'un':
      return { ...e, a: substitute(e.a, inputs) };
    case 'bin':
      return { ...e, a: substitute(e.a, inputs), b: substitute(e.b, inputs) };
    case 'sel':
      return { ...e, c: substitute(e.c, inputs), a: substitute(e.a, inputs), b: substitute(e.b, inputs) };
    default:
      return e satisfies never;
  }
}

/** Input indices an expression reads. */
export function inputsOf(e: Expr, into = new Set<number>()): Set<number> {
  switch (e.k) {
    case 'in':
      into.add(e.i);
      break;
    case 'const':
      break;
    case 'un':
      inputsOf(e.a, into);
      break;
    case 'bin':
      inputsOf(e.a, into);
      inputsOf(e.b, into);
      break;
    case 'sel':
      inputsOf(e.c, into);
      inputsOf(e.a, into);
      inputsOf(e.b, into);
      break;
  }
  return into;
}
