import type { Emitter, OnnxAttrs } from '../emitter.ts';
import { reshape, transpose } from './shape.ts';

/** `same` gives ceil(size / stride) outputs, the odd element of padding at the end; else top, left, bottom, right. */
export type Padding = 'same' | 'valid' | readonly [number, number, number, number];

export interface ImageWindow {
  readonly strides: readonly number[];
  readonly dilations?: readonly number[];
  readonly padding: Padding;
  readonly channelsLast: boolean;
}

export interface ConvSpec extends ImageWindow {
  /** [h, w, in / groups, out]; of depthwise convolutions [h, w, channels, multiplier]. */
  readonly filter: string;
  readonly bias?: string | undefined;
}

export type PoolKind = 'MaxPool' | 'AveragePool';

/** Applies what takes [N,C,H,W] to an image in either order of axes. The transpositions of neighbours cancel in normalization. */
export function onImage(e: Emitter, x: string, channelsLast: boolean, work: (image: string) => string): string {
  if (e.shape(x).length !== 4) e.reject(`takes images of 4 dimensions, not [${e.shape(x).join()}]`);
  return channelsLast ? transpose(e, work(transpose(e, x, [0, 3, 1, 2])), [0, 2, 3, 1]) : work(x);
}

/** Applies what takes NHWC images to [N,L,C], as images of one row. */
export function onRow(e: Emitter, x: string, work: (image: string) => string): string {
  const [n, length, c] = e.shape(x);
  if (e.shape(x).length !== 3) e.reject(`takes sequences of 3 dimensions, not [${e.shape(x).join()}]`);
  const y = work(reshape(e, x, [n!, 1, length!, c!]));
  return reshape(
    e,
    y,
    e.shape(y).filter((_, i) => i !== 1),
  );
}

function windowAttrs({ strides, dilations = [1, 1], padding }: ImageWindow): OnnxAttrs {
  if (typeof padding !== 'string') return { strides, dilations, pads: padding };
  return { strides, dilations, auto_pad: padding === 'same' ? 'SAME_UPPER' : 'VALID' };
}

function filterShape(e: Emitter, filter: string): readonly [number, number, number, number] {
  const shape = e.shape(filter);
  if (shape.length !== 4) e.reject(`has a filter of shape [${shape.join()}], not one of 4 dimensions`);
  return shape as unknown as readonly [number, number, number, number];
}

function channelsOf(e: Emitter, x: string, channelsLast: boolean): number {
  const shape = e.shape(x);
  return shape[channelsLast ? shape.length - 1 : 1] ?? 0;
}

const withBias = (inputs: readonly string[], bias: string | undefined): readonly string[] =>
  bias === undefined ? inputs : [...inputs, bias];

export function conv(e: Emitter, x: string, spec: ConvSpec): string {
  const [h, w, perGroup] = filterShape(e, spec.filter);
  const group = channelsOf(e, x, spec.channelsLast) / perGroup;
  const weights = transpose(e, spec.filter, [3, 2, 0, 1]);
  const attrs = { ...windowAttrs(spec), kernel_shape: [h, w], group };
  return onImage(e, x, spec.channelsLast, (image) => e.op('Conv', withBias([image, weights], spec.bias), attrs));
}

export function depthwise(e: Emitter, x: string, spec: ConvSpec): string {
  const [h, w, channels, multiplier] = filterShape(e, spec.filter);
  const weights = reshape(e, transpose(e, spec.filter, [2, 3, 0, 1]), [channels * multiplier, 1, h, w]);
  const attrs = { ...windowAttrs(spec), kernel_shape: [h, w], group: channels };
  return onImage(e, x, spec.channelsLast, (image) => e.op('Conv', withBias([image, weights], spec.bias), attrs));
}

/** Transposed convolution to a given height and width; its filter is [h, w, out, in]. */
export function convTranspose(e: Emitter, x: string, spec: ConvSpec, size: readonly [number, number]): string {
  const [h, w] = filterShape(e, spec.filter);
  const { strides, dilations = [1, 1], padding, channelsLast } = spec;
  const from = e.shape(x).slice(channelsLast ? 1 : 2);
  // Rows that the filter writes, of which the padding of the convolution is cut, or after which rows of zeros come.
  const excess = [h, w].map((k, a) => (from[a]! - 1) * strides[a]! + (k - 1) * dilations[a]! + 1 - size[a]!);
  const cut = excess.map((n) => Math.max(0, n));
  const begin = typeof padding === 'string' ? cut.map((n) => Math.floor(n / 2)) : padding.slice(0, 2);
  const pads = [...begin, ...cut.map((n, a) => n - begin[a]!)];
  const attrs = { strides, dilations, kernel_shape: [h, w], pads, output_padding: excess.map((n) => Math.max(0, -n)) };
  const weights = transpose(e, spec.filter, [3, 2, 0, 1]);
  return onImage(e, x, channelsLast, (image) => e.op('ConvTranspose', withBias([image, weights], spec.bias), attrs));
}

/** Averages are those of the elements inside the image. */
export function pool(e: Emitter, x: string, kind: PoolKind, size: readonly number[], window: ImageWindow): string {
  const { dilations: _, ...attrs } = windowAttrs(window);
  return onImage(e, x, window.channelsLast, (image) => e.op(kind, [image], { ...attrs, kernel_shape: size }));
}

export type ResizeWay = 'asymmetric' | 'align_corners' | 'half_pixel';

/** Resized to height and width, as TensorFlow rounds: the nearest pixel is the one before, or half up where corners or halves count. */
export function resize(
  e: Emitter,
  x: string,
  size: readonly [number, number],
  mode: 'linear' | 'nearest',
  way: ResizeWay,
  channelsLast = true,
): string {
  const attrs = {
    mode,
    coordinate_transformation_mode: way,
    nearest_mode: way === 'asymmetric' ? 'floor' : 'round_prefer_ceil',
  };
  return onImage(e, x, channelsLast, (image) => {
    const [n, c] = e.shape(image);
    return e.op('Resize', [image, '', '', e.list([n!, c!, ...size])], attrs);
  });
}
