import { consumersOf, type Graph, type Node, valueNamed } from '../ir/graph.ts';
import { opOf } from '../ir/ops/index.ts';
import { sameShape } from '../util/tensor.ts';
import type { Layer } from './layers.ts';

/** Operators whose kernels hand their results over in blocks of channels: a scale a row is not known there, a fixed one is. */
const PRODUCTS: ReadonlySet<string> = new Set(['Linear', 'MatMul', 'Conv']);

/**
 * Linear layers that read what only products make, or elementwise operators on them, and that only linear layers read: with a
 * fixed scale the product's kernel writes codes, and the floats are never in memory. A single row is not worth it.
 */
export function fixedInputs(graph: Graph, layers: readonly Layer[]): ReadonlySet<Layer> {
  const producers = new Map<string, Node>();
  for (const n of graph.nodes) for (const o of n.outputs) producers.set(o, n);
  const consumers = consumersOf(graph);
  const linear = new Map(layers.filter((l) => l.kind === 'linear').map((l) => [l.node!, l]));
  const readByLinear = (v: string): boolean =>
    !graph.outputs.includes(v) && consumers.get(v)!.every((n) => linear.get(n)?.input === v);
  const madeByProduct = (v: string): boolean => {
    const node = producers.get(v);
    if (!node) return false;
    if (PRODUCTS.has(node.op)) return true;
    const { type } = valueNamed(graph, v);
    return isElementwise(graph, node) && node.inputs.some((x) => alike(graph, x, type.shape) && madeByProduct(x));
  };
  const rows = [...linear.values()].filter((l) => l.positions > 1);
  return new Set(rows.filter((l) => readByLinear(l.input) && madeByProduct(l.input)));
}

function isElementwise(graph: Graph, node: Node): boolean {
  const inputs = node.inputs.map((v) => (v === '' ? undefined : valueNamed(graph, v).type));
  const outputs = node.outputs.map((v) => valueNamed(graph, v).type);
  return node.outputs.length === 1 && opOf(node.op).lower?.(inputs, node.attrs, outputs).kind === 'map';
}

function alike(graph: Graph, value: string, shape: readonly number[]): boolean {
  const v = value === '' ? undefined : graph.values.get(value);
  return v !== undefined && v.data === undefined && sameShape(v.type.shape, shape);
}
