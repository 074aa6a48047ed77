import { formatType, sizeOf, type Tensor, type TensorType, tensor } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { Attrs } from '../graph.ts';
import type { OpDef, Types } from '../op.ts';
import { convShape } from './conv.ts';
import { f32, floats, transposed } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { expectShape, floatInput, invalid, required } from './lib/check.ts';
import { centredCodes } from './lib/coded-rows.ts';
import { convolve } from './lib/convolve.ts';
import { groupsOf, TO_NCHW, windowAttrs, windowOf } from './lib/window.ts';

const f = Math.fround;
const nhwc = (attrs: Attrs): Attrs => ({ ...attrs, layout: 'nhwc' });

function inferQConv(inputs: Types, attrs: Attrs): TensorType[] {
  const x = required('QConv', inputs, 0);
  const w = required('QConv', inputs, 1);
  if ((x.dtype !== 'i8' && x.dtype !== 'i16') || w.dtype !== 'i8')
    invalid('QConv', `${formatType(x)} and ${formatType(w)} are not integer codes`);
  const s = convShape('QConv', x, w, nhwc(attrs));
  expectShape('QConv', 'm', floatInput('QConv', inputs, 2), [s.o]);
  expectShape('QConv', 'bias', floatInput('QConv', inputs, 3), [s.o]);
  const zp = required('QConv', inputs, 4);
  if (zp.shape.length !== 1 || (zp.shape[0] !== 1 && zp.shape[0] !== s.c))
    invalid('QConv', `zero points must have 1 or ${s.c} values, not ${formatType(zp)}`);
  return [{ dtype: 'f32', shape: [s.n, s.oh, s.ow, s.o] }];
}

/** The input already has its scale, so that the weights get what is left of the multipliers. */
function writeQConv(w: OnnxWriter): void {
  const q = w.quantization(0);
  const codes = w.need(1) as Tensor<'i8'>;
  const m = floats(w.need(2));
  const groups = groupsOf(w.attrs);
  if (q.scale.length !== 1 && codes.shape[3] !== 1) w.reject('its input channels differ in scale');
  const channel = (o: number): number => (q.scale.length === 1 ? 0 : Math.floor((o * groups) / m.length));
  const scales = m.map((v, o) => v / q.scale[channel(o)]!);
  const x = centredCodes(w, 0, w.need(4).data as Int32Array);
  if (w.asInGraph) {
    const matrix = { ...codes, shape: [codes.shape[0]!, codes.shape[3]!] };
    w.emit('Add', [w.product(x, matrix, scales), w.input(3)], {}, [w.output()]);
    return;
  }
  const kernel = w.dequantized(transposed(codes, TO_NCHW) as Tensor<'i8'>, scales, 0);
  const attrs = { ...windowOf(w.attrs, codes.shape.slice(1, 3)), group: groups };
  w.emit('Conv', [x, kernel, w.input(3)], attrs, [w.output()]);
}

function isProduct(attrs: Attrs, inputs: readonly TensorType[]): boolean {
  const { strides, pads } = attrs as Record<'strides' | 'pads', readonly number[]>;
  const single = inputs[1]!.shape[1] === 1 && inputs[1]!.shape[2] === 1;
  return single && groupsOf(attrs) === 1 && strides.every((s) => s === 1) && pads.every((p) => p === 0);
}

/** Codes with some that need 8 bits: the first ones that do, and the last ones that there are. */
function withWide(codes: Tensor<'i8'>): Tensor<'i8'> {
  const wide = [127, -127, 64, -65];
  return { ...codes, data: codes.data.map((q, i) => (i % 97 === 7 ? wide[i % 4]! : q)) };
}

const attrsOf = (strides: number[], pads: number[], groups = 1, dilations = [1, 1]): Attrs => ({
  strides,
  pads,
  dilations,
  groups,
});
const weights = (...shape: number[]): ReturnType<typeof sampleInts<'i8'>> => sampleInts('i8', shape, -63, 64, 2);

export const qconv: OpDef = {
  name: 'QConv',
  doc: 'f32(sum(w * (x - zp))) * m[o] + bias[o]; inputs: x i8/i16 [N,H,W,C], w i8 [O,kh,kw,C/g], m, bias f32 [O], zp i32 [1 or C]; padding counts as x = zp.',
  tolerance: 'exact',
  infer: inferQConv,
  evaluate(inputs, attrs) {
    const s = convShape('QConv', inputs[0]!, inputs[1]!, nhwc(attrs));
    const codes = inputs[0]!.data as Int8Array | Int16Array;
    const zp = inputs[4]!.data as Int32Array;
    // Codes less zero points and their sums stay far below 2^53, so f64 accumulates exactly.
    const x = Float32Array.from(codes, (v, i) => v - zp[zp.length === 1 ? 0 : i % s.c]!);
    const w = Float32Array.from(inputs[1]!.data as Int8Array);
    const [m, bias] = [floats(inputs[2]), floats(inputs[3])];
    const shape = [s.n, s.oh, s.ow, s.o];
    const out = new Float32Array(sizeOf(shape));
    convolve(x, w, s, windowAttrs(attrs), (i, o, sum) => {
      out[i] = f(f(f(sum) * m[o]!) + bias[o]!);
    });
    return [f32(shape, out)];
  },
  toOnnx: { order: 'image', isProduct, write: writeQConv },
  lower: (_inputs, attrs) => ({ kind: 'qconv', ...windowAttrs(attrs), groups: groupsOf(attrs) }),
  cases: [
    {
      name: 'pointwise',
      inputs: [
        sampleInts('i8', [1, 3, 5, 7], -128, 128),
        weights(9, 1, 1, 7),
        sample([9], 3, 0.001, 0.01),
        sample([9], 4),
        tensor('i32', [1], [-5]),
      ],
      attrs: attrsOf([1, 1], [0, 0, 0, 0]),
      constants: [1, 2, 3, 4],
    },
    {
      name: '3x3 stride 2, zero point in the padding',
      inputs: [
        sampleInts('i8', [2, 7, 6, 5], -128, 128),
        weights(6, 3, 3, 5),
        sample([6], 3, 0.001, 0.01),
        sample([6], 4),
        tensor('i32', [1], [-128]),
      ],
      attrs: attrsOf([2, 2], [1, 0, 1, 1]),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'few codes of 8 bits among narrow ones',
      inputs: [
        sampleInts('i8', [1, 9, 8, 6], -128, 128),
        withWide(sampleInts('i8', [20, 3, 3, 6], -64, 64, 2)),
        sample([20], 3, 0.001, 0.01),
        sample([20], 4),
        tensor('i32', [1], [-77]),
      ],
      attrs: attrsOf([1, 1], [1, 1, 1, 1]),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'windows of long lines, some codes of 8 bits',
      inputs: [
        sampleInts('i8', [2, 7, 6, 16], -128, 128),
        withWide(sampleInts('i8', [17, 3, 3, 16], -64, 64, 2)),
        sample([17], 3, 0.001, 0.01),
        sample([17], 4),
        tensor('i32', [1], [-101]),
      ],
      attrs: attrsOf([1, 1], [1, 1, 1, 1]),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'windows of long lines in two images of 16 bits, apart and dilated',
      inputs: [
        sampleInts('i16', [2, 9, 12, 16], -4000, 4001),
        weights(12, 2, 3, 16),
        sample([12], 3, 0.001, 0.01),
        sample([12], 4),
        tensor('i32', [1], [17]),
      ],
      attrs: attrsOf([2, 2], [0, 2, 1, 0], 1, [3, 1]),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'windows of long lines, shared out in the middle of a line',
      inputs: [
        sampleInts('i8', [1, 10, 11, 20], -128, 128),
        weights(8, 3, 3, 20),
        sample([8], 3, 0.001, 0.01),
        sample([8], 4),
        tensor('i32', [1], [-128]),
      ],
      attrs: attrsOf([1, 1], [0, 0, 1, 1]),
      constants: [1, 2, 3, 4],
    },
    // 81 and 66 rows are no multiple of four, and so many that parts share them out.
    ...[
      [9, 9],
      [6, 11],
    ].map(([h, w]) => ({
      name: `pointwise, ${h! * w!} rows`,
      inputs: [
        sampleInts('i8', [1, h!, w!, 20], -128, 128),
        weights(12, 1, 1, 20),
        sample([12], 3, 0.001, 0.01),
        sample([12], 4),
        tensor('i32', [1], [-9]),
      ],
      attrs: attrsOf([1, 1], [0, 0, 0, 0]),
      constants: [1, 2, 3, 4],
    })),
    // More channels than pixels, so many that parts share out channels.
    ...[1, 3].map((k) => ({
      name: `${k}x${k}, 72 pixels of 203 channels`,
      inputs: [
        sampleInts('i8', [1, 8, 9, 16], -128, 128),
        withWide(sampleInts('i8', [203, k, k, 16], -64, 64, 2)),
        sample([203], 3, 0.001, 0.01),
        sample([203], 4),
        tensor('i32', [1], [-9]),
      ],
      attrs: attrsOf([1, 1], k === 3 ? [1, 1, 1, 1] : [0, 0, 0, 0]),
      constants: [1, 2, 3, 4],
    })),
    {
      name: 'depthwise, zero point per channel',
      inputs: [
        sampleInts('i8', [1, 5, 6, 9], -128, 128),
        weights(9, 3, 3, 1),
        sample([9], 3, 0.001, 0.01),
        sample([9], 4),
        sampleInts('i32', [9], -128, 128, 5),
      ],
      attrs: attrsOf([1, 1], [1, 1, 1, 1], 9),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'depthwise, most lines outside the image',
      inputs: [
        sampleInts('i8', [2, 2, 7, 24], -128, 128),
        weights(24, 5, 5, 1),
        sample([24], 3, 0.001, 0.01),
        sample([24], 4),
        sampleInts('i32', [24], -128, 128, 5),
      ],
      attrs: attrsOf([1, 1], [2, 2, 2, 2], 24),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'depthwise, narrow codes, most lines outside the image',
      inputs: [
        sampleInts('i8', [2, 2, 7, 24], -128, 128),
        sampleInts('i8', [24, 5, 5, 1], -4, 5, 2),
        sample([24], 3, 0.001, 0.01),
        sample([24], 4),
        sampleInts('i32', [24], -128, 128, 5),
      ],
      attrs: attrsOf([2, 1], [2, 2, 3, 2], 24),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'depthwise, 16 bits, most lines outside the image',
      inputs: [
        sampleInts('i16', [2, 2, 7, 24], -2000, 2001),
        weights(24, 3, 3, 1),
        sample([24], 3, 0.001, 0.01),
        sample([24], 4),
        sampleInts('i32', [24], -128, 128, 5),
      ],
      attrs: attrsOf([1, 2], [1, 0, 1, 1], 24),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'depthwise, more lines than are copied at once',
      inputs: [
        sampleInts('i8', [1, 41, 61, 9], -128, 128),
        weights(9, 3, 3, 1),
        sample([9], 3, 0.001, 0.01),
        sample([9], 4),
        sampleInts('i32', [9], -128, 128, 5),
      ],
      attrs: attrsOf([1, 1], [1, 1, 1, 1], 9),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'depthwise, 16 bits, lines of five taps',
      inputs: [
        sampleInts('i16', [1, 11, 7, 20], -2000, 2001),
        weights(20, 5, 5, 1),
        sample([20], 3, 0.001, 0.01),
        sample([20], 4),
        sampleInts('i32', [20], -128, 128, 5),
      ],
      attrs: attrsOf([2, 2], [2, 1, 2, 2], 20),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'i16 input',
      inputs: [
        sampleInts('i16', [1, 6, 6, 3], -2000, 2000),
        weights(8, 3, 3, 3),
        sample([8], 3, 0.0001, 0.001),
        sample([8], 4),
        tensor('i32', [1], [0]),
      ],
      attrs: attrsOf([2, 2], [1, 1, 1, 1]),
      constants: [1, 2, 3, 4],
    },
    {
      name: 'groups, dilated',
      inputs: [
        sampleInts('i8', [1, 7, 7, 6], -128, 128),
        weights(4, 3, 3, 3),
        sample([4], 3, 0.001, 0.01),
        sample([4], 4),
        tensor('i32', [1], [3]),
      ],
      attrs: attrsOf([1, 1], [2, 2, 2, 2], 2, [2, 2]),
      constants: [1, 2, 3, 4],
    },
  ],
};
