import { formatType, sizeOf, type Tensor } from '../../util/tensor.ts';
import type { OpDef } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { expectShape, floatInput, invalid, required } from './lib/check.ts';
import { codedRows, remainingScales } from './lib/coded-rows.ts';

const f = Math.fround;

export const qlinear: OpDef = {
  name: 'QLinear',
  doc: 'f32(sum(x * w)) * xs[row] * ws[n] + bias[n]; inputs: x i8 [..., K], xs f32 [...], w i8 [N, K], ws f32 [N], bias f32 [N].',
  tolerance: 'exact',
  infer(inputs) {
    const x = required('QLinear', inputs, 0);
    const w = required('QLinear', inputs, 2);
    const [n, k] = w.shape as [number, number];
    if (x.dtype !== 'i8' || w.dtype !== 'i8' || w.shape.length !== 2 || x.shape.at(-1) !== k)
      invalid('QLinear', `${formatType(w)} does not match ${formatType(x)}`);
    expectShape('QLinear', 'xs', floatInput('QLinear', inputs, 1), x.shape.slice(0, -1));
    expectShape('QLinear', 'ws', floatInput('QLinear', inputs, 3), [n]);
    expectShape('QLinear', 'bias', floatInput('QLinear', inputs, 4), [n]);
    return [{ dtype: 'f32', shape: [...x.shape.slice(0, -1), n] }];
  },
  evaluate(inputs) {
    const [x, w] = [inputs[0]!.data as Int8Array, inputs[2]!.data as Int8Array];
    const [xs, ws, bias] = [floats(inputs[1]), floats(inputs[3]), floats(inputs[4])];
    const [n, k] = inputs[2]!.shape as [number, number];
    const shape = [...inputs[0]!.shape.slice(0, -1), n];
    const out = new Float32Array(sizeOf(shape));
    for (let r = 0; r < xs.length; r++) {
      for (let o = 0; o < n; o++) {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += x[r * k + i]! * w[o * k + i]!;
        out[r * n + o] = f(f(f(f(sum) * xs[r]!) * ws[o]!) + bias[o]!);
      }
    }
    return [f32(shape, out)];
  },
  toOnnx: {
    write(w) {
      const y = w.product(codedRows(w, 0, 1), w.need(2) as Tensor<'i8'>, remainingScales(w, 0, 3));
      w.emit('Add', [y, w.input(4)], {}, [w.output()]);
    },
  },
  lower: () => ({ kind: 'qlinear' }),
  cases: [
    {
      name: 'rows',
      inputs: [
        sampleInts('i8', [2, 3, 13], -127, 128),
        sample([2, 3], 2, 0.001, 0.02),
        sampleInts('i8', [10, 13], -63, 64, 3),
        sample([10], 4, 0.01, 0.1),
        sample([10], 5),
      ],
      attrs: {},
      constants: [2, 3, 4],
    },
    {
      name: 'one row, K a multiple of 4',
      inputs: [
        sampleInts('i8', [1, 32], -127, 128),
        sample([1], 2, 0.001, 0.02),
        sampleInts('i8', [17, 32], -127, 128, 3),
        sample([17], 4, 0.01, 0.1),
        sample([17], 5),
      ],
      attrs: {},
      constants: [2, 3, 4],
    },
  ],
};
