import type { Graph } from '../graph.ts';
import { reshaped, transposed } from '../ops/lib/arrays.ts';
import { rewrite } from './lib/rewrite.ts';

/** MatMul with a constant matrix on the right becomes Linear, whose weights are [N, K]. */
export function linearize(graph: Graph): Graph {
  return rewrite(graph, (node, r) => {
    if (node.op !== 'MatMul' || node.attrs.transA) return false;
    const b = r.data(node.inputs[1]!);
    const a = r.type(node.inputs[0]!);
    if (
      !b ||
      r.data(node.inputs[0]!) ||
      b.shape.length > Math.max(a.shape.length, 2) ||
      b.shape.slice(0, -2).some((d) => d !== 1)
    )
      return false;
    const matrix = reshaped(b, b.shape.slice(-2));
    const w = r.constant(node.inputs[1]!, node.attrs.transB ? matrix : transposed(matrix, [1, 0]));
    r.emit('Linear', [node.inputs[0]!, w], {}, { name: node.name, outputs: node.outputs });
    return true;
  });
}
