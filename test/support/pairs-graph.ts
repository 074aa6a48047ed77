import type { Graph } from '../../sdk/ir/graph.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { EvaluatedGraph } from './evaluated-graph.ts';

/** Convolutions to eight channels, of which vectors of sixteen lanes take two pixels at a time or sixteen, and ones that are like them but for one thing. */
interface Layer {
  readonly name: string;
  /** Height, width, channels of the image. */
  readonly shape: readonly [number, number, number];
  readonly depthwise?: boolean;
  readonly kernel?: readonly [number, number];
  readonly stride?: number;
  readonly pads?: readonly [number, number, number, number];
  readonly type?: 'i8' | 'i16';
  readonly zeros?: readonly number[];
  readonly channels?: number;
  /** Codes are this large at most, but for one in 251: chains of AVX2 are as long as they allow. */
  readonly codes?: number;
  /** What becomes of the result: it is kept, or coded after a residual and a bound, at one step or one a channel. */
  readonly tail?: 'i8' | 'i16' | 'each';
  readonly residual?: boolean;
  /** Pixels in a vector; 0: the kernel of narrow vectors takes it. */
  readonly pixels: 0 | 1 | 2 | 16;
}

const LAYERS: readonly Layer[] = [
  { name: 'first layer', shape: [13, 20, 3], stride: 2, tail: 'i8', pixels: 2 },
  { name: 'sixteen', shape: [10, 32, 3], stride: 2, tail: 'i8', pixels: 16 },
  { name: 'three times sixteen', shape: [7, 48, 3], kernel: [5, 3], pads: [2, 1, 2, 1], tail: 'each', pixels: 16 },
  { name: 'one fewer', shape: [9, 31, 4], tail: 'i8', pixels: 16 },
  { name: 'sixteen and a residual', shape: [6, 16, 3], tail: 'i8', residual: true, pixels: 2 },
  {
    name: 'sixteen far apart',
    shape: [5, 64, 3],
    stride: 4,
    kernel: [2, 2],
    pads: [0, 0, 1, 0],
    tail: 'i8',
    pixels: 2,
  },
  { name: 'kept', shape: [9, 20, 4], pixels: 2 },
  { name: 'words', shape: [9, 14, 3], kernel: [5, 3], pads: [2, 1, 2, 1], tail: 'i16', pixels: 2 },
  { name: 'a step a channel', shape: [8, 12, 3], tail: 'each', residual: true, pixels: 2 },
  { name: 'long steps', shape: [9, 46, 3], stride: 9, tail: 'i8', pads: [0, 0, 0, 2], pixels: 2 },
  { name: 'odd width', shape: [8, 11, 3], tail: 'i8', pixels: 1 },
  { name: 'twice as many channels', shape: [8, 12, 3], channels: 16, tail: 'i8', pixels: 1 },
  { name: 'long lines', shape: [8, 12, 32], tail: 'i8', pixels: 1 },
  {
    name: 'chains',
    shape: [5, 7, 64],
    kernel: [1, 1],
    pads: [0, 0, 0, 0],
    channels: 40,
    codes: 9,
    tail: 'i8',
    pixels: 1,
  },
  { name: 'chains and whole rows', shape: [7, 5, 48], channels: 32, codes: 5, tail: 'each', residual: true, pixels: 1 },
  { name: 'chains of eight channels', shape: [6, 9, 24], codes: 12, tail: 'i8', pixels: 1 },
  { name: 'depthwise', depthwise: true, shape: [21, 18, 8], tail: 'i8', residual: true, pixels: 2 },
  { name: 'depthwise, every second', depthwise: true, shape: [18, 24, 8], stride: 2, tail: 'i16', pixels: 2 },
  { name: 'depthwise, low', depthwise: true, shape: [2, 16, 8], kernel: [5, 5], pads: [2, 2, 2, 2], pixels: 2 },
  {
    name: 'depthwise, one line',
    depthwise: true,
    shape: [6, 10, 8],
    kernel: [1, 4],
    pads: [0, 1, 0, 2],
    tail: 'each',
    pixels: 2,
  },
  { name: 'depthwise, words', depthwise: true, shape: [7, 10, 8], type: 'i16', tail: 'i8', pixels: 1 },
  {
    name: 'depthwise, zeros',
    depthwise: true,
    shape: [7, 10, 8],
    zeros: [1, -2, 3, -4, 5, -6, 7, -128],
    tail: 'i8',
    pixels: 1,
  },
  { name: 'depthwise, odd width', depthwise: true, shape: [7, 9, 8], tail: 'i8', pixels: 1 },
  { name: 'depthwise, whole vectors', depthwise: true, shape: [20, 19, 16], tail: 'i8', pixels: 1 },
  {
    name: 'depthwise, whole vectors of words',
    depthwise: true,
    shape: [20, 19, 16],
    type: 'i16',
    tail: 'i8',
    pixels: 1,
  },
  // All windows are beside the image, which begins behind the end of the lines that are copied.
  ...[8, 16].map(
    (c): Layer => ({
      name: `depthwise, ${c} channels beside the image`,
      depthwise: true,
      shape: [3, 2, c],
      kernel: [2, 1],
      stride: 64,
      pads: [0, 100, 0, 0],
      zeros: [-90],
      pixels: 0,
    }),
  ),
];

/** All of them in one graph; what the operators' own semantics give. */
export function pairsGraph(): {
  readonly graph: Graph;
  readonly inputs: Record<string, Tensor>;
  readonly expected: ReadonlyMap<string, Tensor>;
  readonly pixels: readonly number[];
} {
  const g = new EvaluatedGraph('pairs', 11);
  const { inputs, expected } = g;

  for (const layer of LAYERS) {
    const { name, shape, depthwise, kernel = [3, 3], stride = 1, pads = [1, 1, 1, 1], type = 'i8', tail } = layer;
    const [h, w, c] = shape;
    const o = depthwise ? c : (layer.channels ?? 8);
    const made = (part: string, t: Tensor): string => g.constant(`${name}.${part}`, t);
    const x = g.input(name, g.floats([1, h, w, c], 4));
    // Some of the image lies beyond what codes hold, so that the ends of their range are there.
    const inv = made('inv', tensor('f32', [1], Float32Array.of(type === 'i8' ? 100 : 20000)));
    const zeros = layer.zeros ?? [type === 'i8' ? -128 : 0];
    const zp = made('zp', tensor('i32', [zeros.length], Int32Array.from(zeros)));
    const coded = g.add('Quantize', `${name}.codes`, [x, inv, zp], { to: type });
    const taps = kernel[0] * kernel[1] * (depthwise ? 1 : c);
    const codes = tensor(
      'i8',
      [o, ...kernel, depthwise ? 1 : c],
      Int8Array.from({ length: o * taps }, (_, i) =>
        i % (layer.codes ? 251 : 5) === 0 ? 127 : Math.round((g.uniform() - 0.5) * 2 * (layer.codes ?? 127)),
      ),
    );
    const m = made(
      'm',
      tensor(
        'f32',
        [o],
        Float32Array.from({ length: o }, () => g.uniform() * 1e-4),
      ),
    );
    const attrs = { strides: [stride, stride], pads, dilations: [1, 1], groups: depthwise ? c : 1 };
    let y = g.add('QConv', `${name}.y`, [coded, made('w', codes), m, made('bias', g.floats([o], 1)), zp], attrs);
    if (layer.residual)
      y = g.add('Add', `${name}.sum`, [y, g.input(`${name}.residual`, g.floats(g.valueOf(y).shape, 1))]);
    if (tail) {
      const limited = g.add('Clip', `${name}.limited`, [y], { min: 0, max: 6 });
      const steps = Float32Array.from({ length: tail === 'each' ? o : 1 }, (_, i) => 40 + i);
      const ends = Int32Array.from(steps, (_, i) => (tail === 'i16' ? 0 : i - 128));
      const scale = [
        made('step', tensor('f32', [steps.length], steps)),
        made('zero', tensor('i32', [ends.length], ends)),
      ];
      const q = g.add('Quantize', `${name}.q`, [limited, ...scale], { to: tail === 'i16' ? 'i16' : 'i8' });
      y = g.add('Dequantize', `${name}.back`, [q, ...scale]);
    }
    g.output(y);
  }
  return { graph: g.builder.build(), inputs, expected, pixels: LAYERS.map((l) => l.pixels).filter((n) => n > 0) };
}
