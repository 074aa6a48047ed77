import type { TfNode, Translate, TranslateTable } from '../node.ts';
import { castTo } from './elementwise.ts';

function reduce(n: TfNode, op: string, x: string): string {
  const axes = n.numbers(1, 'the axes').map((a) => n.axis(a, 0));
  if (axes.length === 0) return x;
  // Older graphs call it keepdims.
  const keep = n.attrs.bool('keep_dims') || n.attrs.bool('keepdims');
  return n.e.op(op, [x, n.e.list(axes)], { keepdims: keep ? 1 : 0 });
}

const reduction =
  (op: string): Translate =>
  (n) =>
    reduce(n, op, n.input(0));

/** Of truth values: as numbers, the least or greatest of which is all or any. */
const logical =
  (op: string): Translate =>
  (n) =>
    castTo(n, reduce(n, op, castTo(n, n.input(0), 'f32')), 'bool');

const indexOf =
  (op: string): Translate =>
  (n) => {
    const axis = n.axis(n.inputs[1] === undefined ? 0 : n.number(1, 'the axis'), 0);
    return castTo(n, n.e.op(op, [n.input(0)], { axis, keepdims: 0 }), 'i32');
  };

export const REDUCTIONS: TranslateTable = {
  Mean: reduction('ReduceMean'),
  Sum: reduction('ReduceSum'),
  Max: reduction('ReduceMax'),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  EuclideanNorm: reduction('ReduceL2'),
  All: logical('ReduceMin'),
  Any: logical('ReduceMax'),
  ArgMax: indexOf('ArgMax'),
  ArgMin: indexOf('ArgMin'),
  Cumsum: (n) =>
    n.e.op('CumSum', [n.input(0), n.input(1)], {
      exclusive: n.attrs.bool('exclusive') ? 1 : 0,
      reverse: n.attrs.bool('reverse') ? 1 : 0,
    }),
};
