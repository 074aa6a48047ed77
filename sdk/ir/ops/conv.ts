import { formatType, sizeOf, type TensorType } from '../../util/tensor.ts';
import type { OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import type { OpDef, Types } from '../op.ts';
import { f32, floats, transposed } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { expectShape, floatInput, invalid } from './lib/check.ts';
import { type ConvShape, convolve } from './lib/convolve.ts';
import {
  checkWindow,
  groupsOf,
  imageDims,
  imageShape,
  importImage,
  importWindow,
  type Layout,
  layoutOf,
  slidSize,
  TO_NCHW,
  TO_NHWC,
  windowAttrs,
  windowOf,
} from './lib/window.ts';
import { emitReshape } from './reshape.ts';

function importConv(node: OnnxNode): void {
  const image = importImage(node);
  const w = node.type(1) ?? node.reject('input 1 (weights) is missing');
  if (w.shape.length !== image.axes + 2)
    node.reject(`weights ${formatType(w)} do not match an input of ${image.axes} spatial axes`);
  const kernel = image.axes === 1 ? [1, w.shape[2]!] : [w.shape[2]!, w.shape[3]!];
  const weights =
    image.axes === 1 ? emitReshape(node, node.inputs[1]!, [w.shape[0]!, w.shape[1]!, 1, w.shape[2]!]) : node.inputs[1]!;
  const window = importWindow(node, image.axes, image.shape.slice(2), kernel);
  const attrs: Attrs = { ...window, groups: node.int('group', 1), layout: 'nchw' };
  const inputs = node.inputs[2] ? [image.name, weights, node.inputs[2]] : [image.name, weights];
  if (image.axes === 2) {
    node.emit('Conv', inputs, attrs, node.outputs);
    return;
  }
  const out = conv.infer(
    [
      { dtype: 'f32', shape: image.shape },
      { dtype: 'f32', shape: [w.shape[0]!, w.shape[1]!, 1, w.shape[2]!] },
    ],
    attrs,
  )[0]!;
  image.finish(node.emit('Conv', inputs, attrs)[0]!, out.shape);
}

/** Sizes of a convolution; weights are [O,I/g,kh,kw] in NCHW, [O,kh,kw,I/g] in NHWC. */
export function convShape(op: string, x: TensorType, w: TensorType, attrs: Attrs): ConvShape {
  const layout = layoutOf(attrs);
  const window = windowAttrs(attrs);
  checkWindow(op, window);
  if (w.shape.length !== 4) invalid(op, `weights must have 4 dimensions, not ${formatType(w)}`);
  const [o, kh, kw, cg] = (layout === 'nchw' ? TO_NHWC.map((d) => w.shape[d]!) : w.shape) as [
    number,
    number,
    number,
    number,
  ];
  const { n, h, w: width, c } = imageDims(op, x, layout);
  const groups = groupsOf(attrs);
  if (!(groups >= 1) || cg * groups !== c || o % groups !== 0) {
    invalid(op, `weights ${formatType(w)} in ${groups} group(s) do not match an input of ${c} channels`);
  }
  const oh = slidSize(op, h, kh, window, 0);
  return { n, h, w: width, c, o, kh, kw, groups, oh, ow: slidSize(op, width, kw, window, 1) };
}

function inferConv(inputs: Types, attrs: Attrs): TensorType[] {
  const x = floatInput('Conv', inputs, 0, 4);
  const s = convShape('Conv', x, floatInput('Conv', inputs, 1, 4), attrs);
  if (inputs[2]) expectShape('Conv', 'bias', floatInput('Conv', inputs, 2), [s.o]);
  return [{ dtype: 'f32', shape: imageShape(layoutOf(attrs), s.n, s.oh, s.ow, s.o) }];
}

export const conv: OpDef = {
  name: 'Conv',
  doc: '2-D convolution; inputs: x, w, b?; NCHW with w [O,C/g,kh,kw] as imported, NHWC with w [O,kh,kw,C/g] after normalization.',
  tolerance: 'rounding',
  infer: inferConv,
  evaluate(inputs, attrs) {
    const nchw = layoutOf(attrs) === 'nchw';
    const s = convShape('Conv', inputs[0]!, inputs[1]!, attrs);
    const x = nchw ? transposed(inputs[0]!, TO_NHWC) : inputs[0]!;
    const w = nchw ? transposed(inputs[1]!, TO_NHWC) : inputs[1]!;
    const shape = [s.n, s.oh, s.ow, s.o];
    const out = new Float32Array(sizeOf(shape));
    const bias = inputs[2] ? floats(inputs[2]) : undefined;
    convolve(floats(x), floats(w), s, windowAttrs(attrs), (i, o, sum) => {
      out[i] = bias ? sum + bias[o]! : sum;
    });
    const y = f32(shape, out);
    return [nchw ? transposed(y, TO_NCHW) : y];
  },
  lower: (_inputs, attrs) => ({ kind: 'conv', ...windowAttrs(attrs), groups: groupsOf(attrs) }),
  toOnnx: {
    order: 'image',
    write(w) {
      const inputs = [w.input(0), w.input(1), w.input(2)];
      w.emit('Conv', inputs, { ...windowOf(w.attrs, w.type(1).shape.slice(2)), group: groupsOf(w.attrs) }, [
        w.output(),
      ]);
    },
  },
  onnx: { Conv: importConv },
  cases: convCases('nhwc'),
};

/** Shapes are NHWC; channels and sizes are no multiples of the vector width on purpose. */
function convCases(layout: Layout): OpDef['cases'] {
  const attrs = (strides: number[], pads: number[], dilations = [1, 1], groups = 1): Attrs => ({
    strides,
    pads,
    dilations,
    groups,
    layout,
  });
  return [
    {
      name: 'pointwise',
      inputs: [sample([1, 3, 5, 7]), sample([9, 1, 1, 7], 2), sample([9], 3)],
      attrs: attrs([1, 1], [0, 0, 0, 0]),
      constants: [1, 2],
    },
    {
      name: '3x3 same',
      inputs: [sample([2, 6, 5, 3]), sample([8, 3, 3, 3], 2), sample([8], 3)],
      attrs: attrs([1, 1], [1, 1, 1, 1]),
      constants: [1, 2],
    },
    {
      name: 'stride 2, asymmetric pads',
      inputs: [sample([1, 7, 8, 5]), sample([6, 3, 2, 5], 2)],
      attrs: attrs([2, 2], [0, 1, 1, 0]),
      constants: [1],
    },
    {
      name: 'dilated',
      inputs: [sample([1, 9, 9, 4]), sample([5, 3, 3, 4], 2), sample([5], 3)],
      attrs: attrs([1, 1], [2, 2, 2, 2], [2, 2]),
      constants: [1, 2],
    },
    {
      name: 'depthwise',
      inputs: [sample([1, 6, 7, 11]), sample([11, 3, 3, 1], 2), sample([11], 3)],
      attrs: attrs([1, 1], [1, 1, 1, 1], [1, 1], 11),
      constants: [1, 2],
    },
    {
      name: 'depthwise stride 2',
      inputs: [sample([1, 7, 7, 8]), sample([8, 5, 5, 1], 2)],
      attrs: attrs([2, 2], [2, 2, 2, 2], [1, 1], 8),
      constants: [1],
    },
    {
      name: 'depth multiplier',
      inputs: [sample([1, 5, 5, 3]), sample([6, 3, 3, 1], 2)],
      attrs: attrs([1, 1], [1, 1, 1, 1], [1, 1], 3),
      constants: [1],
    },
    {
      name: 'groups',
      inputs: [sample([1, 5, 5, 6]), sample([9, 3, 3, 2], 2), sample([9], 3)],
      attrs: attrs([1, 2], [1, 1, 1, 1], [1, 1], 3),
      constants: [1, 2],
    },
    {
      name: 'row',
      inputs: [sample([1, 1, 33, 5]), sample([7, 1, 9, 5], 2), sample([7], 3)],
      attrs: attrs([1, 4], [0, 4, 0, 4]),
      constants: [1, 2],
    },
  ];
}
