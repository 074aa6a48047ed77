import { EigenError } from '../util/errors.ts';
import { formatType, sameShape, sizeOf } from '../util/tensor.ts';
import type { Graph, Node } from './graph.ts';
import { isOp, opOf } from './ops/index.ts';

function illegal(graph: Graph, reason: string): never {
  throw new EigenError('EW3002_MODEL_INVALID', `graph '${graph.name}': ${reason}`, {
    hint: 'If this graph came out of the SDK, it is a bug: please report it with the model.',
  });
}

/**
 * Checks that a graph is legal: known operators, nodes in topological order, one producer a value, unique node names, and the declared
 * types are those that inference gives. Throws EW3002_MODEL_INVALID naming the first fault.
 */
export function verifyGraph(graph: Graph): void {
  const defined = new Set<string>(graph.inputs);
  if (defined.size !== graph.inputs.length) illegal(graph, 'an input is listed twice');
  for (const [name, v] of graph.values) {
    if (name !== v.name) illegal(graph, `value '${name}' calls itself '${v.name}'`);
    if (!v.data) continue;
    if (
      v.data.dtype !== v.type.dtype ||
      !sameShape(v.data.shape, v.type.shape) ||
      v.data.data.length !== sizeOf(v.type.shape)
    ) {
      illegal(graph, `constant '${name}' is declared ${formatType(v.type)} and holds ${formatType(v.data)}`);
    }
    if (defined.has(name)) illegal(graph, `'${name}' is an input and a constant`);
    defined.add(name);
  }
  for (const name of graph.inputs) if (!graph.values.has(name)) illegal(graph, `input '${name}' has no type`);
  const names = new Set<string>();
  for (const node of graph.nodes) {
    if (names.has(node.name)) illegal(graph, `two nodes are named '${node.name}'`);
    names.add(node.name);
    verifyNode(graph, node, defined);
  }
  for (const name of graph.outputs) if (!defined.has(name)) illegal(graph, `output '${name}' is not computed`);
}

function verifyNode(graph: Graph, node: Node, defined: Set<string>): void {
  if (!isOp(node.op)) illegal(graph, `node '${node.name}' has unknown operator '${node.op}'`);
  for (const v of node.inputs)
    if (v !== '' && !defined.has(v)) illegal(graph, `node '${node.name}' reads '${v}' before it is computed`);
  const inferred = opOf(node.op).infer(
    node.inputs.map((v) => graph.values.get(v)?.type),
    node.attrs,
  );
  node.outputs.forEach((name, i) => {
    if (name === '') return;
    if (defined.has(name)) illegal(graph, `'${name}' is computed twice (again by node '${node.name}')`);
    defined.add(name);
    const declared = graph.values.get(name)?.type;
    const type = inferred[i];
    if (!declared || !type || declared.dtype !== type.dtype || !sameShape(declared.shape, type.shape)) {
      illegal(
        graph,
        `'${name}' is declared ${declared ? formatType(declared) : 'nothing'}, node '${node.name}' (${node.op}) gives ${type ? formatType(type) : 'nothing'}`,
      );
    }
  });
}
