import { formatType, sizeOf, type Tensor, tensor } from '../../util/tensor.ts';
import type { OpDef } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { expectShape, floatInput, invalid, required } from './lib/check.ts';
import { centredCodes, codedRows, remainingScales } from './lib/coded-rows.ts';

const f = Math.fround;

export const qlinear: OpDef = {
  name: 'QLinear',
  doc: 'f32(sum((x - zp) * w)) * xs[row] * ws[n] + bias[n]; inputs: x i8 [..., K], xs f32 [...], w i8 [N, K], ws f32 [N], bias f32 [N]; or x i8 or i16 with xs absent (1) and a last input zp i32 [1].',
  tolerance: 'exact',
  infer(inputs) {
    const x = required('QLinear', inputs, 0);
    const w = required('QLinear', inputs, 2);
    const [n, k] = w.shape as [number, number];
    const fixed = inputs[1] === undefined;
    if ((x.dtype !== 'i8' && !(fixed && x.dtype === 'i16')) || w.dtype !== 'i8')
      invalid('QLinear', `${formatType(w)} times ${formatType(x)} is not a product of codes`);
    if (w.shape.length !== 2 || x.shape.at(-1) !== k)
      invalid('QLinear', `${formatType(w)} does not match ${formatType(x)}`);
    if (!fixed) expectShape('QLinear', 'xs', floatInput('QLinear', inputs, 1), x.shape.slice(0, -1));
    else if (required('QLinear', inputs, 5).dtype !== 'i32' || sizeOf(inputs[5]!.shape) !== 1)
      invalid('QLinear', `the zero point must be one i32, not ${formatType(inputs[5]!)}`);
    expectShape('QLinear', 'ws', floatInput('QLinear', inputs, 3), [n]);
    expectShape('QLinear', 'bias', floatInput('QLinear', inputs, 4), [n]);
    return [{ dtype: 'f32', shape: [...x.shape.slice(0, -1), n] }];
  },
  evaluate(inputs) {
    const [x, w] = [inputs[0]!.data as Int8Array | Int16Array, inputs[2]!.data as Int8Array];
    const [ws, bias] = [floats(inputs[3]), floats(inputs[4])];
    const xs = inputs[1] && floats(inputs[1]);
    const zp = xs ? 0 : (inputs[5]!.data as Int32Array)[0]!;
    const [n, k] = inputs[2]!.shape as [number, number];
    const shape = [...inputs[0]!.shape.slice(0, -1), n];
    const out = new Float32Array(sizeOf(shape));
    for (let r = 0; r * n < out.length; r++) {
      for (let o = 0; o < n; o++) {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += (x[r * k + i]! - zp) * w[o * k + i]!;
        const scaled = xs ? f(f(sum) * xs[r]!) : f(sum);
        out[r * n + o] = f(f(scaled * ws[o]!) + bias[o]!);
      }
    }
    return [f32(shape, out)];
  },
  toOnnx: {
    write(w) {
      const x = w.constant(5) ? centredCodes(w, 0, w.need(5).data as Int32Array) : codedRows(w, 0, 1);
      const y = w.product(x, w.need(2) as Tensor<'i8'>, remainingScales(w, 0, 3));
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
    ...(['i8', 'i16'] as const).map((dtype) => ({
      name: `static ${dtype}`,
      inputs: [
        dtype === 'i8' ? sampleInts('i8', [2, 3, 21], -128, 128) : sampleInts('i16', [2, 3, 21], -9000, 9000),
        undefined,
        sampleInts('i8', [12, 21], -63, 64, 3),
        sample([12], 4, 1e-4, 1e-3),
        sample([12], 5),
        tensor('i32', [1], [dtype === 'i8' ? -77 : 0]),
      ],
      attrs: {},
      constants: [2, 3, 4, 5],
    })),
  ],
};
