import { type DType, newArray, tensor } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import { roundEven } from '../math.ts';
import type { OpDef } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { floatInput, invalid, required, str } from './lib/check.ts';

/** x * inv is limited to this range before it is rounded, so that the rounding is exact on every engine. */
const LIMIT = 2097152;

/**
 * A pair of QuantizeLinear and DequantizeLinear. 8-bit codes are written unsigned, 128 above: onnxruntime makes them so itself, and up to 1.30
 * it fails over signed pairs that it has moved through a Reshape.
 */
function writeQuantize(w: OnnxWriter): void {
  const bytes = str(w.attrs, 'to') === 'i8';
  const scale = floats(w.need(1)).map((inv) => 1 / inv);
  const zero = w.need(2).data as Int32Array;
  const n = Math.max(scale.length, zero.length);
  const at = (values: Float32Array | Int32Array, i: number): number => values[values.length === 1 ? 0 : i]!;
  const scales = Float32Array.from({ length: n }, (_, i) => at(scale, i));
  const zeros = Int32Array.from({ length: n }, (_, i) => at(zero, i));
  const limit = bytes ? 128 : 32768;
  if (zeros.some((v) => v < -limit || v >= limit)) w.reject('a zero point is outside the range of its codes');
  const shape = n === 1 ? [] : [n];
  const written = bytes
    ? tensor(
        'u8',
        shape,
        zeros.map((v) => v + 128),
      )
    : tensor('i16', shape, zeros);
  const by = [w.constantValue(f32(shape, scales)), w.constantValue(written)];
  const along: Record<string, number> = n === 1 ? {} : { axis: w.axis(w.type(0).shape.length - 1) };
  const codes = w.emit('QuantizeLinear', [w.input(0), ...by], along);
  w.emit('DequantizeLinear', [codes, ...by], along, [w.output()]);
  w.quantize(0, { scale: scales, zero: zeros, codes: { name: codes, asInGraph: w.asInGraph, zero: written } });
  w.note(`QuantizeLinear ${bytes ? 'uint8' : 'int16'}`);
}

export const quantize: OpDef = {
  name: 'Quantize',
  doc: 'round(x * inv[c]) + zp[c], saturated to attribute `to` (i8 or i16); inputs: x, inv (f32, 1 or last-axis many), zp (i32, same).',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const x = floatInput('Quantize', inputs, 0);
    const [inv, zp] = [floatInput('Quantize', inputs, 1), required('Quantize', inputs, 2)];
    const channels = x.shape.at(-1) ?? 1;
    for (const t of [inv, zp])
      if (t.shape.length !== 1 || (t.shape[0] !== 1 && t.shape[0] !== channels))
        invalid('Quantize', `parameters must have 1 or ${channels} values`);
    return [{ dtype: str(attrs, 'to') as DType, shape: x.shape }];
  },
  evaluate(inputs, attrs) {
    const x = floats(inputs[0]);
    const inv = floats(inputs[1]);
    const zp = inputs[2]!.data as Int32Array;
    const to = str(attrs, 'to') as 'i8' | 'i16';
    const [lo, hi] = to === 'i8' ? [-128, 127] : [-32768, 32767];
    const channels = inputs[0]!.shape.at(-1) ?? 1;
    const out = newArray(to, x.length);
    for (let i = 0; i < x.length; i++) {
      const c = i % channels;
      const scaled = Math.min(Math.max(Math.fround(x[i]! * inv[inv.length === 1 ? 0 : c]!), -LIMIT), LIMIT);
      out[i] = Math.min(Math.max(roundEven(scaled) + zp[zp.length === 1 ? 0 : c]!, lo), hi);
    }
    return [{ dtype: to, shape: inputs[0]!.shape, data: out }];
  },
  toOnnx: { order: 'any', write: writeQuantize },
  lower: () => ({ kind: 'quantize' }),
  cases: [
    {
      name: 'one scale',
      inputs: [sample([2, 3, 5]), f32([1], [40]), tensor('i32', [1], [-7])],
      attrs: { to: 'i8' },
      constants: [1, 2],
    },
    {
      name: 'per channel',
      inputs: [sample([3, 3, 7]), sample([7], 2, 20, 90), tensor('i32', [7], [-3, -2, -1, 0, 1, 2, 3])],
      attrs: { to: 'i8' },
      constants: [1, 2],
    },
    {
      name: 'whole steps, some far beyond the last code',
      inputs: [sample([3, 3, 21], 4, -2e7, 2e7), f32([1], [1]), tensor('i32', [1], [-101])],
      attrs: { to: 'i8' },
      constants: [1, 2],
    },
    {
      name: 'whole steps, halves among them',
      inputs: [
        f32(
          [3, 5],
          Array.from({ length: 15 }, (_, i) => i / 2 - 3.5),
        ),
        f32([1], [1]),
        tensor('i32', [1], [3]),
      ],
      attrs: { to: 'i16' },
      constants: [1, 2],
    },
    {
      name: 'i16',
      inputs: [sample([3, 9]), f32([1], [9000]), tensor('i32', [1], [0])],
      attrs: { to: 'i16' },
      constants: [1, 2],
    },
  ],
};
