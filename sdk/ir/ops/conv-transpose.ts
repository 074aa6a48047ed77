import { formatType, sizeOf, type TensorType } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import type { OpDef, Types } from '../op.ts';
import { f32, floats, transposed } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { expectShape, floatInput, invalid } from './lib/check.ts';
import type { ConvShape } from './lib/convolve.ts';
import {
  checkWindow,
  groupsOf,
  imageDims,
  imageShape,
  importImage,
  importPads,
  layoutOf,
  span,
  TO_NCHW,
  TO_NHWC,
  type Window,
  windowAttrs,
  windowOf,
} from './lib/window.ts';
import { emitReshape } from './reshape.ts';

/** output_padding and output_shape end up in the pads, of which the ends may become negative: rows without contributions. */
function importConvTranspose(node: OnnxNode): void {
  const image = importImage(node);
  const w = node.type(1) ?? node.reject('input 1 (weights) is missing');
  if (w.shape.length !== image.axes + 2)
    node.reject(`weights ${formatType(w)} do not match an input of ${image.axes} spatial axes`);
  const flat = image.axes === 1;
  const shape = flat ? [w.shape[0]!, w.shape[1]!, 1, w.shape[2]!] : w.shape;
  const weights = flat ? emitReshape(node, node.inputs[1]!, shape) : node.inputs[1]!;
  const spatial = (name: string, fallback: number): [number, number] => {
    const v = node.ints(name) ?? new Array<number>(image.axes).fill(fallback);
    if (v.length !== image.axes) node.reject(`attribute ${name} has ${v.length} values for ${image.axes} spatial axes`);
    return flat ? [fallback, v[0]!] : [v[0]!, v[1]!];
  };
  const [strides, dilations] = [spatial('strides', 1), spatial('dilations', 1)];
  const attrs: Attrs = {
    strides,
    dilations,
    pads: transposePads(node, image, shape, strides, dilations, spatial),
    groups: node.int('group', 1),
    layout: 'nchw',
  };
  const inputs = node.inputs[2] ? [image.name, weights, node.inputs[2]] : [image.name, weights];
  const out = inferTransposed(
    [
      { dtype: 'f32', shape: image.shape },
      { dtype: 'f32', shape },
    ],
    attrs,
  )[0]!;
  if (!flat) node.emit('ConvTranspose', inputs, attrs, node.outputs);
  else image.finish(node.emit('ConvTranspose', inputs, attrs)[0]!, out.shape);
}

function transposePads(
  node: OnnxNode,
  image: { axes: 1 | 2; shape: readonly number[] },
  weights: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
  spatial: (name: string, fallback: number) => [number, number],
): number[] {
  const extra = spatial('output_padding', 0);
  const auto = node.string('auto_pad', 'NOTSET');
  const natural = [0, 1].map(
    (a) => strides[a]! * (image.shape[2 + a]! - 1) + span(weights[2 + a]!, dilations[a]!) + extra[a]!,
  );
  const same = auto === 'SAME_UPPER' || auto === 'SAME_LOWER';
  if (node.has('output_shape') || same) {
    const wanted = node.has('output_shape')
      ? spatial('output_shape', 1)
      : [0, 1].map((a) => image.shape[2 + a]! * strides[a]!);
    const total = natural.map((v, a) => v - wanted[a]!);
    const half = total.map((t) => Math.floor(t / 2));
    const begin = auto === 'SAME_UPPER' ? half : total.map((t, a) => t - half[a]!);
    return [begin[0]!, begin[1]!, total[0]! - begin[0]! - extra[0], total[1]! - begin[1]! - extra[1]];
  }
  const p = auto === 'VALID' ? [0, 0, 0, 0] : importPads(node, image.axes);
  return [p[0]!, p[1]!, p[2]! - extra[0], p[3]! - extra[1]];
}

/** Sizes; weights are [C,O/g,kh,kw] in NCHW, [C,kh,kw,O/g] in NHWC. */
function transposedShape(x: TensorType, w: TensorType, attrs: Attrs): ConvShape {
  const layout = layoutOf(attrs);
  const win = windowAttrs(attrs);
  checkWindow('ConvTranspose', win);
  const [ci, kh, kw, og] = (layout === 'nchw' ? TO_NHWC.map((d) => w.shape[d]!) : w.shape) as [
    number,
    number,
    number,
    number,
  ];
  const { n, h, w: width, c } = imageDims('ConvTranspose', x, layout);
  const groups = groupsOf(attrs);
  if (!(groups >= 1) || ci !== c || c % groups !== 0)
    invalid('ConvTranspose', `weights ${formatType(w)} in ${groups} group(s) do not match ${formatType(x)}`);
  const size = (inp: number, k: number, a: 0 | 1): number =>
    win.strides[a] * (inp - 1) + span(k, win.dilations[a]) - win.pads[a] - win.pads[a + 2]!;
  const [oh, ow] = [size(h, kh, 0), size(width, kw, 1)];
  if (oh < 1 || ow < 1) invalid('ConvTranspose', `pads [${win.pads.join(',')}] leave nothing of the output`);
  return { n, h, w: width, c, o: og * groups, kh, kw, groups, oh, ow };
}

function inferTransposed(inputs: Types, attrs: Attrs): TensorType[] {
  const s = transposedShape(
    floatInput('ConvTranspose', inputs, 0, 4),
    floatInput('ConvTranspose', inputs, 1, 4),
    attrs,
  );
  if (inputs[2]) expectShape('ConvTranspose', 'bias', floatInput('ConvTranspose', inputs, 2), [s.o]);
  return [{ dtype: 'f32', shape: imageShape(layoutOf(attrs), s.n, s.oh, s.ow, s.o) }];
}

/** Scatters every input pixel times the kernel into f64 sums. */
function scatter(x: Float32Array, w: Float32Array, s: ConvShape, win: Window): Float64Array {
  const out = new Float64Array(s.n * s.oh * s.ow * s.o);
  const [cg, og] = [s.c / s.groups, s.o / s.groups];
  for (let n = 0, xi = 0; n < s.n; n++) {
    for (let y = 0; y < s.h; y++) {
      for (let v = 0; v < s.w; v++) {
        for (let i = 0; i < s.c; i++, xi++) {
          const value = x[xi]!;
          const to = Math.floor(i / cg) * og;
          for (let ky = 0; ky < s.kh; ky++) {
            const oy = y * win.strides[0] - win.pads[0] + ky * win.dilations[0];
            if (oy < 0 || oy >= s.oh) continue;
            for (let kx = 0; kx < s.kw; kx++) {
              const ox = v * win.strides[1] - win.pads[1] + kx * win.dilations[1];
              if (ox < 0 || ox >= s.ow) continue;
              const oi = ((n * s.oh + oy) * s.ow + ox) * s.o + to;
              const wi = ((i * s.kh + ky) * s.kw + kx) * og;
              for (let o = 0; o < og; o++) out[oi + o]! += value * w[wi + o]!;
            }
          }
        }
      }
    }
  }
  return out;
}

const attrsOf = (strides: number[], pads: number[], dilations = [1, 1], groups = 1): Attrs => ({
  strides,
  pads,
  dilations,
  groups,
  layout: 'nhwc',
});

/** Ends that are negative pads are rows without contributions, which ONNX calls output padding. */
function writeConvTranspose(w: OnnxWriter): void {
  const window = windowOf(w.attrs, w.type(1).shape.slice(2));
  const extra = window.pads.slice(2).map((p) => Math.max(0, -p));
  const attrs = {
    ...window,
    pads: window.pads.map((p) => Math.max(0, p)),
    output_padding: extra,
    group: groupsOf(w.attrs),
  };
  w.emit('ConvTranspose', [w.input(0), w.input(1), w.input(2)], attrs, [w.output()]);
}

export const convTranspose: OpDef = {
  name: 'ConvTranspose',
  doc: 'Transposed 2-D convolution; inputs: x, w, b?; NCHW with w [C,O/g,kh,kw] as imported, NHWC with w [C,kh,kw,O/g] after normalization.',
  tolerance: 'rounding',
  infer: inferTransposed,
  evaluate(inputs, attrs) {
    const nchw = layoutOf(attrs) === 'nchw';
    const s = transposedShape(inputs[0]!, inputs[1]!, attrs);
    const x = nchw ? transposed(inputs[0]!, TO_NHWC) : inputs[0]!;
    const w = nchw ? transposed(inputs[1]!, TO_NHWC) : inputs[1]!;
    const sums = scatter(floats(x), floats(w), s, windowAttrs(attrs));
    const shape = [s.n, s.oh, s.ow, s.o];
    const bias = inputs[2] ? floats(inputs[2]) : undefined;
    const out = new Float32Array(sizeOf(shape));
    for (let i = 0; i < out.length; i++) out[i] = bias ? sums[i]! + bias[i % s.o]! : sums[i]!;
    const y = f32(shape, out);
    return [nchw ? transposed(y, TO_NCHW) : y];
  },
  lower: (_inputs, attrs) => ({ kind: 'convtranspose', ...windowAttrs(attrs), groups: groupsOf(attrs) }),
  toOnnx: { order: 'image', write: writeConvTranspose },
  onnx: { ConvTranspose: importConvTranspose },
  cases: [
    {
      name: '2x2 stride 2',
      inputs: [sample([1, 3, 5, 6]), sample([6, 2, 2, 5], 2), sample([5], 3)],
      attrs: attrsOf([2, 2], [0, 0, 0, 0]),
      constants: [1, 2],
    },
    {
      name: '2x2 stride 2, whole vectors',
      inputs: [sample([2, 3, 3, 5]), sample([5, 2, 2, 8], 2), sample([8], 3)],
      attrs: attrsOf([2, 2], [0, 0, 0, 0]),
      constants: [1, 2],
    },
    {
      name: '2x2 stride 2, one output',
      inputs: [sample([1, 3, 2, 7]), sample([7, 2, 2, 1], 2)],
      attrs: attrsOf([2, 2], [0, 0, 0, 0]),
      constants: [1],
    },
    {
      name: '3x3, output padding',
      inputs: [sample([1, 4, 3, 3]), sample([3, 3, 3, 4], 2)],
      attrs: attrsOf([2, 2], [1, 1, 0, 0]),
      constants: [1],
    },
    {
      name: 'negative end pad',
      inputs: [sample([1, 3, 3, 2]), sample([2, 2, 2, 3], 2)],
      attrs: attrsOf([3, 3], [0, 0, -1, -1]),
      constants: [1],
    },
    {
      name: 'groups, dilated',
      inputs: [sample([2, 3, 4, 4]), sample([4, 3, 2, 3], 2), sample([6], 3)],
      attrs: attrsOf([1, 2], [1, 0, 1, 1], [2, 1], 2),
      constants: [1, 2],
    },
  ],
};
