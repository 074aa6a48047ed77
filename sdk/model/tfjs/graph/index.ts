import type { Graph } from '../../../ir/graph.ts';
import type { Tensor } from '../../../util/tensor.ts';
import type { Bindings } from '../../onnx/inputs.ts';
import { Emitter } from '../emitter.ts';
import { invalidJson, type Json, type JsonObject } from '../json.ts';
import { refuseUnsupported } from '../unsupported.ts';
import { dilatedConvolution } from './dilated.ts';
import { TfNode } from './node.ts';
import { TRANSLATIONS } from './ops/index.ts';
import { type Endpoint, type GraphNode, inOrder, neededNodes, readTopology } from './topology.ts';

export interface GraphModel {
  readonly graphDef: JsonObject;
  readonly signature: Json | undefined;
  readonly weights: ReadonlyMap<string, Tensor>;
}

/** Operators that have no translation because they are inputs or weights. */
const SOURCES: readonly string[] = ['Placeholder', 'Const', 'VariableV2', 'VarHandleOp'];

/** A graph model as a Graph. Throws what reading ONNX models does. */
export function readGraphModel({ graphDef, signature, weights }: GraphModel, name: string, bindings: Bindings): Graph {
  const topology = readTopology(graphDef, signature);
  const nodes = neededNodes(topology);
  const inputs = new Map(topology.inputs.map((i) => [i.node, i.name]));
  const isSource = (n: GraphNode): boolean => inputs.has(n.name) || (SOURCES.includes(n.op) && n.op !== 'Placeholder');
  refuseUnsupported(
    'operator',
    nodes.filter((n) => !isSource(n) && !TRANSLATIONS.has(n.op)).map((n) => ({ kind: n.op, name: n.name })),
  );
  if (topology.outputs.length === 0) throw invalidJson('the graph has no outputs');
  const e = new Emitter(name);
  e.begin(
    topology.inputs,
    topology.outputs.map((o) => o.name),
    bindings,
  );
  const values = new Map<string, readonly string[]>();
  const lookUp = ({ node, index }: Endpoint): string =>
    values.get(node)?.[index] ?? e.reject(`output ${index} of node '${node}' is not supported`);
  for (const node of inOrder(nodes)) {
    e.at({ kind: node.op, name: node.name });
    const input = inputs.get(node.name);
    if (input !== undefined) values.set(node.name, [input]);
    else if (isSource(node)) values.set(node.name, [constantOf(node, weights, e)]);
    else {
      const read = new TfNode(e, node, node.inputs.map(lookUp));
      const made = dilatedConvolution(node, { e, nodes: topology.nodes, lookUp }) ?? TRANSLATIONS.get(node.op)!(read);
      values.set(node.name, typeof made === 'string' ? [made] : made);
    }
  }
  return e.finish(topology.outputs.map((o) => [o.name, lookUp(o.from)]));
}

function constantOf(node: GraphNode, weights: ReadonlyMap<string, Tensor>, e: Emitter): string {
  const value = weights.get(node.name);
  if (value) return e.constant(value, node.name);
  return e.reject(`the weights hold no numbers for it (type ${node.attrs.type('dtype') ?? 'unknown'})`);
}
