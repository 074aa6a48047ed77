import { sizeOf, type Tensor } from '../../util/tensor.ts';
import { consumersOf, type Graph, type Node, producersOf } from '../graph.ts';
import { f32, floats } from '../ops/lib/arrays.ts';
import { type Rewrite, rewrite } from './lib/rewrite.ts';

/**
 * Makes arithmetic with constants cheap: x / c becomes x * (1 / c), and two factors or two terms in a row become one. Results change by
 * rounding only.
 */
export function mergeConstants(graph: Graph): Graph {
  const producers = new Map<string, Node>(producersOf(graph));
  const consumers = consumersOf(graph);
  return rewrite(graph, (node, r) => {
    const product = node.op === 'Div' ? asProduct(node, r) : node;
    const side = constantSide(product, r);
    if (side === undefined) return false;
    const x = product.inputs[1 - side]!;
    const inner = producers.get(x);
    const alone = (consumers.get(x)?.length ?? 0) === 1 && !graph.outputs.includes(x);
    const merged = inner && alone && inner.op === product.op ? joined(product, side, inner, r) : undefined;
    const out = merged ?? product;
    if (out === node) return false;
    r.keep(out);
    for (const o of out.outputs) producers.set(o, out);
    return true;
  });
}

/** x / c as x * (1 / c); the node itself when c is not constant or has zeros. */
function asProduct(node: Node, r: Rewrite): Node {
  const c = r.data(node.inputs[1]!);
  if (c?.dtype !== 'f32' || floats(c).includes(0)) return node;
  const inverse = floats(c).map((v) => 1 / v);
  if (!inverse.every(Number.isFinite)) return node;
  return {
    ...node,
    op: 'Mul',
    inputs: [node.inputs[0]!, r.constant(`${node.inputs[1]!}.inverse`, f32(c.shape, inverse))],
  };
}

/** Which input of a Mul or Add is its only constant. */
function constantSide(node: Node, r: Rewrite): 0 | 1 | undefined {
  if (node.op !== 'Mul' && node.op !== 'Add') return undefined;
  const known = node.inputs.map((v) => r.data(v)?.dtype === 'f32');
  if (known[0] === known[1]) return undefined;
  return known[0] ? 0 : 1;
}

/** (x op c1) op c2 as x op (c1 op c2), when the joint constant is no larger than its parts. */
function joined(node: Node, side: 0 | 1, inner: Node, r: Rewrite): Node | undefined {
  const innerSide = constantSide(inner, r);
  if (innerSide === undefined) return undefined;
  const [a, b] = [r.data(node.inputs[side]!)!, r.data(inner.inputs[innerSide]!)!];
  const rank = Math.max(a.shape.length, b.shape.length);
  const largest = (p: Tensor, q: Tensor): boolean =>
    p.shape.length === rank &&
    p.data.length >= q.data.length &&
    (q.data.length === 1 || p.shape.join() === q.shape.join());
  if (!largest(a, b) && !largest(b, a)) return undefined;
  const [c] = r.emit(
    node.op,
    [node.inputs[side]!, inner.inputs[innerSide]!],
    {},
    { stem: `${node.inputs[side]!}.merged` },
  );
  const shape = r.type(inner.inputs[1 - innerSide]!).shape;
  if (sizeOf(shape) < sizeOf(r.type(node.outputs[0]!).shape)) return undefined;
  return { ...node, inputs: [inner.inputs[1 - innerSide]!, c!] };
}
