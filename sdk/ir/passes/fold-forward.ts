import type { Tensor } from '../../util/tensor.ts';
import { constantOf, consumersOf, type Graph, type Node, producersOf, valueNamed } from '../graph.ts';
import { f32, floats } from '../ops/lib/arrays.ts';
import { rewrite } from './lib/rewrite.ts';

/**
 * Folds a factor per input channel into the weights of the NHWC convolution or linear layer that alone reads the product, and a term
 * per input channel into its bias when no padding stands between (padding is 0 after the addition, not before). Exact but for rounding.
 */
export function foldForward(graph: Graph): Graph {
  const producers = producersOf(graph);
  const consumers = consumersOf(graph);
  return rewrite(graph, (node, r) => {
    const w = node.op === 'Conv' || node.op === 'Linear' ? constantOf(graph, node.inputs[1]!) : undefined;
    const before = producers.get(node.inputs[0]!);
    const alone = consumers.get(node.inputs[0]!)?.length === 1 && !graph.outputs.includes(node.inputs[0]!);
    if (
      !w ||
      !before ||
      !alone ||
      node.attrs.layout === 'nchw' ||
      (node.inputs[2] && !constantOf(graph, node.inputs[2]))
    )
      return false;
    const affine = channelConstant(graph, before);
    if (!affine) return false;
    const groups = (node.attrs.groups as number | undefined) ?? 1;
    if (before.op === 'Mul') {
      const scaled = r.constant(node.inputs[1]!, scaleInputs(w, affine.c, groups));
      r.emit(node.op, [affine.x, scaled, ...node.inputs.slice(2)], node.attrs, {
        name: node.name,
        outputs: node.outputs,
      });
      return true;
    }
    const padded = ((node.attrs.pads as readonly number[] | undefined) ?? []).some((p) => p !== 0);
    if (before.op !== 'Add' || padded) return false;
    const bias = constantOf(graph, node.inputs[2] ?? '');
    const b = r.constant(node.inputs[2] || `${node.inputs[1]!}.bias`, shiftedBias(w, affine.c, groups, bias));
    r.emit(node.op, [affine.x, node.inputs[1]!, b], node.attrs, { name: node.name, outputs: node.outputs });
    return true;
  });
}

/** The data input and the constant, one value or one per last-axis channel, of x * c or x + c. */
function channelConstant(graph: Graph, node: Node): { x: string; c: Float32Array } | undefined {
  if (node.op !== 'Mul' && node.op !== 'Add') return undefined;
  const side = [1, 0].find((i) => constantOf(graph, node.inputs[i]!));
  if (side === undefined) return undefined;
  const c = constantOf(graph, node.inputs[side]!)!;
  const { shape } = valueNamed(graph, node.outputs[0]!).type;
  const x = node.inputs[1 - side]!;
  const channels = shape.at(-1);
  const same = valueNamed(graph, x).type.shape.join() === shape.join();
  if (!same || !(c.data.length === 1 || (c.data.length === channels && c.shape.at(-1) === channels))) return undefined;
  return { x, c: floats(c) };
}

/** Calls `visit` with every weight's index, its output channel and its input channel; weights are [O, ..., C/groups]. */
function eachWeight(w: Tensor, groups: number, visit: (i: number, out: number, input: number) => void): void {
  const outputs = w.shape[0]!;
  const perGroup = w.shape.at(-1)!;
  const row = w.data.length / outputs;
  for (let i = 0; i < w.data.length; i++) {
    const o = Math.floor(i / row);
    visit(i, o, Math.floor((o * groups) / outputs) * perGroup + (i % perGroup));
  }
}

function scaleInputs(w: Tensor, c: Float32Array, groups: number): Tensor {
  const data = floats(w);
  const out = new Float32Array(data.length);
  eachWeight(w, groups, (i, _o, k) => {
    out[i] = data[i]! * c[c.length === 1 ? 0 : k]!;
  });
  return f32(w.shape, out);
}

function shiftedBias(w: Tensor, c: Float32Array, groups: number, bias: Tensor | undefined): Tensor {
  const data = floats(w);
  const sums = Float64Array.from({ length: w.shape[0]! }, (_, o) => (bias ? floats(bias)[o]! : 0));
  eachWeight(w, groups, (i, o, k) => {
    sums[o]! += data[i]! * c[c.length === 1 ? 0 : k]!;
  });
  return f32([sums.length], sums);
}
