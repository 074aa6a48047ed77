import { sizeOf, type Tensor } from '../../util/tensor.ts';
import { constantOf, consumersOf, type Graph, type Node, valueNamed } from '../graph.ts';
import { f32, floats } from '../ops/lib/arrays.ts';
import { Rewrite } from './lib/rewrite.ts';

const WEIGHTED = new Set(['Conv', 'ConvTranspose', 'Linear']);
const AFFINE = new Set(['Add', 'Sub', 'Mul', 'Div']);

/** y = scale[c] * x + shift[c] for every output channel c. */
interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

interface Layer {
  readonly node: Node;
  readonly w: Tensor;
  readonly b: Tensor | undefined;
  readonly outputs: number;
}

/**
 * Folds additions and multiplications by constants, one per channel (batch normalization is imported as those), into the weights
 * and bias of the convolution or linear layer before them, when nothing else reads the layer's result.
 */
export function foldAffine(graph: Graph): Graph {
  const consumers = consumersOf(graph);
  const absorbed = new Map<string, Node[]>();
  const taken = new Set<string>();
  for (const node of graph.nodes) {
    const layer = layerOf(graph, node);
    if (!layer) continue;
    const chain: Node[] = [];
    for (let value = node.outputs[0]!; !graph.outputs.includes(value); ) {
      const readers = consumers.get(value) ?? [];
      const next = readers[0];
      if (readers.length !== 1 || !next || !affineOf(graph, layer, next, value)) break;
      chain.push(next);
      taken.add(next.name);
      value = next.outputs[0]!;
    }
    if (chain.length > 0) absorbed.set(node.name, chain);
  }
  if (taken.size === 0) return graph;
  const r = new Rewrite(graph);
  for (const node of graph.nodes) {
    if (taken.has(node.name)) continue;
    const chain = absorbed.get(node.name);
    if (chain) emitFolded(graph, layerOf(graph, node)!, chain, r);
    else r.keep(node);
  }
  return r.finish();
}

function layerOf(graph: Graph, node: Node): Layer | undefined {
  if (!WEIGHTED.has(node.op)) return undefined;
  const w = constantOf(graph, node.inputs[1]!);
  const b = constantOf(graph, node.inputs[2] ?? '');
  if (!w || (node.inputs[2] && !b)) return undefined;
  return { node, w, b, outputs: valueNamed(graph, node.outputs[0]!).type.shape[channelAxis(graph, node)]! };
}

function channelAxis(graph: Graph, node: Node): number {
  return node.attrs.layout === 'nchw' ? 1 : valueNamed(graph, node.outputs[0]!).type.shape.length - 1;
}

/** What `next` does to the layer's result, when it is one factor and one term per channel. */
function affineOf(graph: Graph, layer: Layer, next: Node, value: string): Affine | undefined {
  if (!AFFINE.has(next.op)) return undefined;
  const left = next.inputs[0] === value;
  const c = constantOf(graph, next.inputs[left ? 1 : 0]!);
  const shape = valueNamed(graph, value).type.shape;
  if (!c || c.shape.length > shape.length || (next.op === 'Div' && !left)) return undefined;
  const axis = channelAxis(graph, layer.node) - (shape.length - c.shape.length);
  if (c.shape.some((d, i) => d !== 1 && (i !== axis || d !== layer.outputs))) return undefined;
  const v = Float64Array.from({ length: layer.outputs }, (_, i) => floats(c)[c.data.length === 1 ? 0 : i]!);
  const ones = v.map(() => 1);
  const zeros = v.map(() => 0);
  switch (next.op) {
    case 'Add':
      return { scale: ones, shift: v };
    case 'Sub':
      return left ? { scale: ones, shift: v.map((x) => -x) } : { scale: v.map(() => -1), shift: v };
    case 'Mul':
      return { scale: v, shift: zeros };
    default:
      return v.includes(0) ? undefined : { scale: v.map((x) => 1 / x), shift: zeros };
  }
}

function emitFolded(graph: Graph, layer: Layer, chain: readonly Node[], r: Rewrite): void {
  const { node } = layer;
  const scale = new Float64Array(layer.outputs).fill(1);
  const shift = Float64Array.from({ length: layer.outputs }, (_, i) => (layer.b ? floats(layer.b)[i]! : 0));
  let value = node.outputs[0]!;
  for (const next of chain) {
    const a = affineOf(graph, layer, next, value)!;
    for (let i = 0; i < layer.outputs; i++) {
      scale[i] = scale[i]! * a.scale[i]!;
      shift[i] = shift[i]! * a.scale[i]! + a.shift[i]!;
    }
    value = next.outputs[0]!;
  }
  const w = scale.every((s) => s === 1) ? node.inputs[1]! : r.constant(node.inputs[1]!, scaledWeights(layer, scale));
  const b = r.constant(node.inputs[2] || `${node.inputs[1]!}.bias`, f32([layer.outputs], shift));
  r.emit(node.op, [node.inputs[0]!, w, b], node.attrs, { name: node.name, outputs: [value] });
}

/** Weights times one factor an output channel. */
function scaledWeights({ node, w, outputs }: Layer, scale: Float64Array): Tensor {
  const data = floats(w);
  const out = new Float32Array(data.length);
  if (node.op !== 'ConvTranspose') {
    const row = data.length / outputs;
    for (let i = 0; i < out.length; i++) out[i] = data[i]! * scale[Math.floor(i / row)]!;
    return f32(w.shape, out);
  }
  // [C, O/g, kh, kw] or [C, kh, kw, O/g]: the output channel depends on the group of the input channel, too.
  const nchw = node.attrs.layout === 'nchw';
  const groups = node.attrs.groups as number;
  const perGroup = outputs / groups;
  const inputRow = data.length / w.shape[0]!;
  const taps = sizeOf(w.shape.slice(1)) / perGroup;
  for (let i = 0; i < out.length; i++) {
    const group = Math.floor(Math.floor(i / inputRow) / (w.shape[0]! / groups));
    const within = nchw ? Math.floor((i % inputRow) / taps) : i % perGroup;
    out[i] = data[i]! * scale[group * perGroup + within]!;
  }
  return f32(w.shape, out);
}
