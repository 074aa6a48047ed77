import type { OnnxImporter } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { sample } from './lib/cases.ts';
import { required } from './lib/check.ts';

const pass: OnnxImporter = (node) => {
  // Dropout's mask output is used in training only; a model that reads it is refused by the missing value.
  node.emit('Identity', [node.inputs[0]!], {}, node.outputs.slice(0, 1));
};

export const identity: OpDef = {
  name: 'Identity',
  doc: 'The input, unchanged.',
  tolerance: 'exact',
  infer: (inputs) => [required('Identity', inputs, 0)],
  evaluate: (inputs) => [inputs[0]!],
  lower: () => ({ kind: 'view' }),
  toOnnx: { order: 'any', write: (w) => w.define(0, w.input(0)) },
  onnx: { Identity: pass, Dropout: pass },
  cases: [{ name: '3x5', inputs: [sample([3, 5])], attrs: {} }],
};
