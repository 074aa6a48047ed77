import { DTYPE_BYTES, type DType, newArray, sizeOf, type Tensor } from '../../../util/tensor.ts';
import type { Expr } from '../../expr.ts';
import { cos32, erf32, exp32, log32, maxOf, minOf, mod32, pow32, roundEven, sin32, tanh32 } from '../../math.ts';
import { broadcastStrides } from './arrays.ts';

const f = Math.fround;
type Fn = (v: Float32Array) => number;
type BigFn = (v: readonly bigint[]) => bigint;

const UNARY: Record<Extract<Expr, { k: 'un' }>['f'], (a: number) => number> = {
  neg: (a) => -a,
  abs: Math.abs,
  sqrt: (a) => f(Math.sqrt(a)),
  exp: exp32,
  log: log32,
  tanh: tanh32,
  erf: erf32,
  sin: sin32,
  cos: cos32,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  not: (a) => (a === 0 ? 1 : 0),
};

const BINARY: Record<Extract<Expr, { k: 'bin' }>['f'], (a: number, b: number) => number> = {
  add: (a, b) => f(a + b),
  sub: (a, b) => f(a - b),
  mul: (a, b) => f(a * b),
  div: (a, b) => f(a / b),
  min: minOf,
  max: maxOf,
  pow: pow32,
  mod: mod32,
  eq: (a, b) => (a === b ? 1 : 0),
  lt: (a, b) => (a < b ? 1 : 0),
  le: (a, b) => (a <= b ? 1 : 0),
  and: (a, b) => (a !== 0 && b !== 0 ? 1 : 0),
  or: (a, b) => (a !== 0 || b !== 0 ? 1 : 0),
};

/** An expression as a function of the values of its inputs, every operation rounded to f32. */
function compile(e: Expr): Fn {
  switch (e.k) {
    case 'in': {
      const i = e.i;
      return (v) => v[i]!;
    }
    case 'const': {
      const c = e.v;
      return () => c;
    }
    case 'un': {
      const fn = UNARY[e.f];
      const a = compile(e.a);
      return (v) => fn(a(v));
    }
    case 'bin': {
      const fn = BINARY[e.f];
      const a = compile(e.a);
      const b = compile(e.b);
      return (v) => fn(a(v), b(v));
    }
    case 'sel': {
      const c = compile(e.c);
      const a = compile(e.a);
      const b = compile(e.b);
      return (v) => (c(v) !== 0 ? a(v) : b(v));
    }
    default:
      return e satisfies never;
  }
}

const flagged = (v: boolean): bigint => (v ? 1n : 0n);

const BIG_UNARY: Partial<Record<Extract<Expr, { k: 'un' }>['f'], (a: bigint) => bigint>> = {
  neg: (a) => -a,
  abs: (a) => (a < 0n ? -a : a),
  not: (a) => flagged(a === 0n),
  floor: (a) => a,
  ceil: (a) => a,
  round: (a) => a,
};

const BIG_BINARY: Record<Extract<Expr, { k: 'bin' }>['f'], (a: bigint, b: bigint) => bigint> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? 0n : a / b),
  min: minOf,
  max: maxOf,
  pow: (a, b) => bigPow(a, b),
  mod: (a, b) => (b === 0n ? 0n : a % b),
  eq: (a, b) => flagged(a === b),
  lt: (a, b) => flagged(a < b),
  le: (a, b) => flagged(a <= b),
  and: (a, b) => flagged(a !== 0n && b !== 0n),
  or: (a, b) => flagged(a !== 0n || b !== 0n),
};

/** Integer power, wrapped to 64 bits so that absurd exponents cost no memory; 0 for negative exponents. */
function bigPow(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : 0n;
  let r = 1n;
  let base = a;
  for (let n = b; n > 0n; n >>= 1n) {
    if (n & 1n) r = BigInt.asIntN(64, r * base);
    base = BigInt.asIntN(64, base * base);
  }
  return r;
}

/** As `compile`, with integer semantics: division truncates, results wrap in the output's type. */
function compileBig(e: Expr): BigFn {
  switch (e.k) {
    case 'in': {
      const i = e.i;
      return (v) => v[i]!;
    }
    case 'const': {
      const c = BigInt(Math.trunc(e.v));
      return () => c;
    }
    case 'un': {
      const fn = BIG_UNARY[e.f];
      if (!fn) throw new TypeError(`'${e.f}' is not defined for integers`);
      const a = compileBig(e.a);
      return (v) => fn(a(v));
    }
    case 'bin': {
      const fn = BIG_BINARY[e.f];
      const a = compileBig(e.a);
      const b = compileBig(e.b);
      return (v) => fn(a(v), b(v));
    }
    case 'sel': {
      const c = compileBig(e.c);
      const a = compileBig(e.a);
      const b = compileBig(e.b);
      return (v) => (c(v) !== 0n ? a(v) : b(v));
    }
    default:
      return e satisfies never;
  }
}

/** Calls `visit` with the output index and the element index of every input, broadcast to `shape`. */
function forEachBroadcast(
  inputs: readonly Tensor[],
  shape: readonly number[],
  visit: (out: number, at: readonly number[]) => void,
): void {
  const n = sizeOf(shape);
  const strides = inputs.map((t) => broadcastStrides(t.shape, shape));
  const at = inputs.map(() => 0);
  const index = shape.map(() => 0);
  for (let o = 0; o < n; o++) {
    visit(o, at);
    for (let d = shape.length - 1; d >= 0; d--) {
      for (let k = 0; k < at.length; k++) at[k]! += strides[k]![d]!;
      if (++index[d]! < shape[d]!) break;
      for (let k = 0; k < at.length; k++) at[k]! -= index[d]! * strides[k]![d]!;
      index[d] = 0;
    }
  }
}

/** Evaluates an expression over f32 and bool tensors with numpy broadcasting. */
export function evaluateFloat(e: Expr, inputs: readonly Tensor[], shape: readonly number[], dtype: DType): Tensor {
  const fn = compile(e);
  const out = newArray(dtype, sizeOf(shape));
  const v = new Float32Array(inputs.length);
  const data = inputs.map((t) => t.data as Float32Array | Uint8Array);
  forEachBroadcast(inputs, shape, (o, at) => {
    for (let k = 0; k < data.length; k++) v[k] = data[k]![at[k]!]!;
    out[o] = fn(v) as never;
  });
  return { dtype, shape: [...shape], data: out };
}

/** Evaluates an expression over integer (and bool) tensors. */
export function evaluateInteger(e: Expr, inputs: readonly Tensor[], shape: readonly number[], dtype: DType): Tensor {
  const fn = compileBig(e);
  const out = newArray(dtype, sizeOf(shape));
  const v = inputs.map(() => 0n);
  const wide = dtype === 'i64' || dtype === 'u64';
  const width = DTYPE_BYTES[dtype] * 8;
  forEachBroadcast(inputs, shape, (o, at) => {
    for (let k = 0; k < inputs.length; k++) v[k] = BigInt(inputs[k]!.data[at[k]!]!);
    const r = fn(v);
    out[o] = (wide ? BigInt.asIntN(64, r) : Number(BigInt.asIntN(width + 1, r))) as never;
  });
  return { dtype, shape: [...shape], data: out };
}
