import type { OnnxImporter, OnnxNode } from '../../frontend.ts';

/** Imports an operator of any number of inputs as a chain of one of two. */
export function chain(op: string): OnnxImporter {
  return (node) => {
    chainInto(node, op, node.outputs);
  };
}

/** a op b op c ..., returning the name of the result. */
export function chainInto(node: OnnxNode, op: string, outputs?: readonly string[]): string {
  const [first, ...rest] = node.inputs;
  if (first === undefined) node.reject('needs at least one input');
  if (rest.length === 0) return node.emit('Identity', [first], {}, outputs)[0]!;
  let acc = first;
  rest.forEach((input, i) => {
    acc = node.emit(op, [acc, input], {}, i === rest.length - 1 ? outputs : undefined)[0]!;
  });
  return acc;
}
