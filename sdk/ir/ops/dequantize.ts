import { formatType, tensor } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OpDef } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { floatInput, invalid, required } from './lib/check.ts';

const f = Math.fround;

/** Values of codes that were quantized with the same parameters are there already. */
function writeDequantize(w: OnnxWriter): void {
  const scale = floats(w.need(1)).map((inv) => 1 / inv);
  const zero = w.need(2).data as Int32Array;
  const q = w.quantization(0);
  if (q.scale.join() === scale.join() && q.zero.join() === zero.join()) {
    w.define(0, w.input(0));
    return;
  }
  const centred = w.emit('Sub', [w.codes(0), w.perChannel(Float32Array.from(zero))]);
  w.emit('Mul', [centred, w.perChannel(scale)], {}, [w.output()]);
}

export const dequantize: OpDef = {
  name: 'Dequantize',
  doc: 'f32(x - zp[c]) * (1 / inv[c]), the inverse of Quantize with the same parameters; inputs: x i8/i16, inv (f32, 1 or last-axis many), zp (i32, same).',
  tolerance: 'exact',
  infer(inputs) {
    const x = required('Dequantize', inputs, 0);
    if (x.dtype !== 'i8' && x.dtype !== 'i16') invalid('Dequantize', `${formatType(x)} are not integer codes`);
    const [inv, zp] = [floatInput('Dequantize', inputs, 1), required('Dequantize', inputs, 2)];
    const channels = x.shape.at(-1) ?? 1;
    for (const t of [inv, zp])
      if (t.shape.length !== 1 || (t.shape[0] !== 1 && t.shape[0] !== channels))
        invalid('Dequantize', `parameters must have 1 or ${channels} values`);
    return [{ dtype: 'f32', shape: x.shape }];
  },
  evaluate(inputs) {
    const x = inputs[0]!.data as Int8Array | Int16Array;
    const scale = floats(inputs[1]).map((v) => f(1 / v));
    const zp = inputs[2]!.data as Int32Array;
    const channels = inputs[0]!.shape.at(-1) ?? 1;
    const out = Float32Array.from(x, (v, i) => {
      const c = i % channels;
      return (v - zp[zp.length === 1 ? 0 : c]!) * scale[scale.length === 1 ? 0 : c]!;
    });
    return [f32(inputs[0]!.shape, out)];
  },
  toOnnx: { order: 'any', write: writeDequantize },
  lower: () => ({ kind: 'dequantize' }),
  cases: [
    {
      name: 'one scale',
      inputs: [sampleInts('i8', [2, 3, 5], -128, 128), f32([1], [40]), tensor('i32', [1], [-7])],
      attrs: {},
      constants: [1, 2],
    },
    {
      name: 'per channel',
      inputs: [
        sampleInts('i8', [3, 3, 7], -128, 128),
        sample([7], 2, 20, 90),
        tensor('i32', [7], [-3, -2, -1, 0, 1, 2, 3]),
      ],
      attrs: {},
      constants: [1, 2],
    },
    {
      name: 'i16',
      inputs: [sampleInts('i16', [3, 9], -32768, 32768), f32([1], [9000]), tensor('i32', [1], [12])],
      attrs: {},
      constants: [1, 2],
    },
  ],
};
