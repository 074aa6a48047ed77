import { type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import { OPS } from '../../sdk/ir/ops/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';

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
  const rng = new Rng(5);
  const builder = new GraphBuilder('winograd');
  const inputs: Record<string, Tensor> = {};
  const expected = new Map<string, Tensor>();

  function value(name: string, of: Tensor): void {
    builder.setValue({ name, type: { dtype: of.dtype, shape: of.shape } });
  }

  function add(
    op: string,
    name: string,
    from: string[],
    tensors: Tensor[],
    attrs: Record<string, number | string | readonly number[]>,
  ): Tensor {
    const def = OPS.find((o) => o.name === op)!;
    const [y] = def.evaluate(tensors, attrs) as [Tensor];
    builder.node({ name, op, inputs: from, outputs: [name], attrs }, [{ dtype: y.dtype, shape: y.shape }]);
    value(name, y);
    return y;
  }

  for (const { name, shape, type, most, extreme, limit = 127, zp = 0, pads = [1, 1, 1, 1] } of LAYERS) {
    const [h, w, c, o] = shape;
    // Half of the image lies beyond what codes hold, so that sums reach their bounds.
    const values = Float32Array.from({ length: h * w * c }, () => (rng.uniform() - 0.5) * 4);
    const x = tensor('f32', [1, h, w, c], values);
    inputs[name] = x;
    builder.input(name, { dtype: 'f32', shape: x.shape });
    const inv = tensor('f32', [1], Float32Array.of(limit));
    const zero = tensor('i32', [1], Int32Array.of(zp));
    const q = Int8Array.from({ length: o * 9 * c }, () => {
      const v = rng.uniform() * 2 - 1;
      return extreme ? (v < -0.2 ? -most : most) : Math.round(v * most);
    });
    const codes = tensor('i8', [o, 3, 3, c], q);
    const m = tensor(
      'f32',
      [o],
      Float32Array.from({ length: o }, () => rng.uniform()),
    );
    const bias = tensor(
      'f32',
      [o],
      Float32Array.from({ length: o }, () => rng.uniform()),
    );
    const constants = [inv, zero, codes, m, bias].map((t, i) => builder.constant(`${name}.${i}`, t));
    const limited = add('Clip', `${name}.limited`, [name], [x], { min: -1, max: 1 });
    const coded = add(
      'Quantize',
      `${name}.codes`,
      [`${name}.limited`, constants[0]!, constants[1]!],
      [limited, inv, zero],
      { to: type },
    );
    const attrs = { strides: [1, 1], pads, dilations: [1, 1], groups: 1 };
    const names = [`${name}.codes`, constants[2]!, constants[3]!, constants[4]!, constants[1]!];
    expected.set(`${name}.y`, add('QConv', `${name}.y`, names, [coded, codes, m, bias, zero], attrs));
    builder.outputs.push(`${name}.y`);
  }
  return { graph: builder.build(), inputs, expected, layers: LAYERS.length };
}
