import { formatType, sizeOf, stridesOf, type TensorType, tensor, toNumbers } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxImporter, OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import { maxOf, minOf } from '../math.ts';
import type { OpDef, Types } from '../op.ts';
import { i64 } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { axisOf, flag, ints, invalid, required, str } from './lib/check.ts';

export type ReduceFn = 'sum' | 'mean' | 'max' | 'min' | 'prod' | 'sumsq';

/** Axes are an attribute up to opset 12 (sum) or 17 (others), an input after; none at all means every axis. */
export function reduceAxes(node: OnnxNode): number[] | undefined {
  const rank = node.type(0)?.shape.length ?? node.reject('input 0 is missing');
  const given = node.has('axes') ? node.ints('axes') : node.inputs[1] ? toNumbers(node.need(1, 'axes')) : undefined;
  if (!given || given.length === 0) {
    return node.int('noop_with_empty_axes', 0) === 1 ? undefined : Array.from({ length: rank }, (_, i) => i);
  }
  return [...new Set(given.map((a) => axisOf(node.opType, a, rank)))].sort((p, q) => p - q);
}

export function emitReduce(
  node: OnnxNode,
  input: string,
  fn: ReduceFn,
  axes: readonly number[],
  keepdims: boolean,
  outputs?: readonly string[],
): string {
  return node.emit('Reduce', [input], { fn, axes, keepdims }, outputs)[0]!;
}

/** `before` and `after` are operators applied elementwise around the reduction. */
function importReduce(fn: ReduceFn, before?: string, after?: string): OnnxImporter {
  return (node) => {
    const axes = reduceAxes(node);
    if (!axes) {
      const alone = fn === 'sumsq' ? 'sumsq' : undefined;
      if (alone || before || after) node.reject('noop_with_empty_axes is supported for plain reductions only');
      node.emit('Identity', [node.inputs[0]!], {}, node.outputs);
      return;
    }
    const x = before ? node.emit(before, [node.inputs[0]!], {})[0]! : node.inputs[0]!;
    const keep = node.int('keepdims', 1) === 1;
    const y = emitReduce(node, x, fn, axes, keep, after ? undefined : node.outputs);
    if (after) node.emit(after, [y], {}, node.outputs);
  };
}

const globalPool =
  (fn: ReduceFn): OnnxImporter =>
  (node) => {
    const rank = node.type(0)?.shape.length ?? node.reject('input 0 is missing');
    emitReduce(
      node,
      node.inputs[0]!,
      fn,
      Array.from({ length: rank - 2 }, (_, i) => i + 2),
      true,
      node.outputs,
    );
  };

function inferReduce(inputs: Types, attrs: Attrs): TensorType[] {
  const t = required('Reduce', inputs, 0);
  const axes = ints(attrs, 'axes');
  if (t.dtype === 'bool') invalid('Reduce', `${formatType(t)} cannot be reduced`);
  const keep = flag(attrs, 'keepdims');
  return [{ dtype: t.dtype, shape: t.shape.flatMap((d, i) => (axes.includes(i) ? (keep ? [1] : []) : [d])) }];
}

const START: Record<ReduceFn, number> = {
  sum: 0,
  mean: 0,
  max: Number.NEGATIVE_INFINITY,
  min: Number.POSITIVE_INFINITY,
  prod: 1,
  sumsq: 0,
};
const STEP: Record<ReduceFn, (acc: number, v: number) => number> = {
  sum: (a, v) => a + v,
  mean: (a, v) => a + v,
  max: maxOf,
  min: minOf,
  prod: (a, v) => a * v,
  sumsq: (a, v) => a + v * v,
};

const REDUCTIONS: Readonly<Record<ReduceFn, string>> = {
  sum: 'ReduceSum',
  mean: 'ReduceMean',
  max: 'ReduceMax',
  min: 'ReduceMin',
  prod: 'ReduceProd',
  sumsq: 'ReduceSumSquare',
};

function writeReduce(w: OnnxWriter): void {
  const op = REDUCTIONS[str(w.attrs, 'fn') as ReduceFn];
  const axes = ints(w.attrs, 'axes');
  const inputs = [w.input(0), w.constantValue(i64(axes.map((a) => w.axis(a)).sort((p, q) => p - q)))];
  if (flag(w.attrs, 'keepdims')) {
    w.emit(op, inputs, {}, [w.output()]);
    return;
  }
  // Without the reduced axes there is one order only, the graph's.
  const kept = w.type(0).shape.flatMap((_, a) => (axes.includes(a) ? [] : [w.axis(a)]));
  const perm = kept.map((at) => kept.filter((other) => other < at).length);
  const straight = perm.every((p, i) => p === i);
  const y = w.emit(op, inputs, { keepdims: 0 }, straight ? [w.output()] : undefined);
  if (!straight) w.emit('Transpose', [y], { perm }, [w.output()]);
}

export const reduce: OpDef = {
  name: 'Reduce',
  doc: 'sum, mean, max, min, prod or sumsq over `axes`; keepdims leaves them as 1.',
  tolerance: 'rounding',
  infer: inferReduce,
  evaluate(inputs, attrs) {
    const t = inputs[0]!;
    const type = inferReduce([t], attrs)[0]!;
    const axes = ints(attrs, 'axes');
    const fn = str(attrs, 'fn') as ReduceFn;
    const step = STEP[fn];
    const kept = t.shape.map((d, i) => (axes.includes(i) ? 1 : d));
    const to = stridesOf(kept).map((s, i) => (axes.includes(i) ? 0 : s));
    const acc = new Float64Array(sizeOf(kept)).fill(START[fn]);
    const index = t.shape.map(() => 0);
    for (let i = 0, o = 0; i < t.data.length; i++) {
      acc[o] = step(acc[o]!, Number(t.data[i]));
      for (let d = index.length - 1; d >= 0; d--) {
        o += to[d]!;
        if (++index[d]! < t.shape[d]!) break;
        o -= index[d]! * to[d]!;
        index[d] = 0;
      }
    }
    const count = acc.length === 0 ? 1 : t.data.length / acc.length;
    if (fn === 'mean') for (let i = 0; i < acc.length; i++) acc[i] = acc[i]! / count;
    return [
      tensor(type.dtype, type.shape, type.dtype === 'f32' ? Float32Array.from(acc) : Array.from(acc, Math.trunc)),
    ];
  },
  lower: (_inputs, attrs) => ({ kind: 'reduce', axes: ints(attrs, 'axes'), fn: str(attrs, 'fn') as ReduceFn }),
  toOnnx: { order: 'any', write: writeReduce },
  onnx: {
    ReduceSum: importReduce('sum'),
    ReduceMean: importReduce('mean'),
    ReduceMax: importReduce('max'),
    ReduceMin: importReduce('min'),
    ReduceProd: importReduce('prod'),
    ReduceSumSquare: importReduce('sumsq'),
    ReduceL1: importReduce('sum', 'Abs'),
    ReduceL2: importReduce('sumsq', undefined, 'Sqrt'),
    ReduceLogSum: importReduce('sum', undefined, 'Log'),
    ReduceLogSumExp: importReduce('sum', 'Exp', 'Log'),
    GlobalAveragePool: globalPool('mean'),
    GlobalMaxPool: globalPool('max'),
  },
  cases: [
    ...(['sum', 'mean', 'max', 'min', 'prod', 'sumsq'] as const).map((fn) => ({
      name: `${fn}, last axis`,
      inputs: [sample([3, 4, 5])],
      attrs: { fn, axes: [2], keepdims: true },
    })),
    { name: 'image mean', inputs: [sample([2, 5, 3, 7])], attrs: { fn: 'mean', axes: [1, 2], keepdims: true } },
    {
      name: 'image mean, many channels',
      inputs: [sample([2, 5, 3, 84])],
      attrs: { fn: 'mean', axes: [1, 2], keepdims: true },
    },
    { name: 'first axis', inputs: [sample([5, 6])], attrs: { fn: 'sum', axes: [0], keepdims: false } },
    { name: 'everything', inputs: [sample([3, 5])], attrs: { fn: 'max', axes: [0, 1], keepdims: false } },
    { name: 'outer and inner', inputs: [sample([3, 4, 5])], attrs: { fn: 'mean', axes: [0, 2], keepdims: false } },
  ],
};
