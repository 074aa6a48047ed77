import { axisOf, concat, moved, reshape, transpose } from '../../lib/shape.ts';
import type { LayerCall, LayerTable, TranslateLayer } from '../layer.ts';

const merged =
  (op: string): TranslateLayer =>
  (l) =>
    l.inputs.slice(1).reduce((a, b) => l.e.op(op, [a, b]), l.x);

/** Products of vectors along one axis of each input; with more axes, of all pairs. */
function dot(l: LayerCall): string {
  const [a, b] = l.inputs;
  if (a === undefined || b === undefined) l.e.reject('needs two inputs');
  const [left, right] = [l.e.shape(a), l.e.shape(b)];
  if (left.length > 3 || right.length > 3) l.e.reject('inputs of more than 3 dimensions are not supported');
  const axes = l.ints('axes', 2);
  const [p, q] = [axisOf(l.e, axes[0]!, left.length), axisOf(l.e, axes[1]!, right.length)];
  const unit = (x: string, axis: number): string =>
    l.bool('normalize') ? l.e.op('LpNormalization', [x], { axis, p: 2 }) : x;
  // [batch, rows, k] times [batch, k, columns].
  const rows = (x: string, axis: number, at: 1 | 2): string => {
    const shape = l.e.shape(x);
    const size = shape[axis]!;
    if (shape.length === 2) return reshape(l.e, x, at === 2 ? [shape[0]!, 1, size] : [shape[0]!, size, 1]);
    return transpose(l.e, x, moved(3, axis, at));
  };
  const y = l.e.op('MatMul', [rows(unit(a, p), p, 2), rows(unit(b, q), q, 1)]);
  const [batch, m, n] = l.e.shape(y) as [number, number, number];
  const kept = [...(left.length === 3 ? [m] : []), ...(right.length === 3 ? [n] : [])];
  return reshape(l.e, y, [batch, ...(kept.length > 0 ? kept : [1])]);
}

export const MERGES: LayerTable = {
  Add: merged('Add'),
  Subtract: merged('Sub'),
  Multiply: merged('Mul'),
  Maximum: merged('Max'),
  Minimum: merged('Min'),
  Average: (l) => l.e.op('Mean', l.inputs),
  Concatenate: (l) => concat(l.e, l.inputs, axisOf(l.e, l.number('axis', -1), l.shape().length)),
  Dot: dot,
};
