import { activate, leakyRelu } from '../../lib/activation.ts';
import { normalizeBatch } from '../../lib/arithmetic.ts';
import {
  type ConvSpec,
  conv,
  convTranspose,
  depthwise,
  type ImageWindow,
  type Padding,
  pool,
} from '../../lib/image.ts';
import type { TfNode, Translate, TranslateTable } from '../node.ts';

export function isChannelsLast(n: TfNode): boolean {
  return n.attrs.string('data_format', 'NHWC') !== 'NCHW';
}

/** The two spatial values of a list of four. */
function spatial(n: TfNode, name: string): [number, number] | undefined {
  const v = n.attrs.ints(name);
  if (!v || v.length === 0) return undefined;
  if (v.length !== 4) n.e.reject(`attribute ${name} has ${v.length} values, not 4`);
  return isChannelsLast(n) ? [v[1]!, v[2]!] : [v[2]!, v[3]!];
}

function paddingOf(n: TfNode): Padding {
  const padding = n.attrs.string('padding', 'VALID');
  if (padding === 'SAME') return 'same';
  if (padding === 'VALID') return 'valid';
  const p = n.attrs.ints('explicit_paddings') ?? [];
  if (padding !== 'EXPLICIT' || p.length !== 8) n.e.reject(`padding ${padding} of ${p.length} values is not supported`);
  const at = isChannelsLast(n) ? 2 : 4;
  return [p[at]!, p[at + 2]!, p[at + 1]!, p[at + 3]!];
}

export function windowOf(n: TfNode): ImageWindow {
  return {
    strides: spatial(n, 'strides') ?? [1, 1],
    dilations: spatial(n, 'dilations') ?? [1, 1],
    padding: paddingOf(n),
    channelsLast: isChannelsLast(n),
  };
}

/** What convolutions and matrix products do to their result: `fused_ops`, whose operands follow the first two inputs. */
export function fused(n: TfNode, run: (bias: string | undefined) => string, channelAxis: number): string {
  const ops = n.attrs.strings('fused_ops') ?? [];
  let next = 2;
  let y = run(ops[0] === 'BiasAdd' ? n.input(next++) : undefined);
  for (const op of ops[0] === 'BiasAdd' ? ops.slice(1) : ops) {
    if (op === 'FusedBatchNorm') {
      const [scale, offset, mean, variance] = [0, 1, 2, 3].map(() => n.input(next++)) as [
        string,
        string,
        string,
        string,
      ];
      // TensorFlow's default.
      const epsilon = n.attrs.float('epsilon', 1e-4);
      y = normalizeBatch(n.e, y, { scale, offset, mean, variance, epsilon }, channelAxis);
    } else if (op === 'Prelu') y = n.e.op('PRelu', [y, n.input(next++)]);
    else if (op === 'LeakyRelu') y = leakyRelu(n.e, y, n.attrs.float('leakyrelu_alpha', 0.2));
    else if (FUSED.includes(op)) y = activate(n.e, y, op.toLowerCase());
    else n.e.reject(`${op} is fused into it, which is not supported`);
  }
  return y;
}

const FUSED: readonly string[] = ['Relu', 'Relu6', 'Elu', 'Sigmoid', 'Tanh'];

/** What convolves for an operator. */
export const CONVOLVERS: Readonly<Record<string, typeof conv>> = {
  Conv2D: conv,
  _FusedConv2D: conv,
  DepthwiseConv2d: depthwise,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
};

/** A convolution with a window of its own. */
export function convolve(n: TfNode, window: ImageWindow): string {
  const run = CONVOLVERS[n.op]!;
  const spec: ConvSpec = { ...window, filter: n.input(1) };
  return fused(n, (bias) => run(n.e, n.input(0), { ...spec, bias }), window.channelsLast ? 3 : 1);
}

const pooling =
  (kind: 'MaxPool' | 'AveragePool'): Translate =>
  (n) => {
    const size = spatial(n, 'ksize') ?? n.e.reject('has no ksize');
    return pool(n.e, n.input(0), kind, size, windowOf(n));
  };

export const CONVOLUTIONS: TranslateTable = {
  ...Object.fromEntries(Object.keys(CONVOLVERS).map((op) => [op, (n: TfNode) => convolve(n, windowOf(n))])),
  Conv2DBackpropInput(n) {
    const sizes = n.numbers(0, 'the output size');
    const window = windowOf(n);
    const size = window.channelsLast ? sizes.slice(1, 3) : sizes.slice(2, 4);
    if (sizes.length !== 4) n.e.reject(`its output size has ${sizes.length} values, not 4`);
    return convTranspose(n.e, n.input(2), { ...window, filter: n.input(1) }, [size[0]!, size[1]!]);
  },
  MaxPool: pooling('MaxPool'),
  AvgPool: pooling('AveragePool'),
};
