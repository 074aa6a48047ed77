import type { Graph } from '../../sdk/ir/graph.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { EvaluatedGraph } from './evaluated-graph.ts';

/** Convolutions that go by Winograd's algorithm where that is faster: the bits are those of the operator, at the extremes of codes and images. */
interface Layer {
  readonly name: string;
  /** Height, width, channels; channels of the result. */
  readonly shape: readonly [number, number, number, number];
  readonly pads?: readonly [number, number, number, number];
  readonly type: 'i8' | 'i16';
  readonly zp?: number;
  /** Largest code of weights; `extreme`: all of them are that or its negative. */
  readonly most: number;
  readonly extreme?: boolean;
  /** Largest code of the image, 16 bits. */
  readonly limit?: number;
}

const LAYERS: readonly Layer[] = [
  { name: 'bytes', shape: [14, 14, 32, 64], type: 'i8', zp: -128, most: 127 },
  { name: 'bytes at the ends', shape: [12, 16, 24, 40], type: 'i8', zp: 127, most: 127, extreme: true },
  { name: 'odd sides', shape: [9, 13, 34, 33], type: 'i8', zp: 3, most: 100 },
  { name: 'no padding above', shape: [11, 10, 16, 24], pads: [0, 2, 1, 0], type: 'i8', zp: -7, most: 127 },
  { name: 'words', shape: [16, 16, 16, 16], type: 'i16', limit: 8191, most: 40 },
  { name: 'words at the ends', shape: [18, 20, 32, 17], type: 'i16', limit: 8191, most: 127, extreme: true },
  { name: 'shared out by channels', shape: [7, 7, 64, 48], type: 'i16', limit: 8191, most: 30 },
  { name: 'many channels', shape: [8, 8, 96, 32], type: 'i16', limit: 8191, most: 8 },
  { name: 'tiles past the last one', shape: [4, 18, 2048, 16], type: 'i16', limit: 8191, most: 5 },
  { name: 'wider words', shape: [16, 16, 16, 16], type: 'i16', limit: 8192, most: 40 },
  { name: 'results too large', shape: [8, 8, 64, 8], type: 'i16', limit: 8191, most: 127, extreme: true },
];

/** All of them in one graph; what the operators' own semantics give. The last two could be inexact. */
export function winogradGraph(): {
  readonly graph: Graph;
  readonly inputs: Record<string, Tensor>;
  readonly expected: ReadonlyMap<string, Tensor>;
  readonly layers: number;
} {
  const g = new EvaluatedGraph('winograd', 5);
  const { inputs, expected } = g;

  for (const { name, shape, type, most, extreme, limit = 127, zp = 0, pads = [1, 1, 1, 1] } of LAYERS) {
    const [h, w, c, o] = shape;
    // Half of the image lies beyond what codes hold, so that sums reach their bounds.
    const values = Float32Array.from({ length: h * w * c }, () => (g.uniform() - 0.5) * 4);
    const x = g.input(name, tensor('f32', [1, h, w, c], values));
    const inv = tensor('f32', [1], Float32Array.of(limit));
    const zero = tensor('i32', [1], Int32Array.of(zp));
    const q = Int8Array.from({ length: o * 9 * c }, () => {
      const v = g.uniform() * 2 - 1;
      return extreme ? (v < -0.2 ? -most : most) : Math.round(v * most);
    });
    const codes = tensor('i8', [o, 3, 3, c], q);
    const each = (): Tensor =>
      tensor(
        'f32',
        [o],
        Float32Array.from({ length: o }, () => g.uniform()),
      );
    const [step, end, weights, m, bias] = [inv, zero, codes, each(), each()].map((t, i) =>
      g.constant(`${name}.${i}`, t),
    ) as [string, string, string, string, string];
    const limited = g.add('Clip', `${name}.limited`, [x], { min: -1, max: 1 });
    const coded = g.add('Quantize', `${name}.codes`, [limited, step, end], { to: type });
    const attrs = { strides: [1, 1], pads, dilations: [1, 1], groups: 1 };
    g.output(g.add('QConv', `${name}.y`, [coded, weights, m, bias, end], attrs));
  }
  return { graph: g.builder.build(), inputs, expected, layers: LAYERS.length };
}
