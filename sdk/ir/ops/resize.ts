import { newArray, sizeOf, type Tensor, type TensorType, toNumbers } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import type { OpDef, Types } from '../op.ts';
import { f32, i64, transposed } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { floatInput, ints, invalid, required, str } from './lib/check.ts';
import { imageDims, imageShape, importImage, layoutOf, TO_NCHW, TO_NHWC } from './lib/window.ts';

type Coordinate = 'asymmetric' | 'half_pixel' | 'pytorch_half_pixel' | 'align_corners';
type Nearest = 'floor' | 'ceil' | 'round_prefer_floor' | 'round_prefer_ceil';
const COORDINATES: readonly string[] = ['asymmetric', 'half_pixel', 'pytorch_half_pixel', 'align_corners'];

/** Upsample (7: attribute, 9: input), Resize 10 (scales only) and Resize 11+ (roi, scales, sizes). */
function importResize(node: OnnxNode): void {
  const image = importImage(node);
  const rank = image.axes + 2;
  const modern = node.opType === 'Resize' && node.opset >= 11;
  const mode = node.string('mode', 'nearest');
  if (mode !== 'nearest' && mode !== 'linear') node.reject(`mode '${mode}' is not supported (nearest and linear are)`);
  const coordinate = modern ? node.string('coordinate_transformation_mode', 'half_pixel') : 'asymmetric';
  if (!COORDINATES.includes(coordinate))
    node.reject(`coordinate_transformation_mode '${coordinate}' is not supported (${COORDINATES.join(', ')} are)`);
  if (node.int('antialias', 0) === 1 || node.string('keep_aspect_ratio_policy', 'stretch') !== 'stretch')
    node.reject('antialias and keep_aspect_ratio_policy are not supported');
  const axes = node.ints('axes') ?? Array.from({ length: rank }, (_, i) => i);
  const full = (values: readonly number[], fill: readonly number[]): number[] => {
    if (values.length !== axes.length) node.reject(`${values.length} scales or sizes for ${axes.length} axes`);
    const out = [...fill];
    axes.forEach((a, i) => {
      out[a < 0 ? a + rank : a] = values[i]!;
    });
    return out;
  };
  const shape = image.axes === 1 ? image.shape.filter((_, i) => i !== 2) : image.shape;
  const given = (i: number, what: string): number[] | undefined => {
    if (!node.inputs[i]) return undefined;
    const values = toNumbers(node.need(i, what));
    return values.length > 0 ? values : undefined;
  };
  const listed =
    node.opType === 'Upsample' && node.has('scales')
      ? [...(node.floats('scales') ?? [])]
      : given(modern ? 2 : 1, 'scales');
  const sizes = modern && !listed ? given(3, 'sizes') : undefined;
  if (!listed && !sizes) node.reject('has neither scales nor sizes');
  const scales = listed
    ? full(
        listed,
        shape.map(() => 1),
      )
    : full(sizes!, shape).map((s, i) => s / shape[i]!);
  const target = listed ? shape.map((d, i) => Math.floor(d * scales[i]!)) : full(sizes!, shape);
  if (target[0] !== shape[0] || target[1] !== shape[1]) node.reject('only spatial axes can be resized');
  const spatial = <T>(v: readonly T[], one: T): T[] => (image.axes === 1 ? [one, v[2]!] : [v[2]!, v[3]!]);
  const nearest = modern ? node.string('nearest_mode', 'round_prefer_floor') : 'floor';
  const attrs: Attrs = {
    mode,
    coordinate,
    nearest,
    scales: spatial(scales, 1),
    size: spatial(target, 1),
    layout: 'nchw',
  };
  const [h, w] = spatial(target, 1);
  image.finish(node.emit('Resize', [image.name], attrs)[0]!, [shape[0]!, shape[1]!, h!, w!]);
}

function inferResize(inputs: Types, attrs: Attrs): TensorType[] {
  const layout = layoutOf(attrs);
  const x = required('Resize', inputs, 0);
  const codes = (x.dtype === 'i8' || x.dtype === 'i16') && str(attrs, 'mode') === 'nearest';
  const { n, c } = imageDims('Resize', codes ? x : floatInput('Resize', inputs, 0, 4), layout);
  const [h, w] = ints(attrs, 'size') as [number, number];
  if (!(h >= 1 && w >= 1)) invalid('Resize', `a size of ${h}x${w} is not possible`);
  return [{ dtype: x.dtype, shape: imageShape(layout, n, h, w, c) }];
}

const f = Math.fround;

/** Source coordinate of output i, in f32 steps. */
export function sourceCoordinate(
  i: number,
  scale: number,
  input: number,
  output: number,
  coordinate: Coordinate,
): number {
  switch (coordinate) {
    case 'asymmetric':
      return f(i / f(scale));
    case 'half_pixel':
      return f(f(f(i + 0.5) / f(scale)) - 0.5);
    case 'pytorch_half_pixel':
      return output > 1 ? f(f(f(i + 0.5) / f(scale)) - 0.5) : 0;
    case 'align_corners':
      return output > 1 ? f(f(i * (input - 1)) / f(output - 1)) : 0;
    default:
      return coordinate satisfies never;
  }
}

function nearestIndex(x: number, mode: Nearest, size: number): number {
  const half = x - Math.floor(x) === 0.5;
  let i = Math.floor(x);
  if (mode === 'ceil') i = Math.ceil(x);
  else if (mode === 'round_prefer_floor') i = half ? Math.floor(x) : Math.floor(x + 0.5);
  else if (mode === 'round_prefer_ceil') i = half ? Math.ceil(x) : Math.floor(x + 0.5);
  return Math.min(Math.max(i, 0), size - 1);
}

/** The two source indices of every output along an axis, and the weight of the second. */
export function resizeTaps(
  input: number,
  output: number,
  scale: number,
  attrs: Attrs,
): { lo: number; hi: number; t: number }[] {
  const coordinate = str(attrs, 'coordinate') as Coordinate;
  return Array.from({ length: output }, (_, i) => {
    const x = sourceCoordinate(i, scale, input, output, coordinate);
    if (str(attrs, 'mode') === 'nearest') {
      const k = nearestIndex(x, str(attrs, 'nearest') as Nearest, input);
      return { lo: k, hi: k, t: 0 };
    }
    const inside = Math.min(Math.max(x, 0), input - 1);
    const lo = Math.floor(inside);
    return { lo, hi: Math.min(lo + 1, input - 1), t: f(inside - lo) };
  });
}

function evaluateNhwc(image: Tensor, out: TensorType, attrs: Attrs): Tensor {
  const x = image.data as ArrayLike<number>;
  const [, h, w, c] = image.shape as [number, number, number, number];
  const [n, oh, ow] = out.shape as [number, number, number];
  const scales = ints(attrs, 'scales');
  const rows = resizeTaps(h, oh, scales[0]!, attrs);
  const cols = resizeTaps(w, ow, scales[1]!, attrs);
  const y = newArray(out.dtype as 'f32' | 'i8' | 'i16', sizeOf(out.shape));
  const mix = (a: number, b: number, t: number): number => f(f(a * f(1 - t)) + f(b * t));
  let o = 0;
  for (let b = 0; b < n; b++) {
    for (const r of rows) {
      for (const q of cols) {
        const at = (i: number, j: number): number => ((b * h + i) * w + j) * c;
        const [tl, tr, bl, br] = [at(r.lo, q.lo), at(r.lo, q.hi), at(r.hi, q.lo), at(r.hi, q.hi)];
        for (let k = 0; k < c; k++)
          y[o++] = mix(mix(x[tl + k]!, x[tr + k]!, q.t), mix(x[bl + k]!, x[br + k]!, q.t), r.t);
      }
    }
  }
  return { ...out, data: y } as Tensor;
}

/** Sizes where they give the scales of the graph, else the scales. */
function writeResize(w: OnnxWriter): void {
  const [size, scales] = [ints(w.attrs, 'size'), ints(w.attrs, 'scales')];
  const [n, c, ...image] = w.type(0).shape as [number, number, number, number];
  const natural = image.every((d, a) => Math.abs(size[a]! / d - scales[a]!) < 1e-9);
  if (!natural && image.some((d, a) => Math.floor(d * f(scales[a]!)) !== size[a]))
    w.reject(`scales ${scales.join()} do not make ${image.join('x')} ${size.join('x')}`);
  const by = natural ? ['', w.constantValue(i64([n, c, ...size]))] : [w.constantValue(f32([4], [1, 1, ...scales]))];
  const attrs = {
    mode: str(w.attrs, 'mode'),
    coordinate_transformation_mode: str(w.attrs, 'coordinate'),
    nearest_mode: str(w.attrs, 'nearest'),
  };
  w.emit('Resize', [w.input(0), '', ...by], attrs, [w.output()]);
}

const attrsOf = (
  mode: string,
  scales: number[],
  size: number[],
  coordinate = 'half_pixel',
  nearest = 'round_prefer_floor',
): Attrs => ({
  mode,
  coordinate,
  nearest,
  scales,
  size,
  layout: 'nhwc',
});

export const resize: OpDef = {
  name: 'Resize',
  doc: 'Image resized to `size` [height, width], nearest or linear; source coordinates by `coordinate` with the given scales.',
  tolerance: 'rounding',
  infer: inferResize,
  evaluate(inputs, attrs) {
    const nchw = layoutOf(attrs) === 'nchw';
    const x = nchw ? transposed(inputs[0]!, TO_NHWC) : inputs[0]!;
    const y = evaluateNhwc(x, inferResize([x], { ...attrs, layout: 'nhwc' })[0]!, attrs);
    return [nchw ? transposed(y, TO_NCHW) : y];
  },
  lower: (_inputs, attrs) => ({
    kind: 'resize',
    mode: str(attrs, 'mode') as 'nearest' | 'linear',
    coordinate: str(attrs, 'coordinate') as Coordinate,
    nearest: str(attrs, 'nearest') as Nearest,
    scales: ints(attrs, 'scales') as unknown as [number, number],
  }),
  toOnnx: { order: 'image', write: writeResize },
  onnx: { Resize: importResize, Upsample: importResize },
  cases: [
    {
      name: 'nearest x2',
      inputs: [sample([1, 3, 4, 5])],
      attrs: attrsOf('nearest', [2, 2], [6, 8], 'asymmetric', 'floor'),
    },
    {
      name: 'nearest of codes',
      inputs: [sampleInts('i8', [1, 3, 4, 5], -128, 128)],
      attrs: attrsOf('nearest', [2, 2], [6, 8], 'asymmetric', 'floor'),
    },
    { name: 'nearest down', inputs: [sample([1, 7, 5, 3])], attrs: attrsOf('nearest', [0.6, 0.6], [4, 3]) },
    { name: 'linear x2', inputs: [sample([2, 3, 4, 6])], attrs: attrsOf('linear', [2, 2], [6, 8]) },
    {
      name: 'linear, corners',
      inputs: [sample([1, 3, 3, 4])],
      attrs: attrsOf('linear', [7 / 3, 5 / 3], [7, 5], 'align_corners'),
    },
    {
      name: 'linear, pytorch',
      inputs: [sample([1, 4, 4, 4])],
      attrs: attrsOf('linear', [0.25, 1.5], [1, 6], 'pytorch_half_pixel'),
    },
  ],
};
