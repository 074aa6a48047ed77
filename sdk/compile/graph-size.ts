import { constantOf, type Graph, type Node, type Value } from '../ir/graph.ts';
import { byteLength, type DType, sizeOf } from '../util/tensor.ts';
import type { CostStep } from './cost.ts';
import { type Lowered, lowerGraph } from './lower.ts';

/** What can be said about a graph's needs without compiling it. */
export interface GraphSize {
  readonly steps: readonly (CostStep & { readonly node: string })[];
  /** Constants in the order of first use, by the node that uses them first. */
  readonly weights: readonly { readonly layer: string; readonly bytes: number }[];
  /** Sum of the tensors alive during each step; views share the memory of what they view. */
  readonly liveBytes: readonly number[];
}

/** Sizes of a normalized graph. Throws EW3102_OP_UNSUPPORTED for a node without a kernel. */
export function measureGraph(graph: Graph): GraphSize {
  const lowered = lowerGraph(graph);
  const seen = new Set<string>();
  const weights: { layer: string; bytes: number }[] = [];
  for (const { node } of lowered) {
    for (const v of node.inputs) {
      if (!constantOf(graph, v) || seen.has(v)) continue;
      seen.add(v);
      weights.push({ layer: node.name, bytes: residentBytes(graph, v) });
    }
  }
  const wide = wideNodesOf(graph);
  const steps = lowered.map((l) => ({ ...stepOf(graph, l), wide: wide.has(l.node.name) }));
  return { steps, weights, liveBytes: liveBytes(graph, lowered) };
}

/** Names of the nodes that multiply 16-bit activations; `dtypeOf` is of a value. */
export function wideNodes(
  nodes: readonly Pick<Node, 'name' | 'op' | 'inputs'>[],
  dtypeOf: (value: string) => DType | undefined,
): Set<string> {
  const isWide = ({ op, inputs }: Pick<Node, 'op' | 'inputs'>): boolean =>
    (op === 'QConv' || op === 'QLinear') && dtypeOf(inputs[0]!) === 'i16';
  return new Set(nodes.filter(isWide).map((n) => n.name));
}

/** The same of a graph. */
export function wideNodesOf(graph: Graph): Set<string> {
  return wideNodes(graph.nodes, (v) => graph.values.get(v)?.type.dtype);
}

function value(graph: Graph, name: string): Value {
  return graph.values.get(name)!;
}

/** Bytes in memory: codes at their width, everything else as its data type says. */
function residentBytes(graph: Graph, name: string): number {
  const { type, packing } = value(graph, name);
  return packing?.kind === 'codes' ? Math.ceil((sizeOf(type.shape) * packing.bits) / 8) : byteLength(type);
}

function stepOf(graph: Graph, l: Lowered) {
  const operands = new Set([...l.node.inputs, ...l.node.outputs].filter((v) => v !== ''));
  let bytes = 0;
  if (l.spec.kind !== 'view') for (const v of operands) bytes += residentBytes(graph, v);
  return { node: l.node.name, kind: l.spec.kind, macs: macsOf(graph, l), bytes };
}

/** Multiply-accumulates of one run; shapes as sdk/ir/kernel.ts states them. */
export function macsOf(graph: Graph, { node, spec }: Lowered): number {
  const shape = (v: string | undefined): readonly number[] => value(graph, v!).type.shape;
  const out = () => sizeOf(shape(node.outputs[0]));
  switch (spec.kind) {
    case 'conv':
    case 'qconv':
      return (out() * sizeOf(shape(node.inputs[1]))) / shape(node.inputs[1])[0]!;
    case 'convtranspose':
      return (sizeOf(shape(node.inputs[0])) * sizeOf(shape(node.inputs[1]))) / shape(node.inputs[1])[0]!;
    case 'linear':
    case 'qlinear':
      return out() * shape(node.inputs[0]).at(-1)!;
    case 'matmul':
      return out() * shape(node.inputs[0]).at(spec.transA ? -2 : -1)!;
    case 'qattention':
      return spec.batch * spec.heads * spec.queries * spec.keys * (spec.size + spec.valueSize);
    case 'lstm':
    case 'gru':
      return sequenceMacs(shape(node.inputs[0]), shape(node.inputs[1]), shape(node.inputs[2]));
    case 'qlstm':
      return sequenceMacs(shape(node.inputs[0]), shape(node.inputs[2]), shape(node.inputs[4]));
    default:
      return 0;
  }
}

/** Every input and recurrent weight once a time step and sample. x is [T, B, I]. */
function sequenceMacs(x: readonly number[], w: readonly number[], r: readonly number[]): number {
  return x[0]! * x[1]! * (sizeOf(w) + sizeOf(r));
}

function liveBytes(graph: Graph, lowered: readonly Lowered[]): number[] {
  const origin = new Map<string, string>();
  const root = (v: string): string => origin.get(v) ?? v;
  for (const { node, spec } of lowered) {
    if (spec.kind === 'view') origin.set(node.outputs[0]!, root(node.inputs[0]!));
  }
  const first = new Map<string, number>(graph.inputs.map((v) => [v, 0]));
  const last = new Map<string, number>();
  lowered.forEach(({ node }, i) => {
    for (const v of node.outputs) if (v !== '' && !first.has(root(v))) first.set(root(v), i);
    for (const v of [...node.inputs, ...node.outputs]) if (v !== '') last.set(root(v), i);
  });
  for (const v of graph.outputs) last.set(root(v), lowered.length - 1);
  const live = new Array<number>(lowered.length).fill(0);
  for (const [v, from] of first) {
    if (constantOf(graph, v)) continue;
    const bytes = byteLength(value(graph, v).type);
    for (let i = from; i <= (last.get(v) ?? from); i++) live[i]! += bytes;
  }
  return live;
}
