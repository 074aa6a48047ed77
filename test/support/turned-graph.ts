import type { Graph } from '../../sdk/ir/graph.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { EvaluatedGraph } from './evaluated-graph.ts';

/** Convolutions whose image comes as planes and whose result is wanted as planes. */
interface Layer {
  readonly name: string;
  /** Height, width, channels of the image; channels of the result. */
  readonly shape: readonly [number, number, number, number];
  readonly kernel?: number;
  readonly stride?: number;
  readonly type?: 'i8' | 'i16';
  readonly zp?: number;
  readonly most?: number;
  /** What the result is bounded to before it is turned. */
  readonly bounded?: boolean;
  /** Somebody reads the codes, the rows of the result, or both as they are. */
  readonly reads?: 'codes' | 'rows';
  /** Every pixel of a line has a scale of its own. */
  readonly each?: boolean;
  /** Kernels quantize as they turn; write columns. */
  readonly merged: readonly [boolean, boolean];
}

const LAYERS: readonly Layer[] = [
  { name: 'pointwise', shape: [14, 14, 64, 64], kernel: 1, merged: [true, true] },
  { name: 'blocks of channels', shape: [6, 9, 32, 150], kernel: 1, bounded: true, merged: [true, true] },
  { name: 'windows', shape: [11, 13, 24, 33], zp: -128, merged: [true, true] },
  { name: 'many rows', shape: [31, 37, 16, 20], bounded: true, merged: [true, true] },
  { name: 'wide codes', shape: [15, 9, 48, 40], most: 20, merged: [true, true] },
  { name: 'few rows', shape: [4, 5, 40, 12], zp: 5, merged: [true, true] },
  { name: 'one line', shape: [1, 7, 16, 16], kernel: 1, merged: [false, true] },
  { name: 'eight channels', shape: [12, 20, 4, 8], stride: 2, merged: [false, true] },
  { name: 'five channels', shape: [17, 16, 32, 5], merged: [true, true] },
  { name: 'three channels', shape: [9, 16, 32, 3], kernel: 1, merged: [true, false] },
  { name: 'words', shape: [13, 12, 16, 24], type: 'i16', most: 30, merged: [true, true] },
  { name: 'pointwise words', shape: [9, 15, 24, 41], kernel: 1, type: 'i16', bounded: true, merged: [true, true] },
  { name: 'codes are wanted', shape: [8, 8, 32, 16], reads: 'codes', merged: [false, true] },
  { name: 'rows are wanted', shape: [8, 8, 32, 16], reads: 'rows', merged: [true, false] },
  { name: 'a scale a pixel', shape: [8, 8, 32, 16], each: true, merged: [false, true] },
];

export interface TurnedGraph {
  readonly graph: Graph;
  readonly inputs: Record<string, Tensor>;
  readonly expected: ReadonlyMap<string, Tensor>;
  /** How many kernels only quantize, and only turn. */
  readonly apart: { readonly quantize: number; readonly strided: number };
}

export function turnedGraph(): TurnedGraph {
  const g = new EvaluatedGraph('turned', 17);
  for (const layer of LAYERS) {
    const { name, shape, kernel = 3, stride = 1, type = 'i8', zp = 0, most = 127, bounded, reads, each } = layer;
    const [h, w, c, o] = shape;
    const made = (part: string, t: Tensor): string => g.constant(`${name}.${part}`, t);
    // Some of the image lies beyond what codes hold, so that the ends of their range are there.
    const x = g.input(name, g.floats([1, c, h, w], 4));
    const size = type === 'i8' ? 100 : 4000;
    const scales = each ? Float32Array.from({ length: w }, (_, i) => size + i) : Float32Array.of(size);
    const inv = made('inv', tensor('f32', [scales.length], scales));
    const end = made('zp', tensor('i32', [1], Int32Array.of(zp)));
    const planes = g.add('Quantize', `${name}.planes`, [x, inv, end], { to: type });
    const coded = g.add('Transpose', `${name}.codes`, [planes], { perm: [0, 2, 3, 1] });
    const pad = (kernel - 1) / 2;
    const attrs = { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], groups: 1 };
    const weights = made('w', g.codes([o, kernel, kernel, c], most));
    const [m, bias] = [made('m', g.floats([o], 1e-4)), made('bias', g.floats([o], 1))];
    let y = g.add('QConv', `${name}.rows`, [coded, weights, m, bias, end], attrs);
    if (reads === 'rows') g.output(g.add('Relu', `${name}.positive`, [y]));
    if (bounded) y = g.add('Clip', `${name}.bounded`, [y], { min: -1, max: 1 });
    g.output(g.add('Transpose', `${name}.columns`, [y], { perm: [0, 3, 1, 2] }));
    if (reads === 'codes') g.output(g.add('Dequantize', `${name}.back`, [planes, inv, end]));
  }
  const count = (is: (l: Layer) => boolean): number => LAYERS.filter(is).length;
  const quantize = count((l) => !l.merged[0]);
  // All turn their image; those that quantize it too are called after that.
  const apart = { quantize, strided: LAYERS.length + count((l) => !l.merged[1]) };
  return { graph: g.builder.build(), inputs: g.inputs, expected: g.expected, apart };
}
