import type { Expr } from '../../../ir/expr.ts';
import { type Attr, type Graph, type Node, valueNamed } from '../../../ir/graph.ts';
import { roundEven } from '../../../ir/math.ts';
import type { DType } from '../../../util/tensor.ts';
import { isKind, type Lowered } from '../../lower.ts';
import type { KernelContext } from './context.ts';

/**
 * What values a kernel's numbers can take, by interval arithmetic from the constants: what never leaves a range need not be cut off at
 * it. In double precision, so that a bound is right up to a relative error of the few roundings of a tail.
 */
export interface Range {
  readonly lo: number;
  readonly hi: number;
}

const ANY: Range = { lo: Number.NEGATIVE_INFINITY, hi: Number.POSITIVE_INFINITY };

const CODES: Partial<Record<DType, Range>> = { i8: { lo: -128, hi: 127 }, i16: { lo: -32768, hi: 32767 } };

/** Range of an f32 value that a kernel reads or computes. */
export function rangeOf(ctx: KernelContext, value: string): Range {
  const data = ctx.constant(value)?.data;
  if (data) return spanOf(data);
  const { root, tail } = ctx.group;
  if (root?.node.outputs[0] === value) return rootRange(ctx, root);
  const l = tail.find((t) => t.node.outputs[0] === value) ?? ctx.decoded(value);
  if (!l) return madeRange(ctx, value);
  if (isKind(l, 'map')) return exprRange(l.spec.expr, (i) => rangeOf(ctx, l.node.inputs[i]!));
  return isKind(l, 'dequantize') ? decodedRange(ctx, l) : ANY;
}

/** Of a value that another kernel makes, by its operator alone, or by what that multiplies. */
function madeRange(ctx: KernelContext, value: string): Range {
  const made = ctx.graph.nodes.find((n) => n.outputs.includes(value));
  if (made?.op === 'HardSigmoid' || made?.op === 'Sigmoid' || made?.op === 'Softmax') return { lo: 0, hi: 1 };
  const factors = made?.op === 'Mul' ? made.inputs.map((v) => ctx.constant(v)?.data) : [];
  if (!factors.some((f) => f)) return ANY;
  return made!.inputs.map((v, i) => (factors[i] ? spanOf(factors[i]) : madeRange(ctx, v))).reduce(times);
}

/** Of x * inv, where inv is what a Quantize node multiplies by. */
export function stepsRange(ctx: KernelContext, x: string, inv: string): Range {
  return times(rangeOf(ctx, x), rangeOf(ctx, inv));
}

/** Codes that a value of integers can have: fewer than its type where it was cut off before it was rounded, as compression does. */
export function codeRange(graph: Graph, value: string): Range {
  const all = CODES[valueNamed(graph, value).type.dtype] ?? ANY;
  const made = graph.nodes.find((n) => n.outputs.includes(value));
  if (made?.op === 'Quantize') return roundedRange(graph, made, all);
  const type = valueNamed(graph, value).type.dtype;
  const moved = made && made.op !== 'Pad' && made.inputs.every((v) => valueNamed(graph, v).type.dtype === type);
  if (!moved) return all;
  const ranges = made.inputs.map((v) => codeRange(graph, v));
  return { lo: Math.min(...ranges.map((r) => r.lo)), hi: Math.max(...ranges.map((r) => r.hi)) };
}

function roundedRange(graph: Graph, { inputs }: Node, all: Range): Range {
  const limit = graph.nodes.find((n) => n.op === 'Clip' && n.outputs.includes(inputs[0]!));
  const [step, zero] = [inputs[1]!, inputs[2]!].map((v) => valueNamed(graph, v).data?.data);
  if (!limit || step?.length !== 1 || zero?.length !== 1 || !(Number(step[0]) > 0)) return all;
  const code = (bound: Attr | undefined, none: number): number =>
    typeof bound === 'number' ? roundEven(Math.fround(Math.fround(bound) * Number(step[0]))) + Number(zero[0]) : none;
  return { lo: Math.max(all.lo, code(limit.attrs.min, all.lo)), hi: Math.min(all.hi, code(limit.attrs.max, all.hi)) };
}

function spanOf(data: ArrayLike<number | bigint>): Range {
  let [lo, hi] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < data.length; i++) {
    const v = Number(data[i]);
    // A NaN fails both comparisons and makes the range useless, as it has to.
    if (!(v >= lo)) lo = v;
    if (!(v <= hi)) hi = v;
  }
  return known(lo, hi);
}

const known = (lo: number, hi: number): Range => (lo <= hi ? { lo, hi } : ANY);

function decodedRange(ctx: KernelContext, l: Lowered): Range {
  const [x, inv, zp] = l.node.inputs as [string, string, string];
  const zero = rangeOf(ctx, zp);
  const codes = CODES[ctx.type(x).dtype] ?? ANY;
  return over({ lo: codes.lo - zero.hi, hi: codes.hi - zero.lo }, rangeOf(ctx, inv));
}

/** Integer products with constant factors: the largest sum of each channel by the magnitudes of its codes. */
function rootRange(ctx: KernelContext, l: Lowered): Range {
  const names = productInputs(l);
  if (!names) return ANY;
  const w = ctx.largestCodes(names.w);
  const [m, b] = [names.m, names.b].map((v) => ctx.constant(v)?.data);
  const codes = CODES[ctx.type(names.x).dtype];
  if (!w || !m || !b || !codes) return ANY;
  const zero = names.zp ? rangeOf(ctx, names.zp) : { lo: 0, hi: 0 };
  const most = Math.max(codes.hi - zero.lo, zero.hi - codes.lo);
  const cols = w.length / b.length;
  let [lo, hi] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let o = 0; o < b.length; o++) {
    let sum = 0;
    for (let k = o * cols; k < (o + 1) * cols; k++) sum += Math.abs(w[k]!);
    const reach = sum * most * Math.abs(Number(m[o % m.length]));
    lo = Math.min(lo, Number(b[o]) - reach);
    hi = Math.max(hi, Number(b[o]) + reach);
  }
  return known(lo, hi);
}

function productInputs(l: Lowered): { x: string; w: string; m: string; b: string; zp?: string } | undefined {
  if (isKind(l, 'qconv')) {
    const [x, w, m, b, zp] = l.node.inputs as [string, string, string, string, string];
    return { x, w, m, b, zp };
  }
  if (!isKind(l, 'qlinear')) return undefined;
  const [x, xs, w, m, b, zp] = l.node.inputs as [string, string, string, string, string, string?];
  return xs ? undefined : { x, w, m, b, ...(zp ? { zp } : {}) };
}

function exprRange(e: Expr, input: (i: number) => Range): Range {
  const of = (x: Expr): Range => exprRange(x, input);
  switch (e.k) {
    case 'in':
      return input(e.i);
    case 'const':
      return known(e.v, e.v);
    case 'un':
      return unaryRange(e.f, of(e.a));
    case 'bin':
      return binaryRange(e.f, of(e.a), of(e.b));
    case 'sel': {
      const [a, b] = [of(e.a), of(e.b)];
      return known(Math.min(a.lo, b.lo), Math.max(a.hi, b.hi));
    }
    default:
      return e satisfies never;
  }
}

function unaryRange(f: Extract<Expr, { k: 'un' }>['f'], a: Range): Range {
  switch (f) {
    case 'neg':
      return { lo: -a.hi, hi: -a.lo };
    case 'abs':
      return { lo: 0, hi: Math.max(-a.lo, a.hi) };
    case 'tanh':
    case 'erf':
      return { lo: -1, hi: 1 };
    case 'floor':
    case 'ceil':
    case 'round':
      return { lo: a.lo - 1, hi: a.hi + 1 };
    default:
      return ANY;
  }
}

function binaryRange(f: Extract<Expr, { k: 'bin' }>['f'], a: Range, b: Range): Range {
  switch (f) {
    case 'add':
      return known(a.lo + b.lo, a.hi + b.hi);
    case 'sub':
      return known(a.lo - b.hi, a.hi - b.lo);
    case 'mul':
      return times(a, b);
    case 'div':
      return over(a, b);
    case 'min':
      return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) };
    case 'max':
      return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
    default:
      return ANY;
  }
}

function times(a: Range, b: Range): Range {
  const ends = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
  return known(Math.min(...ends), Math.max(...ends));
}

function over(a: Range, b: Range): Range {
  return b.lo > 0 || b.hi < 0 ? times(a, { lo: 1 / b.hi, hi: 1 / b.lo }) : ANY;
}
