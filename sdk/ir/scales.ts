import { constantOf, type Graph, type Node, producersOf } from './graph.ts';

/** Operators that move or pick codes and leave them what they are. */
const MOVES: ReadonlySet<string> = new Set(['Concat', 'Slice', 'Reshape', 'Transpose']);

/**
 * What inputs and outputs that are codes stand for: a value is its code times the scale. Inputs have the scale that they are decoded
 * with, outputs that of the codes they are made from. Absent where codes are no multiples of one number.
 */
export function interfaceScales(graph: Graph): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  const producers = producersOf(graph);
  for (const name of graph.inputs) {
    const reader = graph.nodes.find((n) => n.op === 'Dequantize' && n.inputs[0] === name);
    const scale = reader && scaleOf(graph, reader);
    if (scale !== undefined) out.set(name, scale);
  }
  for (const name of graph.outputs) {
    let from = name;
    while (MOVES.has(producers.get(from)?.op ?? '')) from = producers.get(from)!.inputs[0]!;
    const maker = producers.get(from);
    const scale = maker?.op === 'Quantize' ? scaleOf(graph, maker) : out.get(from);
    if (scale !== undefined && !out.has(name)) out.set(name, scale);
  }
  return out;
}

function scaleOf(graph: Graph, node: Node): number | undefined {
  const [inv, zero] = [constantOf(graph, node.inputs[1]!), constantOf(graph, node.inputs[2]!)];
  if (inv?.data.length !== 1 || zero?.data.some((z) => Number(z) !== 0) !== false) return undefined;
  return Math.fround(1 / Number(inv.data[0]));
}
