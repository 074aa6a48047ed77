import { sizeOf } from '../../util/tensor.ts';
import { constantOf, consumersOf, type Graph, type Node, producersOf, valueNamed } from '../graph.ts';
import { inverse, reshaped, transposed } from '../ops/lib/arrays.ts';
import { rewrite } from './lib/rewrite.ts';

/**
 * Takes transpositions into the operators that read them: a flattened image into the columns of a Linear's weights, swapped rows
 * and columns into MatMul's transA and transB.
 */
export function absorbTransposes(graph: Graph): Graph {
  return absorbIntoMatMul(absorbIntoLinear(graph));
}

function absorbIntoLinear(graph: Graph): Graph {
  const producers = producersOf(graph);
  const consumers = consumersOf(graph);
  return rewrite(graph, (node, r) => {
    if (node.op !== 'Linear') return false;
    const flat = producers.get(node.inputs[0]!);
    const turn = flat?.op === 'Reshape' ? producers.get(flat.inputs[0]!) : undefined;
    const w = constantOf(graph, node.inputs[1]!);
    if (!flat || turn?.op !== 'Transpose' || !w || (consumers.get(node.inputs[1]!)?.length ?? 0) !== 1) return false;
    const tail = flattenedTail(graph, flat, turn);
    if (!tail) return false;
    // Column k of w belongs to position k of the transposed order; lay the columns out in the order before it.
    const back = inverse(tail.perm);
    const spread = reshaped(w, [w.shape[0]!, ...tail.perm.map((p) => tail.shape[p]!)]);
    const columns = reshaped(transposed(spread, [0, ...back.map((p) => p + 1)]), w.shape);
    const x = r.emit('Reshape', [turn.inputs[0]!], { shape: flat.attrs.shape! })[0]!;
    r.emit(
      'Linear',
      [x, r.constant(node.inputs[1]!, columns), ...node.inputs.slice(2)],
      {},
      { name: node.name, outputs: node.outputs },
    );
    return true;
  });
}

/** Axes that a Reshape after a Transpose flattens into the last one, when the Transpose leaves all axes before them in place. */
function flattenedTail(graph: Graph, flat: Node, turn: Node): { shape: number[]; perm: number[] } | undefined {
  const base = valueNamed(graph, turn.inputs[0]!).type.shape;
  const perm = turn.attrs.perm as readonly number[];
  const k = (flat.attrs.shape as readonly number[]).at(-1);
  const start = perm.findIndex((p, i) => p !== i);
  if (start < 0) return undefined;
  for (let from = start; from >= 0; from--) {
    const shape = base.slice(from);
    if (sizeOf(shape) === k) return { shape, perm: perm.slice(from).map((p) => p - from) };
  }
  return undefined;
}

function absorbIntoMatMul(graph: Graph): Graph {
  const producers = producersOf(graph);
  return rewrite(graph, (node, r) => {
    if (node.op !== 'MatMul') return false;
    const sides = [0, 1].map((i) => swapped(graph, producers.get(node.inputs[i]!)));
    if (!sides[0] && !sides[1]) return false;
    const inputs = node.inputs.map((v, i) => {
      const s = sides[i];
      if (!s) return v;
      return s.perm.every((p, d) => p === d) ? s.from : r.emit('Transpose', [s.from], { perm: s.perm })[0]!;
    });
    const attrs = {
      transA: node.attrs.transA !== (sides[0] !== undefined),
      transB: node.attrs.transB !== (sides[1] !== undefined),
    };
    r.emit('MatMul', inputs, attrs, { name: node.name, outputs: node.outputs });
    return true;
  });
}

/** A transposition with its last two axes exchanged, when that leaves the innermost axis in place (rows are copied whole, or not at all). */
function swapped(graph: Graph, node: Node | undefined): { from: string; perm: number[] } | undefined {
  if (node?.op !== 'Transpose') return undefined;
  const perm = [...(node.attrs.perm as readonly number[])];
  const n = perm.length;
  const innermost = valueNamed(graph, node.inputs[0]!).type.shape.findLastIndex((d) => d !== 1);
  if (n < 2 || innermost < 0 || perm[n - 2] !== innermost) return undefined;
  [perm[n - 2], perm[n - 1]] = [perm[n - 1]!, perm[n - 2]!];
  return { from: node.inputs[0]!, perm };
}
