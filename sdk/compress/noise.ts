import { constantOf, type Graph, type Node, valueNamed } from '../ir/graph.ts';
import type { KernelSpec } from '../ir/kernel.ts';
import { sizeOf } from '../util/tensor.ts';
import { lowered } from './layers.ts';

/** Divergence of noise of mean square 1 on every channel of a value (last axis), the rest of the network exact. */
export type Gains = Float64Array;

/** What a reader makes of noise on a value. */
export interface Exposure {
  readonly reader: Node;
  readonly gains: Gains;
}

/**
 * How noise on any value reaches the output: known at the inputs of weight layers (measured), and followed back from there through what
 * lies between. Slopes of activations count as 1; noise that reaches an output or a normalization past all layers counts as infinite.
 */
export function exposures(graph: Graph, measured: ReadonlyMap<Node, Gains>): Map<string, Exposure[]> {
  const out = new Map<string, Exposure[]>();
  const gainsOf = (v: string): Gains => {
    const total = new Float64Array(channelsOf(graph, v));
    if (graph.outputs.includes(v)) return total.fill(Number.POSITIVE_INFINITY);
    for (const e of out.get(v) ?? []) for (let c = 0; c < total.length; c++) total[c]! += e.gains[c]!;
    return total;
  };
  for (const reader of [...graph.nodes].reverse()) {
    const known = measured.get(reader);
    const behind = reader.outputs.filter((o) => o !== '').map((o) => ({ value: o, gains: gainsOf(o) }));
    const spec = lowered(graph, reader);
    reader.inputs.forEach((v, i) => {
      if (v === '' || constantOf(graph, v)) return;
      const gains = known
        ? i === 0
          ? known
          : new Float64Array(channelsOf(graph, v))
        : sum(
            behind.map((b) => back(graph, reader, spec, i, b.value, b.gains)),
            channelsOf(graph, v),
          );
      const list = out.get(v) ?? [];
      list.push({ reader, gains });
      out.set(v, list);
    });
  }
  return out;
}

export function channelsOf(graph: Graph, v: string): number {
  return valueNamed(graph, v).type.shape.at(-1) ?? 1;
}

function sum(parts: readonly Gains[], length: number): Gains {
  const out = new Float64Array(length);
  for (const p of parts) for (let c = 0; c < length; c++) out[c]! += p[c]!;
  return out;
}

/** Gains of input i from those of an output of one node. */
function back(graph: Graph, node: Node, spec: KernelSpec | undefined, i: number, y: string, gains: Gains): Gains {
  const x = node.inputs[i]!;
  const [from, to] = [valueNamed(graph, x).type.shape, valueNamed(graph, y).type.shape];
  const channels = channelsOf(graph, x);
  const same = channels === gains.length;
  if (spec?.kind === 'map' && same) {
    // An operand that is broadcast makes the same error at many places.
    const places = Math.max(1, sizeOf(to) / sizeOf(from));
    return gains.map((g, c) => {
      const square = slope(graph, node, i, c) ** 2;
      // What is multiplied by 0 reaches nothing, not even an output.
      return square === 0 ? 0 : g * square * places;
    });
  }
  // Rows are divided by their deviation, which is not known here.
  if (spec?.kind === 'layernorm') return new Float64Array(channels).fill(Number.POSITIVE_INFINITY);
  if (spec?.kind === 'pool' && same) {
    const [kh, kw] = spec.kernel;
    return spec.fn === 'avg' ? gains.map((g) => g / (kh * kw)) : gains;
  }
  if (spec?.kind === 'reduce' && same && !spec.axes.includes(from.length - 1)) {
    const count = spec.axes.reduce((n, a) => n * from[a]!, 1);
    return gains.map((g) => (spec.fn === 'mean' ? g / count : g * count));
  }
  // Rows cut out of longer ones (a flattened image): every piece adds up.
  if (spec?.kind === 'view' && gains.length % channels === 0) {
    const out = new Float64Array(channels);
    for (let k = 0; k < gains.length; k++) out[k % channels]! += gains[k]!;
    return out;
  }
  if (spec?.kind === 'concat' && spec.axis === to.length - 1) {
    let at = 0;
    for (let k = 0; k < i; k++) at += channelsOf(graph, node.inputs[k]!);
    return gains.slice(at, at + channels);
  }
  if (same) return gains;
  const total = gains.reduce((a, g) => a + g, 0);
  return new Float64Array(channels).fill(total / channels);
}

/** Slope of an elementwise node in its operand i at channel c: exact where the other operand is a constant factor, else 1. */
function slope(graph: Graph, node: Node, i: number, c: number): number {
  if (node.op !== 'Mul' && !(node.op === 'Div' && i === 0)) return 1;
  const other = constantOf(graph, node.inputs[1 - i]!);
  if (!other || (other.data.length !== 1 && other.shape.at(-1) !== other.data.length)) return 1;
  const factor = Number(other.data[other.data.length === 1 ? 0 : c % other.data.length]!);
  return node.op === 'Mul' ? factor : 1 / factor;
}
