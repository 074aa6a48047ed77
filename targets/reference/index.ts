import type { ReferenceTarget } from '../../sdk/compile/target.ts';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import { type Graph, valueNamed } from '../../sdk/ir/graph.ts';
import { byteLength } from '../../sdk/util/tensor.ts';

/** The operators' own definitions, one node after the other: slow, plain, needs nothing, and is what every engine is compared with. */
export const referenceTarget: ReferenceTarget = {
  id: 'reference',
  summary:
    'the definitions of the operators, interpreted: slow, runs everywhere, what every other target is compared with',
  load: (graph) => ({
    modelBytes: memoryOf(graph),
    run: (inputs, ended) => evaluateGraph(graph, inputs, ended ? { onNode: ended } : {}),
  }),
};

/** Constants and the most that is live at a time, bytes; the interpreter keeps a value until its last reader has run. */
function memoryOf(graph: Graph): number {
  const size = (name: string): number => byteLength(valueNamed(graph, name).type);
  const last = new Map<string, number>();
  graph.nodes.forEach((n, i) => {
    for (const name of n.inputs) last.set(name, i);
  });
  let constants = 0;
  for (const v of graph.values.values()) if (v.data) constants += byteLength(v.type);
  let live = graph.inputs.reduce((sum, name) => sum + size(name), 0);
  let most = live;
  graph.nodes.forEach((n, i) => {
    for (const name of n.outputs) if (name !== '') live += size(name);
    most = Math.max(most, live);
    const done = new Set([...n.inputs, ...n.outputs].filter((name) => name !== '' && (last.get(name) ?? i) === i));
    for (const name of done) if (!valueNamed(graph, name).data && !graph.outputs.includes(name)) live -= size(name);
  });
  return constants + most;
}
