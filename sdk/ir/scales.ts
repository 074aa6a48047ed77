import { constantOf, type Graph, type Node } from './graph.ts';

/** Operators that move or join codes and leave them what they are. */
export const MOVES: ReadonlySet<string> = new Set(['Concat', 'Slice', 'Reshape', 'Transpose']);

/**
 * What inputs and outputs that are codes stand for: a value is its code times the scale. Found where codes are made or decoded, and
 * carried along to where they are moved or joined. Absent where codes are no multiples of one number.
 */
export function interfaceScales(graph: Graph): ReadonlyMap<string, number> {
  const scales = new Map<string, number>();
  const note = (value: string, scale: number | undefined): void => {
    if (scale !== undefined && !scales.has(value)) scales.set(value, scale);
  };
  for (const node of graph.nodes) {
    if (node.op === 'Quantize') note(node.outputs[0]!, scaleOf(graph, node));
    else if (MOVES.has(node.op)) for (const v of node.inputs) note(node.outputs[0]!, scales.get(v));
  }
  for (const node of graph.nodes.toReversed()) {
    if (node.op === 'Dequantize') note(node.inputs[0]!, scaleOf(graph, node));
    else if (MOVES.has(node.op)) for (const v of node.inputs) note(v, scales.get(node.outputs[0]!));
  }
  const ends = [...graph.inputs, ...graph.outputs].filter((name) => scales.has(name));
  return new Map(ends.map((name) => [name, scales.get(name)!]));
}

function scaleOf(graph: Graph, node: Node): number | undefined {
  const [inv, zero] = [constantOf(graph, node.inputs[1]!), constantOf(graph, node.inputs[2]!)];
  if (inv?.data.length !== 1 || zero?.data.some((z) => Number(z) !== 0) !== false) return undefined;
  return Math.fround(1 / Number(inv.data[0]));
}
