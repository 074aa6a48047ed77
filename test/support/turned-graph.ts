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
  /** Somebody reads the codes of the planes, the rows of the result, or codes of these, as they are. */
  readonly reads?: 'codes' | 'rows' | 'coded rows';
  /** Groups that channels are seen as before planes are made of the result, and lines that planes are seen as before they are turned. */
  readonly seen?: number;
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
  { name: 'seen otherwise', shape: [8, 6, 16, 24], seen: 3, merged: [true, true] },
  { name: 'groups of one', shape: [9, 5, 16, 16], kernel: 1, seen: 16, merged: [true, true] },
  { name: 'a scale a pixel', shape: [8, 8, 32, 16], each: true, merged: [false, true] },
];

/** Codes of the rows take over the memory of the image while columns are written from them. */
const OVER_IMAGE: readonly Layer[] = [
  { name: 'codes over the image', shape: [16, 16, 64, 64], kernel: 1, reads: 'coded rows', merged: [true, true] },
];

export interface TurnedGraph {
  readonly graph: Graph;
  readonly inputs: Record<string, Tensor>;
  readonly expected: ReadonlyMap<string, Tensor>;
  /** How many kernels only quantize, and only turn. */
  readonly apart: { readonly quantize: number; readonly strided: number };
}

export const turnedGraph = (): TurnedGraph => graphOf('turned', LAYERS);
export const turnedOverImage = (): TurnedGraph => graphOf('turned, over the image', OVER_IMAGE);

function graphOf(graph: string, layers: readonly Layer[]): TurnedGraph {
  const g = new EvaluatedGraph(graph, 17);
  for (const layer of layers) {
    const { name, shape, kernel = 3, stride = 1, type = 'i8', zp = 0, most = 127, bounded, reads, seen, each } = layer;
    const [h, w, c, o] = shape;
    const made = (part: string, t: Tensor): string => g.constant(`${name}.${part}`, t);
    // Some of the image lies beyond what codes hold, so that the ends of their range are there.
    const x = g.input(name, g.floats([1, c, h, w], 4));
    const size = type === 'i8' ? 100 : 4000;
    const scales = each ? Float32Array.from({ length: w }, (_, i) => size + i) : Float32Array.of(size);
    const inv = made('inv', tensor('f32', [scales.length], scales));
    const end = made('zp', tensor('i32', [1], Int32Array.of(zp)));
    const planes = g.add('Quantize', `${name}.planes`, [x, inv, end], { to: type });
    const viewed = (part: string, of: string, view: number[]): string =>
      g.add('Reshape', `${name}.${part}`, [of], { shape: view });
    const coded = seen
      ? viewed(
          'codes',
          g.add('Transpose', `${name}.pixels`, [viewed('lines', planes, [1, c, h * w])], { perm: [0, 2, 1] }),
          [1, h, w, c],
        )
      : g.add('Transpose', `${name}.codes`, [planes], { perm: [0, 2, 3, 1] });
    const pad = (kernel - 1) / 2;
    const attrs = { strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1], groups: 1 };
    const weights = made('w', g.codes([o, kernel, kernel, c], most));
    const [m, bias] = [made('m', g.floats([o], 1e-4)), made('bias', g.floats([o], 1))];
    let y = g.add('QConv', `${name}.rows`, [coded, weights, m, bias, end], attrs);
    if (reads === 'rows') g.output(g.add('Relu', `${name}.positive`, [y]));
    if (reads === 'coded rows') {
      const step = made('step', tensor('f32', [1], Float32Array.of(20)));
      g.output(g.add('Quantize', `${name}.coded`, [y, step, end], { to: 'i8' }));
      y = g.add('Relu', `${name}.positive`, [y]);
    }
    if (bounded) y = g.add('Clip', `${name}.bounded`, [y], { min: -1, max: 1 });
    if (seen) y = viewed('seen', y, [1, h * w, seen, o / seen]);
    g.output(g.add('Transpose', `${name}.columns`, [y], { perm: seen ? [0, 2, 3, 1] : [0, 3, 1, 2] }));
    if (reads === 'codes') g.output(g.add('Dequantize', `${name}.back`, [planes, inv, end]));
  }
  const count = (is: (l: Layer) => boolean): number => layers.filter(is).length;
  const quantize = count((l) => !l.merged[0]);
  // All turn their image; those that quantize it too are called after that.
  const apart = { quantize, strided: layers.length + count((l) => !l.merged[1]) };
  return { graph: g.builder.build(), inputs: g.inputs, expected: g.expected, apart };
}
