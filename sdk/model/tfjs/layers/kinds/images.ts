import {
  type ConvSpec,
  conv,
  convTranspose,
  depthwise,
  type ImageWindow,
  onRow,
  type PoolKind,
  pool,
  resize,
} from '../../lib/image.ts';
import { crop, pad, reshape } from '../../lib/shape.ts';
import type { LayerCall, LayerTable, TranslateLayer } from '../layer.ts';

function window(l: LayerCall): ImageWindow {
  return {
    strides: l.ints('strides', 2, 1),
    dilations: l.ints('dilation_rate', 2, 1),
    padding: l.padding(),
    channelsLast: l.channelsLast(),
  };
}

function conv2d(l: LayerCall): string {
  const spec: ConvSpec = { ...window(l), filter: l.weight('kernel'), bias: l.weightIf('bias', 'use_bias') };
  return l.activated(conv(l.e, l.x, spec));
}

function needChannelsLast(l: LayerCall): void {
  if (!l.channelsLast()) l.e.reject('channels_first is not supported for sequences');
}

/** Along the second axis; `causal` pads the past only. */
function conv1d(l: LayerCall): string {
  needChannelsLast(l);
  const [stride, dilation] = [l.ints('strides', 1, 1)[0]!, l.ints('dilation_rate', 1, 1)[0]!];
  const [k, input, output] = l.e.shape(l.weight('kernel')) as [number, number, number];
  const padding = l.string('padding', 'valid') === 'causal' ? ([0, (k - 1) * dilation, 0, 0] as const) : l.padding();
  const spec: ConvSpec = {
    strides: [1, stride],
    dilations: [1, dilation],
    padding,
    channelsLast: true,
    filter: reshape(l.e, l.weight('kernel'), [1, k, input, output]),
    bias: l.weightIf('bias', 'use_bias'),
  };
  return l.activated(onRow(l.e, l.x, (image) => conv(l.e, image, spec)));
}

function depthwise2d(l: LayerCall): string {
  const spec: ConvSpec = {
    ...window(l),
    filter: l.anyWeight('depthwise_kernel', 'kernel'),
    bias: l.weightIf('bias', 'use_bias'),
  };
  return l.activated(depthwise(l.e, l.x, spec));
}

function separable2d(l: LayerCall): string {
  const w = window(l);
  const each = depthwise(l.e, l.x, { ...w, filter: l.weight('depthwise_kernel') });
  const point: ConvSpec = {
    strides: [1, 1],
    padding: 'valid',
    channelsLast: w.channelsLast,
    filter: l.weight('pointwise_kernel'),
    bias: l.weightIf('bias', 'use_bias'),
  };
  return l.activated(conv(l.e, each, point));
}

function transposed2d(l: LayerCall): string {
  const w = window(l);
  const filter = l.weight('kernel');
  if (l.has('output_padding')) l.e.reject('output_padding is not supported');
  if (w.dilations?.some((d) => d !== 1)) l.e.reject('dilation_rate is not supported');
  const size = l
    .shape()
    .slice(w.channelsLast ? 1 : 2)
    .map((d, a) => {
      const kernel = l.e.shape(filter)[a]!;
      return d * w.strides[a]! + (w.padding === 'same' ? 0 : Math.max(kernel - w.strides[a]!, 0));
    });
  const y = convTranspose(l.e, l.x, { ...w, filter, bias: l.weightIf('bias', 'use_bias') }, [size[0]!, size[1]!]);
  return l.activated(y);
}

const pool2d =
  (kind: PoolKind): TranslateLayer =>
  (l) => {
    const size = l.ints('pool_size', 2, 2);
    const strides = l.has('strides') ? l.ints('strides', 2) : size;
    return pool(l.e, l.x, kind, size, { strides, padding: l.padding(), channelsLast: l.channelsLast() });
  };

const pool1d =
  (kind: PoolKind): TranslateLayer =>
  (l) => {
    needChannelsLast(l);
    const size = l.ints('pool_size', 1, 2)[0]!;
    const stride = l.has('strides') ? l.ints('strides', 1)[0]! : size;
    const spec: ImageWindow = { strides: [1, stride], padding: l.padding(), channelsLast: true };
    return onRow(l.e, l.x, (image) => pool(l.e, image, kind, [1, size], spec));
  };

/** Over all positions of an image or sequence. */
const globalPool =
  (op: 'ReduceMean' | 'ReduceMax'): TranslateLayer =>
  (l) => {
    const first = l.channelsLast() ? 1 : 2;
    const axes = Array.from({ length: l.shape().length - 2 }, (_, i) => first + i);
    return l.e.op(op, [l.x, l.e.list(axes)], { keepdims: l.bool('keepdims') ? 1 : 0 });
  };

const zeroPadding =
  (axes: 1 | 2): TranslateLayer =>
  (l) => {
    const pairs = l.has('padding') ? l.pairs('padding', axes) : new Array<[number, number]>(axes).fill([1, 1]);
    if (axes === 1) needChannelsLast(l);
    return pad(l.e, l.x, l.channelsLast() ? [[0, 0], ...pairs, [0, 0]] : [[0, 0], [0, 0], ...pairs]);
  };

const cropping =
  (axes: 1 | 2): TranslateLayer =>
  (l) =>
    crop(l.e, l.x, l.pairs('cropping', axes), axes === 1 || l.channelsLast() ? 1 : 2);

function upSampling2d(l: LayerCall): string {
  const last = l.channelsLast();
  const [height, width] = l.shape().slice(last ? 1 : 2) as [number, number];
  const [by, along] = l.ints('size', 2, 2) as [number, number];
  const how = l.string('interpolation', 'nearest');
  if (how !== 'nearest' && how !== 'bilinear') l.e.reject(`interpolation '${how}' is not supported`);
  const mode = how === 'nearest' ? 'nearest' : 'linear';
  return resize(l.e, l.x, [height * by, width * along], mode, 'asymmetric', last);
}

function upSampling1d(l: LayerCall): string {
  const [batch, length, channels] = l.shape() as [number, number, number];
  const by = l.ints('size', 1, 2)[0]!;
  const apart = reshape(l.e, l.x, [batch, length, 1, channels]);
  const repeated = l.e.op('Expand', [apart, l.e.list([batch, length, by, channels])]);
  return reshape(l.e, repeated, [batch, length * by, channels]);
}

export const IMAGE_LAYERS: LayerTable = {
  Conv1D: conv1d,
  Conv2D: conv2d,
  Conv2DTranspose: transposed2d,
  DepthwiseConv2D: depthwise2d,
  SeparableConv2D: separable2d,
  MaxPooling1D: pool1d('MaxPool'),
  MaxPooling2D: pool2d('MaxPool'),
  AveragePooling1D: pool1d('AveragePool'),
  AveragePooling2D: pool2d('AveragePool'),
  GlobalAveragePooling1D: globalPool('ReduceMean'),
  GlobalAveragePooling2D: globalPool('ReduceMean'),
  GlobalMaxPooling1D: globalPool('ReduceMax'),
  GlobalMaxPooling2D: globalPool('ReduceMax'),
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  UpSampling1D: upSampling1d,
  UpSampling2D: upSampling2d,
};
