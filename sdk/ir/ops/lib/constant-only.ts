import type { Tensor } from '../../../util/tensor.ts';
import type { OnnxImporter, OnnxNode } from '../../frontend.ts';

/** Imports a node that is computed here and now: all its inputs must be known when the model is read. */
export function foldOnly(compute: (inputs: Tensor[], node: OnnxNode) => Tensor): OnnxImporter {
  return (node) => {
    const inputs = node.inputs.flatMap((v, i) => (v === '' ? [] : [node.need(i, `input ${i}`)]));
    node.emit('Identity', [node.constantValue(compute(inputs, node))], {}, node.outputs.slice(0, 1));
  };
}
