import { formatType, newArray, numberAt, sizeOf } from '../../util/tensor.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { around } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { axisOf, invalid, num, required } from './lib/check.ts';
import { emitReshape } from './reshape.ts';
import { emitSlice, wholeOf } from './slice.ts';

/** One known index of computed data is a slice without its axis: no kernel has to look it up. */
function importGather(node: OnnxNode): void {
  const shape = node.type(0)?.shape ?? node.reject('input 0 is missing');
  const axis = axisOf('Gather', node.int('axis', 0), shape.length);
  const indices = node.constant(1);
  if (!node.constant(0) && indices && indices.shape.length === 0) {
    const at = axisOf('Gather', numberAt(indices, 0), shape[axis]!);
    const windows = wholeOf(shape);
    windows[axis] = { start: at, size: 1, step: 1 };
    emitReshape(
      node,
      emitSlice(node, node.inputs[0]!, windows),
      shape.filter((_, i) => i !== axis),
      node.outputs,
    );
    return;
  }
  node.emit('Gather', node.inputs.slice(0, 2), { axis }, node.outputs);
}

export const gather: OpDef = {
  name: 'Gather',
  doc: 'numpy.take(data, indices, axis); inputs: data, indices (i64 or i32, negative ones count from the end).',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const data = required('Gather', inputs, 0);
    const indices = required('Gather', inputs, 1);
    const axis = num(attrs, 'axis');
    if (indices.dtype !== 'i64' && indices.dtype !== 'i32')
      invalid('Gather', `indices must be integers, not ${formatType(indices)}`);
    return [
      { dtype: data.dtype, shape: [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)] },
    ];
  },
  evaluate(inputs, attrs) {
    const data = inputs[0]!;
    const indices = inputs[1]!;
    const axis = num(attrs, 'axis');
    const { outer, size, inner } = around(data.shape, axis);
    const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
    const out = newArray(data.dtype, sizeOf(shape));
    const n = indices.data.length;
    for (let i = 0; i < n; i++) {
      const raw = numberAt(indices, i);
      const k = raw < 0 ? raw + size : raw;
      if (!(k >= 0 && k < size)) invalid('Gather', `index ${raw} is outside an axis of ${size}`);
      for (let o = 0; o < outer; o++) {
        const from = (o * size + k) * inner;
        out.set(data.data.subarray(from, from + inner) as never, (o * n + i) * inner);
      }
    }
    return [{ dtype: data.dtype, shape, data: out }];
  },
  lower: (_inputs, attrs) => ({ kind: 'gather', axis: num(attrs, 'axis') }),
  toOnnx: {
    write: (w) => w.emit('Gather', [w.input(0), w.input(1)], { axis: num(w.attrs, 'axis') }, [w.output()]),
  },
  onnx: { Gather: importGather },
  cases: [
    {
      name: 'embedding',
      inputs: [sample([11, 6]), sampleInts('i64', [2, 5], 0, 11)],
      attrs: { axis: 0 },
      constants: [0],
    },
    { name: 'negative', inputs: [sample([3, 5, 2]), sampleInts('i64', [4], -5, 5)], attrs: { axis: 1 } },
  ],
};
