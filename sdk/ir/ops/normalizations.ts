import type { Tensor } from '../../util/tensor.ts';
import type { OnnxImporter, OnnxNode } from '../frontend.ts';
import { f32, floats } from './lib/arrays.ts';
import { emitReduce } from './reduce.ts';
import { emitReshape } from './reshape.ts';
import { emitSlice, wholeOf } from './slice.ts';

/** ONNX normalizations that are sequences of IR operators. */
export const normalizationImporters: Readonly<Record<string, OnnxImporter>> = {
  BatchNormalization: importBatchNorm,
  InstanceNormalization: importInstanceNorm,
  GroupNormalization: importGroupNorm,
  LpNormalization: importLpNorm,
  LRN: importLrn,
};

function inputShape(node: OnnxNode): readonly number[] {
  return node.type(0)?.shape ?? node.reject('input 0 is missing');
}

const scalar = (node: OnnxNode, v: number): string => node.constantValue(f32([], [v]));

/** Per-channel values as a constant that broadcasts along axis 1 of `rank` dimensions. */
function perChannel(node: OnnxNode, values: ArrayLike<number>, rank: number): string {
  return node.constantValue(f32([values.length, ...new Array<number>(Math.max(rank - 2, 0)).fill(1)], values));
}

/** x * (scale / sqrt(var + eps)) + (bias - mean * scale / sqrt(var + eps)), the factors computed in f64. */
function importBatchNorm(node: OnnxNode): void {
  const rank = inputShape(node).length;
  const channels = inputShape(node)[1] ?? 1;
  if (node.int('training_mode', 0) !== 0) node.reject('training_mode is not supported');
  if (node.opset < 9 && node.int('spatial', 1) !== 1) node.reject('spatial = 0 is not supported');
  const vector = (i: number, what: string): Float32Array => {
    const t = node.need(i, what);
    if (t.data.length !== channels) node.reject(`${what} has ${t.data.length} values for ${channels} channels`);
    return floats(t);
  };
  const [scale, bias, mean, variance] = [
    vector(1, 'scale'),
    vector(2, 'bias'),
    vector(3, 'mean'),
    vector(4, 'variance'),
  ];
  const epsilon = node.float('epsilon', 1e-5);
  const factor = Float64Array.from(scale, (s, i) => s / Math.sqrt(variance[i]! + epsilon));
  const offset = Float64Array.from(bias, (b, i) => b - mean[i]! * factor[i]!);
  const y = node.emit('Mul', [node.inputs[0]!, perChannel(node, factor, rank)], {})[0]!;
  node.emit('Add', [y, perChannel(node, offset, rank)], {}, node.outputs.slice(0, 1));
}

/** Means over the spatial axes keep the channels where they are, so this follows the image into any layout. */
function importInstanceNorm(node: OnnxNode): void {
  const shape = inputShape(node);
  const axes = shape.map((_, i) => i).slice(2);
  const x = node.inputs[0]!;
  const centred = node.emit('Sub', [x, emitReduce(node, x, 'mean', axes, true)], {})[0]!;
  const variance = emitReduce(node, node.emit('Mul', [centred, centred], {})[0]!, 'mean', axes, true);
  const shifted = node.emit('Add', [variance, scalar(node, node.float('epsilon', 1e-5))], {})[0]!;
  const unit = node.emit('Div', [centred, node.emit('Sqrt', [shifted], {})[0]!], {})[0]!;
  const along = [shape[1]!, ...axes.map(() => 1)];
  const y = node.emit('Mul', [unit, emitReshape(node, node.inputs[1]!, along)], {})[0]!;
  node.emit('Add', [y, emitReshape(node, node.inputs[2]!, along)], {}, node.outputs);
}

/** Scale and bias are one a group up to opset 20, one a channel after. */
function importGroupNorm(node: OnnxNode): void {
  const shape = inputShape(node);
  const [n, c] = shape as [number, number];
  const groups = node.int('num_groups');
  if (groups < 1 || c % groups !== 0) node.reject(`${c} channels do not divide into ${groups} groups`);
  const flat = emitReshape(node, node.inputs[0]!, [
    n,
    groups,
    (c / groups) * shape.slice(2).reduce((a, b) => a * b, 1),
  ]);
  const unit = node.emit('LayerNormalization', [flat], {
    axis: 2,
    epsilon: node.float('epsilon', 1e-5),
    rms: false,
  })[0]!;
  const values = (t: Tensor): string => {
    const v = floats(t);
    return perChannel(
      node,
      v.length === c ? v : Float32Array.from({ length: c }, (_, i) => v[Math.floor((i * groups) / c)]!),
      shape.length,
    );
  };
  const y = node.emit('Mul', [emitReshape(node, unit, shape), values(node.need(1, 'scale'))], {})[0]!;
  node.emit('Add', [y, values(node.need(2, 'bias'))], {}, node.outputs);
}

function importLpNorm(node: OnnxNode): void {
  const rank = inputShape(node).length;
  const axis = node.int('axis', -1);
  const p = node.int('p', 2);
  if (p !== 1 && p !== 2) node.reject(`p = ${p} is not supported`);
  const x = node.inputs[0]!;
  const axes = [axis < 0 ? axis + rank : axis];
  const norm =
    p === 1
      ? emitReduce(node, node.emit('Abs', [x], {})[0]!, 'sum', axes, true)
      : node.emit('Sqrt', [emitReduce(node, x, 'sumsq', axes, true)], {})[0]!;
  node.emit('Div', [x, norm], {}, node.outputs);
}

/** x / (bias + alpha / size * sum of squares over `size` neighbouring channels)^beta. */
function importLrn(node: OnnxNode): void {
  const shape = inputShape(node);
  const size = node.int('size');
  const x = node.inputs[0]!;
  const before = Math.floor((size - 1) / 2);
  const amounts = (v: number): number[] => shape.map((_, i) => (i === 1 ? v : 0));
  const squares = node.emit('Mul', [x, x], {})[0]!;
  const padded = node.emit('Pad', [squares], {
    before: amounts(before),
    after: amounts(size - 1 - before),
    mode: 'constant',
    value: 0,
  })[0]!;
  const windows = wholeOf(shape);
  let sum = '';
  for (let i = 0; i < size; i++) {
    windows[1] = { start: i, size: shape[1]!, step: 1 };
    const part = emitSlice(node, padded, windows);
    sum = sum === '' ? part : node.emit('Add', [sum, part], {})[0]!;
  }
  const scaled = node.emit('Mul', [sum, scalar(node, node.float('alpha', 1e-4) / size)], {})[0]!;
  const base = node.emit('Add', [scaled, scalar(node, node.float('bias', 1))], {})[0]!;
  node.emit('Div', [x, node.emit('Pow', [base, scalar(node, node.float('beta', 0.75))], {})[0]!], {}, node.outputs);
}
