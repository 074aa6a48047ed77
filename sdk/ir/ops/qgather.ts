import { formatType, numberAt, sizeOf, type Tensor, toNumbers } from '../../util/tensor.ts';
import type { OpDef } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { expectShape, floatInput, invalid, required } from './lib/check.ts';

export const qgather: OpDef = {
  name: 'QGather',
  doc: 'f32(codes[i][d]) * scale[i]; inputs: codes i8 [V, D], scale f32 [V], indices (i64 or i32, negative ones count from the end).',
  tolerance: 'exact',
  infer(inputs) {
    const codes = required('QGather', inputs, 0);
    const indices = required('QGather', inputs, 2);
    if (codes.dtype !== 'i8' || codes.shape.length !== 2)
      invalid('QGather', `codes must be i8 [V, D], not ${formatType(codes)}`);
    if (indices.dtype !== 'i64' && indices.dtype !== 'i32')
      invalid('QGather', `indices must be integers, not ${formatType(indices)}`);
    expectShape('QGather', 'scale', floatInput('QGather', inputs, 1), [codes.shape[0]!]);
    return [{ dtype: 'f32', shape: [...indices.shape, codes.shape[1]!] }];
  },
  evaluate(inputs) {
    const codes = inputs[0]!.data as Int8Array;
    const scale = floats(inputs[1]);
    const [v, d] = inputs[0]!.shape as [number, number];
    const shape = [...inputs[2]!.shape, d];
    const out = new Float32Array(sizeOf(shape));
    for (let i = 0; i < inputs[2]!.data.length; i++) {
      const raw = numberAt(inputs[2]!, i);
      const row = raw < 0 ? raw + v : raw;
      if (!(row >= 0 && row < v)) invalid('QGather', `index ${raw} is outside a table of ${v} rows`);
      for (let k = 0; k < d; k++) out[i * d + k] = codes[row * d + k]! * scale[row]!;
    }
    return [f32(shape, out)];
  },
  toOnnx: {
    write(w) {
      const [codes, scale] = [w.need(0) as Tensor<'i8'>, floats(w.need(1))];
      const indices = w.constant(2);
      // A table that is read as a whole.
      const whole =
        indices?.shape.length === 1 &&
        indices.data.length === codes.shape[0] &&
        toNumbers(indices).every((v, i) => v === i);
      w.define(0, whole ? w.dequantized(codes, scale, 0) : w.rows(codes, scale, w.input(2)));
    },
  },
  lower: () => ({ kind: 'qgather' }),
  cases: [
    {
      name: 'rows',
      inputs: [sampleInts('i8', [11, 6], -127, 128), sample([11], 2, 0.01, 0.1), sampleInts('i64', [2, 5], -11, 11, 3)],
      attrs: {},
      constants: [0, 1],
    },
  ],
};
