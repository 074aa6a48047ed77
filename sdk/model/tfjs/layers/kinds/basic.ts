import { sizeOf } from '../../../../util/tensor.ts';
import { generalRelu, leakyRelu } from '../../lib/activation.ts';
import { normalizeBatch, softmax, withNumber } from '../../lib/arithmetic.ts';
import { axisOf, reshape, transpose } from '../../lib/shape.ts';
import type { LayerCall, LayerTable } from '../layer.ts';

const unchanged = (l: LayerCall): string => l.x;

export function dense(l: LayerCall): string {
  const bias = l.weightIf('bias', 'use_bias');
  const y = l.e.op('MatMul', [l.x, l.weight('kernel')]);
  return l.activated(bias === undefined ? y : l.e.op('Add', [y, bias]));
}

function embedding(l: LayerCall): string {
  if (l.bool('mask_zero'))
    l.e.reject('mask_zero is not supported', 'Train it without mask_zero, or on texts of full length.');
  const indices = l.e.type(l.x).dtype === 'i32' ? l.x : l.e.op('Cast', [l.x], { to: 6 });
  return l.e.op('Gather', [l.weight('embeddings'), indices], { axis: 0 });
}

function batchNormalization(l: LayerCall): string {
  const axis = Array.isArray(l.config.axis) ? (l.list('axis')[0] ?? -1) : l.number('axis', -1);
  const parts = {
    mean: l.weight('moving_mean'),
    variance: l.weight('moving_variance'),
    scale: l.weightIf('gamma', 'scale'),
    offset: l.weightIf('beta', 'center'),
    epsilon: l.number('epsilon', 1e-3),
  };
  return normalizeBatch(l.e, l.x, parts, axisOf(l.e, axis, l.shape().length));
}

/** Over the last axes, all of them from the first that is named. */
function layerNormalization(l: LayerCall): string {
  if (l.bool('rms_scaling')) l.e.reject('rms_scaling is not supported');
  const rank = l.shape().length;
  const named = Array.isArray(l.config.axis) ? l.list('axis') : [l.number('axis', -1)];
  const axes = named.map((a) => axisOf(l.e, a, rank)).sort((a, b) => a - b);
  if (axes.some((a, i) => a !== rank - axes.length + i)) l.e.reject(`its axes ${named.join()} are not the last ones`);
  const scale = l.weightIf('gamma', 'scale') ?? l.e.op('Expand', [l.e.scalar(1), l.e.list(l.shape().slice(axes[0]))]);
  const offset = l.weightIf('beta', 'center');
  const inputs = [l.x, scale, ...(offset === undefined ? [] : [offset])];
  return l.e.op('LayerNormalization', inputs, { axis: axes[0]!, epsilon: { float: l.number('epsilon', 1e-3) } });
}

function flatten(l: LayerCall): string {
  const rank = l.shape().length;
  const perm = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
  const x = l.channelsLast() || rank < 3 ? l.x : transpose(l.e, l.x, perm);
  return reshape(l.e, x, [l.shape()[0]!, sizeOf(l.shape().slice(1))]);
}

function reshapeTo(l: LayerCall): string {
  const [batch, ...rest] = l.shape() as [number, ...number[]];
  // The size that is left open is -1, or null where TensorFlow.js wrote it.
  const target = l.config.target_shape ?? null;
  const shape = Array.isArray(target) ? target.map((d) => d ?? -1) : target;
  if (!isSizes(shape)) l.wrong('target_shape', target);
  const open = sizeOf(rest) / sizeOf(shape.filter((d) => d !== -1));
  return reshape(l.e, l.x, [batch, ...shape.map((d) => (d === -1 ? open : d))]);
}

const isSizes = (v: unknown): v is number[] => Array.isArray(v) && v.every(Number.isSafeInteger);

function repeat(l: LayerCall): string {
  const [batch, size] = l.shape() as [number, number];
  const [n] = l.ints('n', 1);
  return l.e.op('Expand', [reshape(l.e, l.x, [batch, 1, size]), l.e.list([batch, n!, size])]);
}

function rescale(l: LayerCall): string {
  const y = withNumber(l.e, 'Mul', l.x, l.number('scale'));
  return withNumber(l.e, 'Add', y, l.number('offset', 0));
}

const limit = (l: LayerCall): number | undefined => (l.has('max_value') ? l.number('max_value') : undefined);

export const BASIC: LayerTable = {
  Dense: dense,
  Embedding: embedding,
  BatchNormalization: batchNormalization,
  BatchNormalizationV1: batchNormalization,
  LayerNormalization: layerNormalization,
  Activation: (l) => l.activated(l.x),
  ReLU: (l) => generalRelu(l.e, l.x, limit(l), l.number('negative_slope', 0), l.number('threshold', 0)),
  LeakyReLU: (l) => leakyRelu(l.e, l.x, l.number(l.has('negative_slope') ? 'negative_slope' : 'alpha', 0.3)),
  PReLU: (l) => l.e.op('PRelu', [l.x, l.weight('alpha')]),
  ELU: (l) => l.e.op('Elu', [l.x], { alpha: { float: l.number('alpha', 1) } }),
  ThresholdedReLU: (l) => generalRelu(l.e, l.x, undefined, 0, l.number('theta', 1)),
  Softmax: (l) => softmax(l.e, l.x, l.number('axis', -1)),
  Flatten: flatten,
  Reshape: reshapeTo,
  Permute: (l) => transpose(l.e, l.x, [0, ...l.list('dims')]),
  RepeatVector: repeat,
  Rescaling: rescale,
  // Of use in training only.
  Dropout: unchanged,
  SpatialDropout1D: unchanged,
  SpatialDropout2D: unchanged,
  AlphaDropout: unchanged,
  GaussianDropout: unchanged,
  GaussianNoise: unchanged,
  ActivityRegularization: unchanged,
};
