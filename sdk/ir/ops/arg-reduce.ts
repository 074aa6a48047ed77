import { newArray, numberAt, sizeOf } from '../../util/tensor.ts';
import type { OnnxImporter } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { around } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { axisOf, flag, num, required, str } from './lib/check.ts';

const importArg =
  (fn: 'max' | 'min'): OnnxImporter =>
  (node) => {
    const axis = axisOf(node.opType, node.int('axis', 0), node.type(0)?.shape.length ?? 0);
    const attrs = {
      fn,
      axis,
      keepdims: node.int('keepdims', 1) === 1,
      lastIndex: node.int('select_last_index', 0) === 1,
    };
    node.emit('ArgReduce', [node.inputs[0]!], attrs, node.outputs);
  };

export const argReduce: OpDef = {
  name: 'ArgReduce',
  doc: 'Index (i64) of the largest (fn max) or smallest (min) element along `axis`; ties take the first, or the last with lastIndex.',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const { shape } = required('ArgReduce', inputs, 0);
    const axis = num(attrs, 'axis');
    return [
      { dtype: 'i64', shape: shape.flatMap((d, i) => (i === axis ? (flag(attrs, 'keepdims') ? [1] : []) : [d])) },
    ];
  },
  evaluate(inputs, attrs) {
    const t = inputs[0]!;
    const axis = num(attrs, 'axis');
    const { outer, size, inner } = around(t.shape, axis);
    const shape = t.shape.flatMap((d, i) => (i === axis ? (flag(attrs, 'keepdims') ? [1] : []) : [d]));
    const sign = str(attrs, 'fn') === 'max' ? 1 : -1;
    const last = flag(attrs, 'lastIndex');
    const out = newArray('i64', sizeOf(shape));
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let best = 0;
        for (let k = 1; k < size; k++) {
          const d = sign * (numberAt(t, (o * size + k) * inner + i) - numberAt(t, (o * size + best) * inner + i));
          if (d > 0 || (d === 0 && last)) best = k;
        }
        out[o * inner + i] = BigInt(best);
      }
    }
    return [{ dtype: 'i64', shape, data: out }];
  },
  lower: (_inputs, attrs) => ({
    kind: 'argreduce',
    axis: num(attrs, 'axis'),
    fn: str(attrs, 'fn') as 'max' | 'min',
    lastIndex: flag(attrs, 'lastIndex'),
  }),
  toOnnx: {
    write(w) {
      const { fn, axis, keepdims, lastIndex } = w.attrs;
      const attrs = { axis: axis as number, keepdims: keepdims ? 1 : 0, select_last_index: lastIndex ? 1 : 0 };
      w.emit(fn === 'max' ? 'ArgMax' : 'ArgMin', [w.input(0)], attrs, [w.output()]);
    },
  },
  onnx: { ArgMax: importArg('max'), ArgMin: importArg('min') },
  cases: [
    { name: 'last axis', inputs: [sample([3, 7])], attrs: { fn: 'max', axis: 1, keepdims: false, lastIndex: false } },
    {
      name: 'middle axis',
      inputs: [sample([2, 5, 3])],
      attrs: { fn: 'min', axis: 1, keepdims: true, lastIndex: false },
    },
  ],
};
