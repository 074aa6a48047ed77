import { tensor } from '../../../../util/tensor.ts';
import { alongAxis, normalizeBatch } from '../../lib/arithmetic.ts';
import { moved, reshape, transpose } from '../../lib/shape.ts';
import type { TfNode, TranslateTable } from '../node.ts';
import { fused, isChannelsLast } from './convolution.ts';
import { castTo } from './elementwise.ts';

function swapped(n: TfNode, i: number, turned: boolean): string {
  const rank = n.shape(i).length;
  return turned ? transpose(n.e, n.input(i), moved(rank, rank - 1, rank - 2)) : n.input(i);
}

function product(n: TfNode, a: string, b: string): string {
  const [left, right] = [swapped(n, 0, n.attrs.bool(a)), swapped(n, 1, n.attrs.bool(b))];
  return n.e.op('MatMul', [left, right]);
}

function matMul(n: TfNode): string {
  const run = (bias: string | undefined): string => {
    const y = product(n, 'transpose_a', 'transpose_b');
    return bias === undefined ? y : n.e.op('Add', [y, bias]);
  };
  return fused(n, run, n.shape(0).length - 1);
}

function batchNorm(n: TfNode): string {
  const [scale, offset, mean, variance] = [1, 2, 3, 4].map((i) => n.input(i)) as [string, string, string, string];
  if (n.attrs.has('is_training') && n.attrs.bool('is_training') && n.e.shape(mean)[0] === 0)
    n.e.reject('is in training mode: its statistics are those of the batch', 'Convert the model for inference.');
  // TensorFlow's default.
  const epsilon = n.attrs.float('epsilon', 1e-4);
  const axis = isChannelsLast(n) ? n.shape(0).length - 1 : 1;
  return normalizeBatch(n.e, n.input(0), { scale, offset, mean, variance, epsilon }, axis);
}

/** More classes than this are no whole floats any more. */
const MOST_CLASSES = 2 ** 24;

/** `on` where the index is that of the place along the new axis, else `off`; so all is `off` for an index that is no class. */
function oneHot(n: TfNode): string {
  const [depth, on, off] = [n.number(1, 'the depth'), n.input(2), n.input(3)];
  if (!(Number.isInteger(depth) && depth > 0 && depth <= MOST_CLASSES))
    n.e.reject(`a depth of ${depth} is not supported (1 to ${MOST_CLASSES} are)`);
  const shape = [...n.shape(0)];
  const at = n.axis(n.attrs.int('axis', -1), 0, 1);
  const classes = tensor(
    'f32',
    [depth, ...shape.slice(at).map(() => 1)],
    Float32Array.from({ length: depth }, (_, i) => i),
  );
  shape.splice(at, 0, 1);
  // As floats, which devices compare.
  const indices = reshape(n.e, castTo(n, n.input(0), 'f32'), shape);
  const [yes, no] = [on, off].map((v) => castTo(n, v, 'f32')) as [string, string];
  const y = n.e.op('Where', [n.e.op('Equal', [indices, n.e.constant(classes)]), yes, no]);
  return castTo(n, y, n.e.type(on).dtype as 'f32');
}

export const PRODUCTS: TranslateTable = {
  MatMul: matMul,
  _FusedMatMul: matMul,
  BatchMatMul: (n) => product(n, 'adj_x', 'adj_y'),
  BatchMatMulV2: (n) => product(n, 'adj_x', 'adj_y'),
  Einsum: (n) => n.e.op('Einsum', n.inputs, { equation: n.attrs.string('equation') }),
  BiasAdd(n) {
    const axis = isChannelsLast(n) ? n.shape(0).length - 1 : 1;
    return n.e.op('Add', [n.input(0), alongAxis(n.e, n.input(0), n.input(1), axis)]);
  },
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  OneHot: oneHot,
  Gather: (n) => n.e.op('Gather', [n.input(0), castTo(n, n.input(1), 'i32')], { axis: 0 }),
  GatherV2(n) {
    if (n.attrs.int('batch_dims', 0) !== 0) n.e.reject('batch dimensions are not supported');
    const axis = n.axis(n.number(2, 'the axis'), 0);
    return n.e.op('Gather', [n.input(0), castTo(n, n.input(1), 'i32')], { axis });
  },
};
