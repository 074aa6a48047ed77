import { constantOf, consumersOf, type Graph, type Node, valueNamed } from '../ir/graph.ts';
import { sameShape, sizeOf, type Tensor } from '../util/tensor.ts';
import { movedView, originOf, reshapedView, scaling, type View, wholeView } from './strided.ts';

/** Where the elements (sample, head, position, d) of queries, keys or values lie: offset and the first three steps; d is contiguous. */
export interface HeadsView {
  readonly value: string;
  readonly at: readonly [offset: number, sample: number, head: number, position: number];
}

/** softmax(factor * q k + mask) v of some heads, as float nodes compute it. */
export interface Attention {
  readonly name: string;
  readonly q: HeadsView;
  readonly k: HeadsView;
  readonly v: HeadsView;
  readonly factor: number;
  /** Added to the scores; '' when there is none, or when it hides the keys after a query and nothing else. */
  readonly mask: string;
  readonly causal: boolean;
  /** The constant that makes it causal, or ''. */
  readonly causalMask: string;
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  readonly size: number;
  readonly valueSize: number;
  /** The result, in the order [batch, queries, heads, valueSize] whatever its shape, or [batch, heads, queries, valueSize]. */
  readonly output: string;
  readonly sideBySide: boolean;
}

/** Scores that are lower by this much have no weight. */
const HIDDEN = -1e4;

/** Every attention of a graph whose scores serve nothing else. */
export function findAttention(graph: Graph): Attention[] {
  const producers = new Map<string, Node>();
  for (const n of graph.nodes) for (const o of n.outputs) producers.set(o, n);
  const consumers = consumersOf(graph);
  const only = (v: string): Node | undefined => {
    const list = consumers.get(v) ?? [];
    return list.length === 1 && !graph.outputs.includes(v) ? list[0] : undefined;
  };
  return graph.nodes.flatMap((n) => (n.op === 'Softmax' ? (match(graph, producers, only, n) ?? []) : []));
}

type Only = (v: string) => Node | undefined;
type Producers = ReadonlyMap<string, Node>;

function match(graph: Graph, producers: Producers, only: Only, softmax: Node): Attention | undefined {
  const [scored, weights] = [softmax.inputs[0]!, softmax.outputs[0]!];
  const { shape } = valueNamed(graph, weights).type;
  const product = only(weights);
  const rank = shape.length;
  if (rank < 2 || rank > 4 || softmax.attrs.log || softmax.attrs.axis !== rank - 1) return undefined;
  if (product?.op !== 'MatMul' || product.inputs[0] !== weights || product.attrs.transA) return undefined;
  const scores = scoresOf(graph, producers, only, scored);
  if (!scores) return undefined;
  const { node, mask, causal } = scores;
  const [batch, heads, queries, keys] = [...new Array<number>(4 - rank).fill(1), ...shape] as Four;
  const lead = [batch, heads];
  const a = headsOf(graph, producers, node.inputs[0]!, lead, node.attrs.transA === true);
  const b = headsOf(graph, producers, node.inputs[1]!, lead, node.attrs.transB !== true);
  const v = headsOf(graph, producers, product.inputs[1]!, lead, product.attrs.transB === true);
  if (!a || !b || !v || a.positions !== queries || b.positions !== keys || keys < queries) return undefined;
  const sizes = { batch, heads, queries, keys, size: a.size, valueSize: v.size };
  // Values are not scaled by any exporter; the factor would have to move to the output.
  if (v.factor !== 1) return undefined;
  return {
    name: softmax.name,
    q: a.heads,
    k: b.heads,
    v: v.heads,
    factor: scores.factor * a.factor * b.factor,
    mask: causal ? '' : mask,
    causal,
    causalMask: causal ? mask : '',
    ...sizes,
    ...resultOf(graph, only, product, sizes),
  };
}

type Four = [number, number, number, number];

interface Scores {
  readonly node: Node;
  readonly factor: number;
  readonly mask: string;
  readonly causal: boolean;
}

/** The product behind the softmax's input, with the factor and the mask on the way. */
function scoresOf(graph: Graph, producers: Producers, only: Only, scored: string): Scores | undefined {
  let value = scored;
  let [factor, mask, causal] = [1, '', false];
  const shape = valueNamed(graph, scored).type.shape;
  for (;;) {
    const node = producers.get(value);
    if (!node || !only(value)) return undefined;
    if (node.op === 'MatMul') return { node, factor, mask, causal };
    const scaled = scaling(graph, node);
    const masked = scaled ? undefined : maskOf(graph, node, shape);
    if (scaled) {
      factor *= scaled.factor;
      value = scaled.input;
    } else if (masked && mask === '' && factor === 1) {
      ({ mask, causal } = masked);
      value = masked.input;
    } else return undefined;
  }
}

/** An addition of a mask, or a choice between the scores and a very low number, by a constant. */
function maskOf(
  graph: Graph,
  node: Node,
  scores: readonly number[],
): { input: string; mask: string; causal: boolean } | undefined {
  const same = (v: string): boolean => {
    const { shape } = valueNamed(graph, v).type;
    return shape.length === scores.length && shape.every((n, i) => n === scores[i]);
  };
  if (node.op === 'Add') {
    const [a, b] = node.inputs as [string, string];
    const [input, mask] = constantOf(graph, a) || !same(a) ? [b, a] : [a, b];
    const { shape, dtype } = valueNamed(graph, mask).type;
    if (dtype !== 'f32' || !same(input) || shape.at(-1) !== scores.at(-1) || shape.length > scores.length)
      return undefined;
    const data = constantOf(graph, mask);
    const hides = (v: number): boolean | undefined => (v === 0 ? false : v <= HIDDEN ? true : undefined);
    return { input, mask, causal: data !== undefined && isCausal(data, hides) };
  }
  if (node.op !== 'Where') return undefined;
  const [condition, a, b] = node.inputs as [string, string, string];
  const chosen = constantOf(graph, condition);
  const [input, low, hidden] = constantOf(graph, b) ? [a, b, 0] : [b, a, 1];
  const data = constantOf(graph, low);
  if (!chosen || !data || !same(input) || data.data.some((v) => !(Number(v) <= HIDDEN))) return undefined;
  const causal = isCausal(chosen, (v) => v === hidden);
  return causal ? { input, mask: condition, causal } : undefined;
}

/** Whether a mask of [.., queries, keys] hides from query i exactly the keys after i + keys - queries. */
function isCausal(mask: Tensor, hides: (v: number) => boolean | undefined): boolean {
  const [queries = 1, keys = 1] = mask.shape.slice(-2);
  if (mask.shape.length < 2 || sizeOf(mask.shape) !== queries * keys || queries < 2) return false;
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      if (hides(Number(mask.data[i * keys + j])) !== j > i + keys - queries) return false;
    }
  }
  return true;
}

interface Heads {
  readonly heads: HeadsView;
  readonly positions: number;
  readonly size: number;
  readonly factor: number;
}

/** A factor of a product as [batch, heads, positions, size]; `swap`: its last two axes are the other way round. */
function headsOf(
  graph: Graph,
  producers: Producers,
  value: string,
  [batch, heads]: readonly number[],
  swap: boolean,
): Heads | undefined {
  if (constantOf(graph, value)) return undefined;
  const { value: source, view, factor } = originOf(graph, producers, value);
  const axes = [...new Array<View['axes'][0]>(4 - view.axes.length).fill({ size: 1, stride: 0 }), ...view.axes];
  const [b, h, x, y] = axes as [View['axes'][0], View['axes'][0], View['axes'][0], View['axes'][0]];
  const [position, d] = swap ? [y, x] : [x, y];
  if ((b.size !== batch && b.size !== 1) || (h.size !== heads && h.size !== 1)) return undefined;
  if (d.size > 1 && d.stride !== 1) return undefined;
  const at = [view.offset, b.stride, h.stride, position.stride] as const;
  return { heads: { value: source, at }, positions: position.size, size: d.size, factor };
}

/** Follows the product's result to where all heads of a position lie side by side, and on to the shape without a head axis if there is one. */
function resultOf(
  graph: Graph,
  only: Only,
  product: Node,
  { batch, heads, queries, valueSize }: Pick<Attention, 'batch' | 'heads' | 'queries' | 'valueSize'>,
): Pick<Attention, 'output' | 'sideBySide'> {
  const shapeOf = (v: string): readonly number[] => valueNamed(graph, v).type.shape;
  const steps = [heads * queries * valueSize, valueSize, queries * valueSize, 1];
  const sideBySide = (view: View): boolean => {
    const split = reshapedView(view, [batch, queries, heads, valueSize]);
    return split?.axes.every((a, i) => a.size === 1 || a.stride === steps[i]) ?? false;
  };
  let value = product.outputs[0]!;
  let view = reshapedView(wholeView([batch, heads, queries, valueSize]), shapeOf(value));
  while (view && !sideBySide(view)) {
    const next = only(value);
    view = next && (next.op === 'Transpose' || next.op === 'Reshape') ? movedView(graph, next, view) : undefined;
    if (view) value = next!.outputs[0]!;
  }
  if (!view) return { output: product.outputs[0]!, sideBySide: false };
  const flat = [batch, queries, heads * valueSize];
  for (let v = value; ; ) {
    if (sameShape(shapeOf(v), flat)) return { output: v, sideBySide: true };
    const next = only(v);
    if (next?.op !== 'Reshape') return { output: value, sideBySide: true };
    v = next.outputs[0]!;
  }
}
