import { newArray, sizeOf, type Tensor, type TensorType } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxImporter, OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import type { OpDef, Types } from '../op.ts';
import { transposed } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { flag, floatInput, ints, required, str } from './lib/check.ts';
import {
  checkWindow,
  imageDims,
  imageShape,
  importImage,
  importWindow,
  layoutOf,
  slidSize,
  span,
  TO_NCHW,
  TO_NHWC,
  type Window,
  windowAttrs,
  windowOf,
} from './lib/window.ts';

type PoolFn = 'max' | 'avg';

/** Extra rows at the end that ceil_mode asks for; a window must start inside the image or its leading padding. */
function ceilExtra(size: number, kernel: number, w: Window, axis: 0 | 1): number {
  const room = size + w.pads[axis] + w.pads[axis + 2]! - span(kernel, w.dilations[axis]);
  let out = Math.ceil(room / w.strides[axis]) + 1;
  if ((out - 1) * w.strides[axis] >= size + w.pads[axis]) out--;
  return Math.max(0, (out - 1) * w.strides[axis] - room);
}

function importPool(fn: PoolFn): OnnxImporter {
  return (node: OnnxNode) => {
    if (node.outputs[1]) node.reject('the Indices output is not supported');
    const image = importImage(node);
    const k = node.ints('kernel_shape') ?? node.reject('has no kernel_shape');
    const kernel = image.axes === 1 ? [1, k[0]!] : [k[0]!, k[1]!];
    const window = importWindow(node, image.axes, image.shape.slice(2), kernel);
    const extra =
      node.int('ceil_mode', 0) === 1
        ? ([0, 1] as const).map((a) => ceilExtra(image.shape[2 + a]!, kernel[a]!, window, a))
        : [0, 0];
    const [t, l, b, r] = window.pads;
    let input = image.name;
    let include = fn === 'avg' && node.int('count_include_pad', 0) === 1 && window.pads.some((p) => p > 0);
    let pads: readonly number[] = [t, l, b + extra[0]!, r + extra[1]!];
    if (include && extra.some((e) => e > 0)) {
      // The padding counts, the rows that ceil_mode adds do not: make the padding part of the image.
      input = node.emit('Pad', [input], { before: [0, 0, t, l], after: [0, 0, b, r], mode: 'constant', value: 0 })[0]!;
      pads = [0, 0, extra[0]!, extra[1]!];
      include = false;
    }
    const attrs: Attrs = {
      fn,
      kernel,
      strides: window.strides,
      pads,
      dilations: window.dilations,
      countIncludePad: include,
      layout: 'nchw',
    };
    if (image.axes === 2) node.emit('Pool', [input], attrs, node.outputs.slice(0, 1));
    else
      image.finish(
        node.emit('Pool', [input], attrs)[0]!,
        inferPool([{ dtype: 'f32', shape: image.shape }], attrs)[0]!.shape,
      );
  };
}

function inferPool(inputs: Types, attrs: Attrs): TensorType[] {
  const window = windowAttrs(attrs);
  checkWindow('Pool', window);
  const layout = layoutOf(attrs);
  const x = required('Pool', inputs, 0);
  const codes = (x.dtype === 'i8' || x.dtype === 'i16') && str(attrs, 'fn') === 'max';
  const { n, h, w, c } = imageDims('Pool', codes ? x : floatInput('Pool', inputs, 0, 4), layout);
  const [kh, kw] = ints(attrs, 'kernel') as [number, number];
  return [
    {
      dtype: x.dtype,
      shape: imageShape(layout, n, slidSize('Pool', h, kh, window, 0), slidSize('Pool', w, kw, window, 1), c),
    },
  ];
}

/** One output element: the maximum, or the mean over the window's part inside the image (or all of it). */
function poolAt(x: ArrayLike<number>, taps: readonly number[], fn: PoolFn, count: number): number {
  let acc = fn === 'max' ? Number.NEGATIVE_INFINITY : 0;
  for (const i of taps) acc = fn === 'max' ? Math.max(acc, x[i]!) : acc + x[i]!;
  return fn === 'max' ? acc : acc / count;
}

function evaluateNhwc(image: Tensor, out: TensorType, attrs: Attrs): Tensor {
  const x = image.data as ArrayLike<number>;
  const [, h, w, c] = image.shape as [number, number, number, number];
  const [n, oh, ow] = out.shape as [number, number, number];
  const { strides, pads, dilations } = windowAttrs(attrs);
  const [kh, kw] = ints(attrs, 'kernel') as [number, number];
  const fn = str(attrs, 'fn') as PoolFn;
  const include = flag(attrs, 'countIncludePad');
  const y = newArray(out.dtype as 'f32' | 'i8' | 'i16', sizeOf(out.shape));
  let o = 0;
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < oh; i++) {
      for (let j = 0; j < ow; j++) {
        const taps: number[] = [];
        for (let p = 0; p < kh; p++) {
          const iy = i * strides[0] - pads[0] + p * dilations[0];
          for (let q = 0; q < kw; q++) {
            const ix = j * strides[1] - pads[1] + q * dilations[1];
            if (iy >= 0 && iy < h && ix >= 0 && ix < w) taps.push(((b * h + iy) * w + ix) * c);
          }
        }
        const count = include ? kh * kw : Math.max(taps.length, 1);
        for (let ch = 0; ch < c; ch++)
          y[o++] = poolAt(
            x,
            taps.map((t) => t + ch),
            fn,
            count,
          );
      }
    }
  }
  return { ...out, data: y } as Tensor;
}

const attrsOf = (
  fn: PoolFn,
  kernel: number[],
  strides: number[],
  pads: number[],
  countIncludePad = false,
  dilations = [1, 1],
): Attrs => ({
  fn,
  kernel,
  strides,
  pads,
  dilations,
  countIncludePad,
  layout: 'nhwc',
});

function writePool(w: OnnxWriter): void {
  const { dilations, ...window } = windowOf(w.attrs, ints(w.attrs, 'kernel'));
  // Pools that onnxruntime fuses with quantization around them do not know the attribute.
  const attrs = dilations.every((d) => d === 1) ? window : { ...window, dilations };
  if (str(w.attrs, 'fn') === 'max') w.emit('MaxPool', [w.input(0)], attrs, [w.output()]);
  else {
    const include = flag(w.attrs, 'countIncludePad') ? 1 : 0;
    w.emit('AveragePool', [w.input(0)], { ...attrs, count_include_pad: include }, [w.output()]);
  }
}

export const pool: OpDef = {
  name: 'Pool',
  doc: 'Maximum (fn max) or mean (fn avg) over a sliding window of an image.',
  tolerance: 'rounding',
  infer: inferPool,
  evaluate(inputs, attrs) {
    const nchw = layoutOf(attrs) === 'nchw';
    const x = nchw ? transposed(inputs[0]!, TO_NHWC) : inputs[0]!;
    const y = evaluateNhwc(x, inferPool([x], { ...attrs, layout: 'nhwc' })[0]!, attrs);
    return [nchw ? transposed(y, TO_NCHW) : y];
  },
  lower: (_inputs, attrs) => ({
    kind: 'pool',
    fn: str(attrs, 'fn') as PoolFn,
    kernel: ints(attrs, 'kernel') as unknown as [number, number],
    ...windowAttrs(attrs),
    countIncludePad: flag(attrs, 'countIncludePad'),
  }),
  toOnnx: { order: 'image', write: writePool },
  onnx: { MaxPool: importPool('max'), AveragePool: importPool('avg') },
  cases: [
    { name: 'max 2x2', inputs: [sample([1, 6, 5, 7])], attrs: attrsOf('max', [2, 2], [2, 2], [0, 0, 0, 0]) },
    { name: 'max 3x3 padded', inputs: [sample([2, 7, 7, 4])], attrs: attrsOf('max', [3, 3], [2, 2], [1, 1, 1, 1]) },
    {
      name: 'max dilated',
      inputs: [sample([1, 7, 7, 3])],
      attrs: attrsOf('max', [2, 2], [1, 1], [0, 1, 1, 0], false, [2, 2]),
    },
    {
      name: 'max of codes',
      inputs: [sampleInts('i8', [1, 7, 6, 11], -128, 128)],
      attrs: attrsOf('max', [3, 2], [2, 2], [1, 0, 1, 0]),
    },
    {
      name: 'max of wide codes',
      inputs: [sampleInts('i16', [2, 5, 6, 8], -32768, 32768)],
      attrs: attrsOf('max', [2, 2], [2, 2], [0, 0, 0, 0]),
    },
    { name: 'avg', inputs: [sample([1, 6, 6, 5])], attrs: attrsOf('avg', [3, 2], [1, 2], [1, 0, 1, 0]) },
    {
      name: 'avg, padding counts',
      inputs: [sample([1, 6, 6, 9])],
      attrs: attrsOf('avg', [3, 3], [2, 2], [1, 1, 1, 1], true),
    },
  ],
};
