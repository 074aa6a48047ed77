import { formatType, newArray, sizeOf } from '../../util/tensor.ts';
import type { OpDef, Types } from '../op.ts';
import { around } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { axisOf, invalid, num, required } from './lib/check.ts';

export const concat: OpDef = {
  name: 'Concat',
  doc: 'Inputs one after the other along `axis`.',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const first = required('Concat', inputs, 0);
    const axis = num(attrs, 'axis');
    const types = inputs.map((_, i) => required('Concat', inputs, i));
    for (const t of types) {
      const fits = t.shape.length === first.shape.length && t.shape.every((d, i) => i === axis || d === first.shape[i]);
      if (!fits || t.dtype !== first.dtype)
        invalid('Concat', `${types.map(formatType).join(', ')} cannot be joined along axis ${axis}`);
    }
    return [{ dtype: first.dtype, shape: first.shape.map((d, i) => (i === axis ? totalOf(types, axis) : d)) }];
  },
  evaluate(inputs, attrs) {
    const axis = num(attrs, 'axis');
    const first = inputs[0]!;
    const shape = first.shape.map((d, i) => (i === axis ? totalOf(inputs, axis) : d));
    const data = newArray(first.dtype, sizeOf(shape));
    const { outer } = around(shape, axis);
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const t of inputs) {
        const run = t!.data.length / outer;
        data.set(t!.data.subarray(o * run, (o + 1) * run) as never, at);
        at += run;
      }
    }
    return [{ dtype: first.dtype, shape, data }];
  },
  lower: (_inputs, attrs) => ({ kind: 'concat', axis: num(attrs, 'axis') }),
  toOnnx: {
    order: 'any',
    write: (w) => w.emit('Concat', w.inputs(), { axis: w.axis(num(w.attrs, 'axis')) }, [w.output()]),
  },
  onnx: {
    Concat: (node) => {
      const axis = axisOf('Concat', node.int('axis', 1), node.type(0)?.shape.length ?? 0);
      node.emit('Concat', node.inputs, { axis }, node.outputs);
    },
  },
  cases: [
    { name: 'channels', inputs: [sample([2, 3, 3, 5]), sample([2, 3, 3, 7], 2)], attrs: { axis: 3 } },
    {
      name: 'codes',
      inputs: [sampleInts('i8', [1, 3, 3, 5], -128, 128), sampleInts('i8', [1, 3, 3, 4], -128, 128, 2)],
      attrs: { axis: 3 },
    },
    { name: 'first axis', inputs: [sample([1, 5]), sample([2, 5], 2), sample([3, 5], 3)], attrs: { axis: 0 } },
  ],
};

function totalOf(types: Types, axis: number): number {
  return types.reduce((a, t) => a + t!.shape[axis]!, 0);
}
