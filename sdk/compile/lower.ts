import type { Graph, Node } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import type { KernelKind, KernelOf, KernelSpec } from '../ir/kernel.ts';
import { opOf } from '../ir/ops/index.ts';
import { EigenError } from '../util/errors.ts';

/** A graph node with the loop nest it stands for. */
export interface Lowered<S extends KernelSpec = KernelSpec> {
  readonly node: Node;
  readonly spec: S;
}

export function isKind<K extends KernelKind>(l: Lowered, kind: K): l is Lowered<KernelOf<K>> {
  return l.spec.kind === kind;
}

/** Every node of a normalized graph as a kernel class, in graph order. */
export function lowerGraph(graph: Graph): Lowered[] {
  const known = graph.outputs.find((v) => valueNamed(graph, v).data);
  if (known !== undefined)
    throw new EigenError('EW3103_OP_INVALID', `output '${known}' is the same for all inputs`, {
      hint: 'Leave it out of the outputs of the model: nothing has to be computed for it.',
      details: { output: known },
    });
  return graph.nodes.map((node) => {
    const def = opOf(node.op);
    const inputs = node.inputs.map((v) => (v === '' ? undefined : valueNamed(graph, v).type));
    const outputs = node.outputs.map((v) =>
      v === '' ? { dtype: 'f32' as const, shape: [] } : valueNamed(graph, v).type,
    );
    if (!def.lower) {
      throw new EigenError(
        'EW3102_OP_UNSUPPORTED',
        `node '${node.name}': ${node.op} has no kernel; its inputs must be constants of the model`,
        {
          hint: 'Export the model with fixed shapes, or bind the input it depends on with --dim or --set.',
          details: { node: node.name, op: node.op },
        },
      );
    }
    return { node, spec: def.lower(inputs, node.attrs, outputs) };
  });
}
