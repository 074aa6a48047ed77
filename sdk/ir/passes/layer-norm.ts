import { numberAt, sameShape } from '../../util/tensor.ts';
import { constantOf, consumersOf, type Graph, type Node, producersOf, valueNamed } from '../graph.ts';
import { reshaped } from '../ops/lib/arrays.ts';
import { rewrite } from './lib/rewrite.ts';

interface Match {
  readonly x: string;
  readonly axis: number;
  readonly epsilon: number;
  readonly rms: boolean;
}

/**
 * Recognises layer normalization written out, (x - mean) / sqrt(mean((x - mean)^2) + epsilon), and its form without the mean (RMS), and
 * takes the scale and bias that follow into it.
 */
export function fuseLayerNorm(graph: Graph): Graph {
  const producers = producersOf(graph);
  const matched = rewrite(graph, (node, r) => {
    const m = matchNorm(graph, producers, node);
    if (!m) return false;
    r.emit(
      'LayerNormalization',
      [m.x],
      { axis: m.axis, epsilon: m.epsilon, rms: m.rms },
      { name: node.name, outputs: node.outputs },
    );
    return true;
  });
  return absorb(absorb(matched, 'Mul', 1), 'Add', 2);
}

function matchNorm(graph: Graph, producers: ReadonlyMap<string, Node>, node: Node): Match | undefined {
  const by = (value: string | undefined, op: string): Node | undefined => {
    const p = producers.get(value ?? '');
    return p?.op === op ? p : undefined;
  };
  const quotient = divisionBySqrt(node, by);
  if (!quotient) return undefined;
  const sum = by(quotient.radicand, 'Add');
  if (!sum) return undefined;
  const epsilonAt = [1, 0].find((i) => constantOf(graph, sum.inputs[i]!)?.data.length === 1);
  if (epsilonAt === undefined) return undefined;
  const mean = by(sum.inputs[1 - epsilonAt], 'Reduce');
  const axis = mean && trailingAxis(graph, mean);
  if (!mean || axis === undefined) return undefined;
  const square = by(mean.inputs[0], 'Mul');
  const { numerator } = quotient;
  if (square?.inputs[0] !== numerator || square.inputs[1] !== numerator) return undefined;
  const epsilon = numberAt(constantOf(graph, sum.inputs[epsilonAt]!)!, 0);
  const centred = by(numerator, 'Sub');
  const average = centred && by(centred.inputs[1], 'Reduce');
  if (centred && average && average.inputs[0] === centred.inputs[0] && trailingAxis(graph, average) === axis) {
    return { x: centred.inputs[0]!, axis, epsilon, rms: false };
  }
  return { x: numerator, axis, epsilon, rms: true };
}

/** a / sqrt(b), or a * (1 / sqrt(b)) either way round. */
function divisionBySqrt(
  node: Node,
  by: (v: string | undefined, op: string) => Node | undefined,
): { numerator: string; radicand: string } | undefined {
  if (node.op === 'Div') {
    const root = by(node.inputs[1], 'Sqrt');
    return root && { numerator: node.inputs[0]!, radicand: root.inputs[0]! };
  }
  if (node.op !== 'Mul') return undefined;
  for (const i of [0, 1]) {
    const inverse = by(node.inputs[i], 'Reciprocal');
    const root = inverse && by(inverse.inputs[0], 'Sqrt');
    if (root) return { numerator: node.inputs[1 - i]!, radicand: root.inputs[0]! };
  }
  return undefined;
}

/** First of the axes a mean runs over, when they are the last ones and are kept. */
function trailingAxis(graph: Graph, mean: Node): number | undefined {
  const rank = valueNamed(graph, mean.inputs[0]!).type.shape.length;
  const axes = mean.attrs.axes as readonly number[];
  if (mean.attrs.fn !== 'mean' || !mean.attrs.keepdims) return undefined;
  return axes.every((a, i) => a === rank - axes.length + i) ? rank - axes.length : undefined;
}

/** Takes the constant factor (slot 1) or term (slot 2) of the normalised axes' shape that alone follows a normalization. */
function absorb(graph: Graph, op: 'Mul' | 'Add', slot: 1 | 2): Graph {
  const consumers = consumersOf(graph);
  const producers = producersOf(graph);
  const partnerOf = (norm: Node): Node | undefined => {
    const value = norm.outputs[0]!;
    const next = consumers.get(value) ?? [];
    if (graph.outputs.includes(value) || next.length !== 1 || next[0]!.op !== op || norm.inputs[slot]) return undefined;
    return parameterOf(graph, norm, next[0]!) ? next[0] : undefined;
  };
  return rewrite(graph, (node, r) => {
    if (node.op === 'LayerNormalization') {
      const next = partnerOf(node);
      if (!next) return false;
      const { name, shape } = parameterOf(graph, node, next)!;
      const p = r.constant(name, reshaped(constantOf(graph, name)!, shape));
      const inputs = [
        node.inputs[0]!,
        slot === 1 ? p : (node.inputs[1] ?? ''),
        slot === 2 ? p : (node.inputs[2] ?? ''),
      ];
      while (inputs.at(-1) === '') inputs.pop();
      r.emit(node.op, inputs, node.attrs, { name: node.name, outputs: next.outputs });
      return true;
    }
    if (node.op !== op) return false;
    const norm = node.inputs.map((v) => producers.get(v)).find((p) => p?.op === 'LayerNormalization');
    return norm !== undefined && partnerOf(norm) === node;
  });
}

function parameterOf(graph: Graph, norm: Node, next: Node): { name: string; shape: number[] } | undefined {
  const name = next.inputs[next.inputs[0] === norm.outputs[0] ? 1 : 0]!;
  const t = constantOf(graph, name);
  const shape = valueNamed(graph, norm.inputs[0]!).type.shape.slice(norm.attrs.axis as number);
  if (!t) return undefined;
  const lead = t.shape.length - shape.length;
  if (lead < 0 || t.shape.slice(0, lead).some((d) => d !== 1) || !sameShape(t.shape.slice(lead), shape))
    return undefined;
  return { name, shape };
}
