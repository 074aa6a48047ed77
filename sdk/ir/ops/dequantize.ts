import { formatType, type Tensor, tensor, toNumbers } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OpDef } from '../op.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { floatInput, invalid, required } from './lib/check.ts';

const f = Math.fround;

/** Values of codes that were quantized with the same parameters are there already; with other scales they are decoded anew. */
function writeDequantize(w: OnnxWriter): void {
  const scale = floats(w.need(1)).map((inv) => 1 / inv);
  const zero = w.need(2).data as Int32Array;
  const q = w.quantization(0);
  if (q.scale.join() === scale.join() && q.zero.join() === zero.join()) {
    w.define(0, w.input(0));
    return;
  }
  if (q.codes && q.codes.asInGraph === w.asInGraph && areSame(q.zero, zero)) {
    const { name, zero: written } = q.codes;
    const n = Math.max(scale.length, written.data.length);
    const scales = Float32Array.from({ length: n }, (_, c) => scale[c % scale.length]!);
    const by = [f32(n === 1 ? [] : [n], scales), broadcastTo(written, n)].map((t) => w.constantValue(t));
    const along: Record<string, number> = n === 1 ? {} : { axis: w.axis(w.type(0).shape.length - 1) };
    w.emit('DequantizeLinear', [name, ...by], along, [w.output()]);
    return;
  }
  const centred = w.emit('Sub', [w.codes(0), w.perChannel(Float32Array.from(zero))]);
  w.emit('Mul', [centred, w.perChannel(scale)], {}, [w.output()]);
}

/** Whether zero points are the same, one for all or one a channel. */
function areSame(a: Int32Array, b: Int32Array): boolean {
  return (a.length < b.length ? b : a).every((_, c) => a[c % a.length] === b[c % b.length]);
}

/** Zero points, one for all or one a channel, as n of them. */
function broadcastTo(t: Tensor, n: number): Tensor {
  const values = toNumbers(t);
  const all = Array.from({ length: n }, (_, c) => values[c % values.length]!);
  return tensor(t.dtype, n === 1 ? [] : [n], all);
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
      name: 'whole steps',
      inputs: [sampleInts('i8', [2, 3, 21], -128, 128), f32([1], [1]), tensor('i32', [1], [-128])],
      attrs: {},
      constants: [1, 2],
    },
    {
      name: 'whole steps of 16 bits, zero points a channel',
      inputs: [
        sampleInts('i16', [2, 9], -32768, 32768),
        f32([1], [1]),
        tensor('i32', [9], [0, 1, -2, 3, -4, 5, -6, 7, -8]),
      ],
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
