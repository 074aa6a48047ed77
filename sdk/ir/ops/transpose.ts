import { formatType, stridesOf } from '../../util/tensor.ts';
import type { OpDef } from '../op.ts';
import { transposed } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { ints, invalid, required } from './lib/check.ts';

export const transpose: OpDef = {
  name: 'Transpose',
  doc: 'out axis d is input axis perm[d].',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const t = required('Transpose', inputs, 0);
    const perm = ints(attrs, 'perm');
    if (perm.length !== t.shape.length || [...perm].sort((a, b) => a - b).some((p, i) => p !== i)) {
      invalid('Transpose', `perm [${perm.join(',')}] does not permute the axes of ${formatType(t)}`);
    }
    return [{ dtype: t.dtype, shape: perm.map((p) => t.shape[p]!) }];
  },
  evaluate: (inputs, attrs) => [transposed(inputs[0]!, ints(attrs, 'perm'))],
  lower(inputs, attrs) {
    const strides = stridesOf(inputs[0]!.shape);
    return { kind: 'strided', offset: 0, strides: ints(attrs, 'perm').map((p) => strides[p]!) };
  },
  toOnnx: {
    write: (w) => w.emit('Transpose', [w.input(0)], { perm: ints(w.attrs, 'perm') }, [w.output()]),
  },
  onnx: {
    Transpose: (node) => {
      const rank = node.type(0)?.shape.length ?? node.reject('input 0 is missing');
      const reversed = Array.from({ length: rank }, (_, i) => rank - 1 - i);
      node.emit('Transpose', [node.inputs[0]!], { perm: [...(node.ints('perm') ?? reversed)] }, node.outputs);
    },
  },
  cases: [
    { name: 'matrix', inputs: [sample([5, 7])], attrs: { perm: [1, 0] } },
    { name: 'codes', inputs: [sampleInts('i16', [2, 3, 5, 7], -999, 999)], attrs: { perm: [0, 2, 3, 1] } },
    { name: 'NCHW to NHWC', inputs: [sample([2, 3, 5, 7])], attrs: { perm: [0, 2, 3, 1] } },
    { name: 'heads', inputs: [sample([2, 5, 3, 9])], attrs: { perm: [0, 2, 1, 3] } },
    { name: 'blocks', inputs: [sample([2, 37, 70])], attrs: { perm: [0, 2, 1] } },
    { name: 'blocks of bytes', inputs: [sampleInts('i8', [70, 83], -128, 127)], attrs: { perm: [1, 0] } },
    { name: 'blocks of codes', inputs: [sampleInts('i16', [3, 9, 5, 83], -999, 999)], attrs: { perm: [0, 3, 1, 2] } },
    { name: 'many matrices', inputs: [sample([20, 5, 6])], attrs: { perm: [0, 2, 1] } },
  ],
};
