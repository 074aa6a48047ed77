import { sameShape } from '../../util/tensor.ts';
import { type Graph, type Node, producersOf } from '../graph.ts';
import { reshaped } from '../ops/lib/arrays.ts';
import { isElementwise } from '../ops/lib/elementwise.ts';
import { type Rewrite, rewrite } from './lib/rewrite.ts';

/**
 * Moves Reshapes down through elementwise operators, so that an operator and the arithmetic on its result stay neighbours (1-D
 * convolutions are 2-D ones between Reshapes). Constants must be one value, or one per element of a last axis that both shapes share.
 */
export function sinkReshapes(graph: Graph): Graph {
  const producers = new Map<string, Node>(producersOf(graph));
  return rewrite(graph, (node, r) => {
    const from = isElementwise(node.op) ? sourceOf(node, producers, r) : undefined;
    if (!from) return false;
    const stem = `${node.outputs[0]!}.flat`;
    const [y] = r.emit(
      node.op,
      node.inputs.map((v) => from.get(v) ?? v),
      node.attrs,
      { name: node.name, stem },
    );
    const shape = graph.values.get(node.outputs[0]!)!.type.shape;
    r.emit('Reshape', [y!], { shape }, { outputs: node.outputs });
    producers.set(node.outputs[0]!, { name: '', op: 'Reshape', inputs: [y!], outputs: node.outputs, attrs: { shape } });
    return true;
  });
}

/** What every input becomes when the node runs on the shape before the Reshapes of its inputs; undefined when it cannot. */
function sourceOf(node: Node, producers: ReadonlyMap<string, Node>, r: Rewrite): Map<string, string> | undefined {
  const dynamic = node.inputs.filter((v) => !r.data(v));
  const sources = dynamic.map((v) => producers.get(v)).map((p) => (p?.op === 'Reshape' ? p.inputs[0]! : undefined));
  const first = sources[0];
  if (first === undefined || sources.some((s) => s === undefined || r.data(s))) return undefined;
  const before = r.type(first).shape;
  const after = r.type(dynamic[0]!).shape;
  const alike = dynamic.every(
    (v, i) => sameShape(r.type(v).shape, after) && sameShape(r.type(sources[i]!).shape, before),
  );
  if (!alike) return undefined;
  const out = new Map(dynamic.map((v, i) => [v, sources[i]!]));
  for (const v of node.inputs) {
    const t = r.data(v);
    if (!t) continue;
    if (t.data.length === 1) {
      out.set(v, t.shape.length <= before.length ? v : r.constant(v, reshaped(t, [])));
      continue;
    }
    const last = after.at(-1);
    const perLast =
      t.shape.length <= after.length && t.shape.at(-1) === last && t.data.length === last && before.at(-1) === last;
    if (!perLast) return undefined;
    out.set(v, r.constant(v, reshaped(t, [last!])));
  }
  return out;
}
