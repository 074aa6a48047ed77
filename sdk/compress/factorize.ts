import { constantOf, type Graph, GraphBuilder, type Node, valueNamed } from '../ir/graph.ts';
import { symmetricEigenvalues } from '../util/linalg/eigen.ts';
import type { Linalg } from '../util/linalg/linalg.ts';
import { leadingVectors } from '../util/linalg/subspace.ts';
import { type Tensor, tensor } from '../util/tensor.ts';
import type { Layer } from './layers.ts';
import type { TileMoments } from './moments.ts';
import { outputGram } from './spectrum.ts';

/**
 * W as a product a b in the metric of its inputs: with W H W^T = P S^2 P^T, P_r P_r^T W is the matrix of rank r nearest to W, and
 * leaves the energies s_i^2 of the components that it drops as its error. Rows of b are scaled so that what they compute has unit
 * variance; components come in the order of their energy.
 */
export interface Factors {
  readonly rank: number;
  /** [rows][rank] and [rank][cols]. */
  readonly a: Float32Array;
  readonly b: Float32Array;
  /** What the dropped components give on the mean input, [rows]: added to the bias where there is one. */
  readonly shift: Float64Array;
}

/** Beyond this many rows the decomposition costs more than it is likely to save. */
const MOST_ROWS = 1024;
const FEWEST = 16;
/** Positions that have been seen for every input: below that, the statistics miss directions that matter. */
const SEEN = 4;
/** Relative squared error of codes of b bits is about this times 4^-b: the entropy-coded uniform quantizer of a Gaussian, pi e / 6. */
const CODING = 1.42;
/** Share of the expected error of the whole matrix that the factors may be expected to have at the same bytes. */
const WORTH = 0.5;

/** What a layer is fitted on. */
export interface Seen {
  readonly weights: Float32Array;
  readonly moments: TileMoments;
  readonly positions: number;
}

/** Factors of a layer that are expected to have clearly less error at `bits` a weight of the whole matrix; else undefined. */
export function factorsOf(la: Linalg, layer: Layer, seen: Seen, bits: number): Factors | undefined {
  const { rows, cols, tiles } = layer.matrices[0]!;
  const dense = layer.kind === 'linear' || (layer.kind === 'conv' && tiles.length === 1);
  if (!dense || rows > MOST_ROWS || Math.min(rows, cols) < FEWEST || seen.positions < SEEN * cols) return undefined;
  const mark = la.mark();
  const gram = outputGram(la, seen.weights, rows, cols, seen.moments.h);
  la.release(mark);
  const energies = symmetricEigenvalues(gram.slice(), rows).map((v) => Math.max(0, v));
  const rank = bestRank(energies, rows, cols, bits);
  if (rank === undefined) return undefined;
  const vectors = leadingVectors(la, gram, rows, rank);
  const { a, b } = product(seen.weights, rows, cols, vectors, energies, rank);
  return { rank, a, b, shift: lostOnMean(seen, rows, cols, a, b) };
}

/**
 * The rank with the least expected error: what is dropped, and what coding two factors adds, whose weights get the more bits the
 * fewer they are.
 */
export function bestRank(energies: Float64Array, rows: number, cols: number, bits: number): number | undefined {
  const sum = energies.reduce((total, v) => total + v, 0);
  if (sum === 0) return undefined;
  const whole = CODING * 4 ** -bits;
  let best: number | undefined;
  let least = WORTH * whole;
  let left = sum;
  for (let rank = 1; rank < Math.min(rows, cols); rank++) {
    left -= energies[rank - 1]!;
    const share = (rank * (rows + cols)) / (rows * cols);
    if (share >= 1) break;
    const error = Math.max(0, left) / sum + 2 * CODING * 4 ** (-bits / share);
    if (error < least) {
      least = error;
      best = rank;
    }
  }
  return best;
}

function product(
  w: Float32Array,
  rows: number,
  cols: number,
  vectors: Float64Array,
  energies: Float64Array,
  rank: number,
): Pick<Factors, 'a' | 'b'> {
  const a = new Float32Array(rows * rank);
  const b = new Float32Array(rank * cols);
  const row = new Float64Array(cols);
  for (let k = 0; k < rank; k++) {
    row.fill(0);
    for (let r = 0; r < rows; r++) {
      const p = vectors[r * rank + k]!;
      for (let c = 0; c < cols; c++) row[c]! += p * w[r * cols + c]!;
    }
    const deviation = Math.sqrt(Math.max(energies[k]!, 1e-12 * energies[0]!));
    for (let c = 0; c < cols; c++) b[k * cols + c] = row[c]! / deviation;
    for (let r = 0; r < rows; r++) a[r * rank + k] = vectors[r * rank + k]! * deviation;
  }
  return { a, b };
}

/** (W - a b) mean(x). */
function lostOnMean(seen: Seen, rows: number, cols: number, a: Float32Array, b: Float32Array): Float64Array {
  const rank = b.length / cols;
  const { mean } = seen.moments;
  const z = new Float64Array(rank);
  for (let k = 0; k < rank; k++) for (let c = 0; c < cols; c++) z[k]! += b[k * cols + c]! * mean[c]!;
  const out = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) out[r]! += seen.weights[r * cols + c]! * mean[c]!;
    for (let k = 0; k < rank; k++) out[r]! -= a[r * rank + k]! * z[k]!;
  }
  return out;
}

/** The graph with every layer that has factors as two layers in a row: b with the window and strides, then a with the bias. */
export function factorize(graph: Graph, factors: ReadonlyMap<Layer, Factors>): Graph {
  const byNode = new Map([...factors].map(([layer, f]) => [layer.node!, { layer, f }]));
  const b = new GraphBuilder(graph.name, graph);
  b.nodes = [];
  for (const node of graph.nodes) {
    const split = byNode.get(node);
    if (split) splitNode(b, graph, node, split.layer, split.f);
    else b.nodes.push(node);
  }
  return b.build();
}

function splitNode(b: GraphBuilder, graph: Graph, node: Node, layer: Layer, f: Factors): void {
  const [x, w] = node.inputs as [string, string];
  const old = constantOf(graph, layer.bias) as Tensor<'f32'> | undefined;
  const bias = old && [
    b.constant(
      `${layer.bias}.ab`,
      tensor(
        'f32',
        old.shape,
        old.data.map((v, r) => v + f.shift[r]!),
      ),
    ),
  ];
  const shape = valueNamed(graph, w).type.shape;
  const y = valueNamed(graph, node.outputs[0]!).type;
  const conv = layer.kind === 'conv';
  const first = b.constant(`${w}.b`, tensor('f32', [f.rank, ...shape.slice(1)], f.b));
  const second = b.constant(`${w}.a`, tensor('f32', [shape[0]!, ...(conv ? [1, 1] : []), f.rank], f.a));
  const z = b.fresh(`${node.outputs[0]}.z`);
  const ones = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1] };
  b.node({ ...node, name: `${node.name}.b`, inputs: [x, first], outputs: [z] }, [
    { dtype: 'f32', shape: [...y.shape.slice(0, -1), f.rank] },
  ]);
  b.nodes.push({
    ...node,
    inputs: [z, second, ...(bias ?? [])],
    attrs: conv ? { ...node.attrs, ...ones } : node.attrs,
  });
}
