import { type Graph, type Node, producersOf, valueNamed } from '../ir/graph.ts';
import { sameShape, type Tensor } from '../util/tensor.ts';
import type { Divergence } from './types.ts';

/** How an output is compared with the original's. */
export type OutputKind = 'probabilities' | 'logits' | 'sigmoid' | 'squared';

export interface OutputMeasure {
  readonly name: string;
  readonly kind: OutputKind;
}

/** An output that is an input of the next run. */
export interface State {
  readonly input: string;
  readonly output: string;
}

/**
 * The states of a network that is run once a step, with its state carried along: float outputs that look like an input, where other inputs
 * and outputs are left. Several of one shape belong together in their order.
 */
export function statesOf(graph: Graph): State[] {
  const inputs = graph.inputs.filter((i) => isFloat(graph, i));
  const others = graph.inputs.length - inputs.length;
  const states = graph.outputs
    .filter((output) => isFloat(graph, output))
    .flatMap((output) => {
      const at = inputs.findIndex((i) => sameShape(shapeOf(graph, i), shapeOf(graph, output)));
      return at < 0 ? [] : [{ input: inputs.splice(at, 1)[0]!, output }];
    });
  // A picture made of a picture is an answer.
  return inputs.length + others > 0 && states.length < graph.outputs.length ? states : [];
}

const isFloat = (graph: Graph, value: string): boolean => valueNamed(graph, value).type.dtype === 'f32';
const shapeOf = (graph: Graph, value: string): readonly number[] => valueNamed(graph, value).type.shape;

/**
 * Outputs that are compared: distributions when there are any, and states, which are answers of later runs; else all float outputs by
 * squared error.
 */
export function measuresOf(
  graph: Graph,
  outputs: Readonly<Record<string, Tensor>>,
  wanted: Divergence,
): OutputMeasure[] {
  const producers = producersOf(graph);
  const states = new Set(statesOf(graph).map((s) => s.output));
  const kinds = graph.outputs
    .filter((name) => isFloat(graph, name))
    .map((name): OutputMeasure => {
      if (states.has(name)) return { name, kind: 'squared' };
      return { name, kind: kindOf(graph, rangeGiver(producers, name)?.op, outputs[name]!, wanted) };
    });
  const distributions = kinds.filter((k) => k.kind !== 'squared' || states.has(k.name));
  return distributions.length > states.size ? distributions : kinds;
}

/** Whether a node's results lie in the range of its first operand. */
function staysInRange({ op, attrs }: Node): boolean {
  if (op === 'Reduce') return attrs.fn === 'mean' || attrs.fn === 'max' || attrs.fn === 'min';
  return ['Identity', 'Reshape', 'Transpose', 'Slice', 'Pool'].includes(op);
}

/** The node that gives a value its range: the producer of it, or of what it is a part, an extreme or a mean of. */
function rangeGiver(producers: ReadonlyMap<string, Node>, value: string): Node | undefined {
  const node = producers.get(value);
  return node && staysInRange(node) ? (rangeGiver(producers, node.inputs[0]!) ?? node) : node;
}

function kindOf(graph: Graph, giver: string | undefined, y: Tensor, wanted: Divergence): OutputKind {
  if (wanted === 'squared') return 'squared';
  if (wanted === 'sigmoid') return 'sigmoid';
  const width = classesOf(y);
  if (width > 1 && sumsToOne(y.data as Float32Array, width)) return 'probabilities';
  if (wanted === 'softmax') return 'logits';
  if (giver === 'Sigmoid') return 'sigmoid';
  const likeAnInput = graph.inputs.some((i) => sameShape(shapeOf(graph, i), y.shape));
  // Recurrent states come out of the recurrence itself, not out of a classifier.
  if (width < 2 || likeAnInput || giver === 'LSTM' || giver === 'GRU') return 'squared';
  return 'logits';
}

/** Size of the last axis that is longer than one. */
export function classesOf(y: Tensor): number {
  for (let i = y.shape.length - 1; i >= 0; i--) if (y.shape[i]! > 1) return y.shape[i]!;
  return 1;
}

function sumsToOne(data: Float32Array, width: number): boolean {
  for (let at = 0; at < data.length; at += width) {
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const v = data[at + i]!;
      if (!(v >= 0 && v <= 1.0001)) return false;
      sum += v;
    }
    if (Math.abs(sum - 1) > 1e-3) return false;
  }
  return data.length > 0;
}
