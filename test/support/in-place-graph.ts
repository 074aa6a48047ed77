import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import { type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { byteLength, type Tensor, tensor } from '../../sdk/util/tensor.ts';
import type { Program } from '../../sdk/wire/program.ts';
import { nodesOf } from './graphs.ts';

/** Depthwise convolutions that write their codes over the image that they read. */
interface Layer {
  /** Images, height, width, channels. */
  readonly shape: readonly [number, number, number, number];
  readonly kernel: readonly [number, number];
  /** Above, left, below, right. */
  readonly pads: readonly [number, number, number, number];
  readonly strides?: readonly [number, number];
  readonly dilations?: readonly [number, number];
  readonly type?: 'i8' | 'i16';
  /** Bits of the weights. */
  readonly bits?: 4 | 6 | 8;
  readonly zeroPerChannel?: boolean;
  /** Lines by which the result begins before the image. */
  readonly ahead?: number;
}

// Those whose results are as large as their images come first, those that lose most last and with the largest images: then every one of
// them is the step that needs most memory as long as it is not in place.
const LAYERS: readonly Layer[] = [
  { shape: [2, 9, 7, 12], kernel: [3, 3], pads: [1, 1, 1, 1] },
  { shape: [2, 9, 7, 20], kernel: [3, 3], pads: [1, 1, 1, 1], bits: 4 },
  { shape: [1, 13, 11, 24], kernel: [5, 5], pads: [2, 2, 2, 2] },
  { shape: [1, 13, 11, 24], kernel: [5, 5], pads: [2, 2, 2, 2], bits: 4 },
  { shape: [1, 8, 9, 8], kernel: [3, 3], pads: [2, 2, 0, 0] },
  { shape: [3, 8, 9, 64], kernel: [3, 3], pads: [0, 0, 2, 2], bits: 4 },
  { shape: [1, 8, 9, 64], kernel: [5, 5], pads: [4, 1, 0, 3] },
  { shape: [2, 9, 11, 20], kernel: [3, 3], pads: [2, 2, 2, 2], dilations: [2, 2], bits: 4 },
  { shape: [1, 9, 11, 36], kernel: [3, 3], pads: [3, 2, 3, 2], dilations: [3, 2], type: 'i16' },
  { shape: [1, 14, 6, 16], kernel: [5, 1], pads: [2, 0, 2, 0], type: 'i16' },
  { shape: [2, 10, 9, 12], kernel: [3, 3], pads: [1, 1, 1, 1], type: 'i16', bits: 8 },
  { shape: [1, 10, 9, 44], kernel: [4, 2], pads: [1, 0, 2, 1], bits: 8 },
  { shape: [1, 10, 9, 28], kernel: [3, 3], pads: [1, 1, 1, 1], zeroPerChannel: true },
  { shape: [1, 10, 9, 28], kernel: [3, 3], pads: [1, 1, 1, 1], zeroPerChannel: true, bits: 4 },
  { shape: [2, 70, 50, 18], kernel: [3, 3], pads: [1, 1, 1, 1], bits: 8 },
  { shape: [1, 64, 40, 33], kernel: [5, 5], pads: [2, 2, 2, 2], type: 'i16' },
  { shape: [1, 12, 12, 16], kernel: [3, 3], pads: [0, 0, 0, 0], bits: 4 },
  { shape: [1, 20, 12, 16], kernel: [5, 5], pads: [1, 1, 2, 0] },
  { shape: [1, 10, 24, 16], kernel: [3, 3], pads: [1, 1, 1, 1], strides: [1, 2], bits: 4 },
  { shape: [2, 16, 24, 10], kernel: [3, 3], pads: [1, 1, 1, 1], strides: [2, 1] },
  { shape: [1, 34, 24, 30], kernel: [2, 3], pads: [0, 1, 0, 1], strides: [3, 1], bits: 4 },
  { shape: [1, 50, 50, 40], kernel: [3, 3], pads: [3, 1, 0, 1], strides: [2, 2], ahead: 1 },
  { shape: [1, 80, 100, 50], kernel: [5, 5], pads: [1, 2, 2, 1], strides: [2, 2], bits: 8 },
];

export interface InPlace {
  readonly graph: Graph;
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** What the operators' own semantics give. */
  readonly expected: Readonly<Record<string, Tensor>>;
  /** Layers that a program does not run in place, with what is wrong. */
  misplaced(program: Program): string[];
}

/** Those with images of at most so many bytes in one graph, each with an image of its own as its input and codes as its output. */
export function inPlaceGraph(mostBytes = Number.POSITIVE_INFINITY): InPlace {
  const b = new GraphBuilder('in place');
  const node = nodesOf(b);
  const inputs: Record<string, Tensor> = {};
  const inv = b.constant('inv', tensor('f32', [1], [30]));
  const to = b.constant('to', tensor('i32', [1], [5]));
  const layers = LAYERS.filter(({ shape, type = 'i8' }) => byteLength({ dtype: type, shape }) <= mostBytes);
  layers.forEach(({ shape, kernel, pads, strides = [1, 1], dilations = [1, 1], ...l }, i) => {
    const { type = 'i8', bits = 6, zeroPerChannel } = l;
    const c = shape[3];
    const [code, weight] = [type === 'i8' ? 128 : 4000, 2 ** (bits - 1) - 1];
    const x = b.input(`x${i}`, { dtype: type, shape });
    inputs[x] = sampleInts(type, shape, -code, code, 7 * i);
    const codes = sampleInts('i8', [c, ...kernel, 1], -weight, weight + 1, 7 * i + 1);
    const w = b.constant(`w${i}`, codes, { kind: 'codes', bits });
    const scale = 4 / (weight * code);
    const m = b.constant(`m${i}`, sample([c], 7 * i + 2, scale / 2, scale));
    const bias = b.constant(`b${i}`, sample([c], 7 * i + 3, -1, 1));
    const zero = zeroPerChannel ? sampleInts('i32', [c], -128, 128, 7 * i + 4) : tensor('i32', [1], [3 * i - 40]);
    const zp = b.constant(`zp${i}`, zero);
    const y = node('QConv', [x, w, m, bias, zp], { strides, pads, dilations, groups: c });
    b.outputs.push(node('Quantize', [y, inv, to], { to: type }));
  });
  const misplaced = (program: Program): string[] =>
    layers.flatMap(({ ahead = 0 }, i) => {
      const [x, y] = [program.inputs[i]!, program.outputs[i]!];
      const line = byteLength(x) / (x.shape[0]! * x.shape[1]!);
      const is = x.offset - y.offset;
      return is === ahead * line ? [] : [`layer ${i}: result ${is} bytes before its image of ${byteLength(x)}`];
    });
  const graph = b.build();
  return { graph, inputs, expected: evaluateGraph(graph, inputs), misplaced };
}
