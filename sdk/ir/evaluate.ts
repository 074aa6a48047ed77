import { EigenError } from '../util/errors.ts';
import { formatType, sameShape, type Tensor } from '../util/tensor.ts';
import { type Graph, valueNamed } from './graph.ts';
import { opOf } from './ops/index.ts';

export interface EvaluateOptions {
  /** Called with every node output, in node order. */
  readonly onValue?: (name: string, value: Tensor) => void;
  /** Called after every node, with its index. */
  readonly onNode?: (index: number) => void;
}

/**
 * Runs a graph with the reference semantics of its operators, one node after the other: slow, plain, and what every engine is
 * compared with. Inputs by name, exactly the declared types (EW3202_DATA_INVALID otherwise); outputs by name.
 */
export function evaluateGraph(
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  options: EvaluateOptions = {},
): Record<string, Tensor> {
  const live = new Map<string, Tensor>();
  for (const name of graph.inputs) live.set(name, checkedInput(graph, name, inputs[name]));
  const lastUse = new Map<string, number>();
  graph.nodes.forEach((n, i) => {
    for (const v of n.inputs) lastUse.set(v, i);
  });
  const read = (name: string): Tensor | undefined => {
    if (name === '') return undefined;
    const value = live.get(name) ?? graph.values.get(name)?.data;
    if (!value) throw new Error(`graph ${graph.name}: value '${name}' is read before it is computed`);
    return value;
  };
  graph.nodes.forEach((node, i) => {
    const out = opOf(node.op).evaluate(node.inputs.map(read), node.attrs);
    node.outputs.forEach((name, k) => {
      if (name === '') return;
      live.set(name, out[k]!);
      options.onValue?.(name, out[k]!);
    });
    for (const v of node.inputs) if (lastUse.get(v) === i && !graph.outputs.includes(v)) live.delete(v);
    options.onNode?.(i);
  });
  return Object.fromEntries(graph.outputs.map((name) => [name, read(name)!]));
}

function checkedInput(graph: Graph, name: string, value: Tensor | undefined): Tensor {
  const { type } = valueNamed(graph, name);
  if (!value) {
    throw new EigenError('EW3202_DATA_INVALID', `input '${name}' is missing`, {
      hint: `The model needs ${graph.inputs.join(', ')}.`,
      details: { name },
    });
  }
  if (value.dtype !== type.dtype || !sameShape(value.shape, type.shape)) {
    throw new EigenError(
      'EW3202_DATA_INVALID',
      `input '${name}' is ${formatType(value)}; the model needs ${formatType(type)}`,
      {
        hint: 'Convert the array to that type and shape.',
        details: { name, shape: value.shape, expected: type.shape },
      },
    );
  }
  return value;
}
