import { sizeOf, tensor } from '../../../../util/tensor.ts';
import { batchToSpace, concat, pad, reshape, slice, spaceToBatch, split, transpose } from '../../lib/shape.ts';
import type { TfNode, Translate, TranslateTable } from '../node.ts';
import { stridedSlice } from './strided-slice.ts';

const numbers = (n: TfNode, values: readonly number[], shape = [values.length]): string =>
  n.e.constant(tensor('i32', shape, values));

function squeeze(n: TfNode): string {
  const given = n.attrs.ints('squeeze_dims') ?? n.attrs.ints('axis') ?? [];
  const shape = n.shape(0);
  const axes = given.length > 0 ? given.map((a) => n.axis(a, 0)) : shape.flatMap((d, i) => (d === 1 ? [i] : []));
  for (const a of axes) if (shape[a] !== 1) n.e.reject(`axis ${a} of [${shape.join()}] has more than one element`);
  return reshape(
    n.e,
    n.input(0),
    shape.filter((_, i) => !axes.includes(i)),
  );
}

function expandDims(n: TfNode): string {
  const shape = [...n.shape(0)];
  shape.splice(n.axis(n.number(1, 'the axis'), 0, 1), 0, 1);
  return reshape(n.e, n.input(0), shape);
}

/** One size may be -1: what is left. */
function reshapeTo(n: TfNode): string {
  const shape = n.numbers(1, 'the shape');
  const rest = sizeOf(n.shape(0)) / sizeOf(shape.filter((d) => d !== -1));
  if (shape.filter((d) => d < 0).length > 1) n.e.reject(`the shape [${shape.join()}] leaves more than one size open`);
  return reshape(
    n.e,
    n.input(0),
    shape.map((d) => (d === -1 ? rest : d)),
  );
}

function splitEvenly(n: TfNode): readonly string[] {
  const axis = n.axis(n.number(0, 'the axis'), 1);
  const [size, count] = [n.shape(1)[axis]!, n.attrs.int('num_split')];
  if (size % count !== 0) n.e.reject(`${size} elements are not ${count} equal parts`);
  return split(n.e, n.input(1), new Array<number>(count).fill(size / count), axis);
}

function splitBySizes(n: TfNode): readonly string[] {
  const axis = n.axis(n.number(2, 'the axis'), 0);
  const sizes = n.numbers(1, 'the sizes');
  const rest = n.shape(0)[axis]! - sizes.filter((s) => s >= 0).reduce((a, b) => a + b, 0);
  return split(
    n.e,
    n.input(0),
    sizes.map((s) => (s < 0 ? rest : s)),
    axis,
  );
}

function sliceOf(n: TfNode): string {
  const [begin, size] = [n.numbers(1, 'begin'), n.numbers(2, 'size')];
  const ends = begin.map((b, i) => (size[i] === -1 ? n.shape(0)[i]! : b + (size[i] ?? 0)));
  return slice(
    n.e,
    n.input(0),
    begin,
    ends,
    begin.map((_, i) => i),
  );
}

function pack(n: TfNode): string {
  const axis = n.axis(n.attrs.int('axis', 0), 0, 1);
  const rows = n.inputs.map((v) => {
    const shape = [...n.e.shape(v)];
    shape.splice(axis, 0, 1);
    return reshape(n.e, v, shape);
  });
  return concat(n.e, rows, axis);
}

function unpack(n: TfNode): readonly string[] {
  const axis = n.axis(n.attrs.int('axis', 0), 0);
  const shape = n.shape(0);
  const parts = split(n.e, n.input(0), new Array<number>(shape[axis]!).fill(1), axis);
  return parts.map((p) =>
    reshape(
      n.e,
      p,
      shape.filter((_, i) => i !== axis),
    ),
  );
}

function reverse(n: TfNode): string {
  const axes = n.numbers(1, 'the axes').map((a) => n.axis(a, 0));
  return slice(
    n.e,
    n.input(0),
    axes.map(() => -1),
    axes.map(() => -(2 ** 31)),
    axes,
    axes.map(() => -1),
  );
}

/** x in a larger shape, whose axes of one element are repeated. */
const expand = (n: TfNode, x: string, shape: readonly number[]): string => n.e.op('Expand', [x, n.e.list(shape)]);

/** More numbers than this are no shape or list of indices. */
const MOST_NUMBERS = 2 ** 24;

function range(n: TfNode): string {
  const [from, to, step] = [n.number(0, 'the start'), n.number(1, 'the limit'), n.number(2, 'the step')];
  if (step === 0 || !((to - from) / step <= MOST_NUMBERS))
    n.e.reject(`from ${from} to ${to} in steps of ${step} is not possible`);
  return n.e.op('Range', [n.input(0), n.input(1), n.input(2)]);
}

const padding: Translate = (n) => pad(n.e, n.input(0), n.pairs(1, 'the paddings'), 'constant', n.inputs[2]);

export const SHAPES: TranslateTable = {
  Identity: (n) => n.input(0),
  IdentityN: (n) => n.inputs,
  StopGradient: (n) => n.input(0),
  PreventGradient: (n) => n.input(0),
  PlaceholderWithDefault: (n) => n.input(0),
  Shape: (n) => numbers(n, n.shape(0)),
  Size: (n) => numbers(n, [sizeOf(n.shape(0))], []),
  Rank: (n) => numbers(n, [n.shape(0).length], []),
  Reshape: reshapeTo,
  Squeeze: squeeze,
  ExpandDims: expandDims,
  Transpose: (n) => transpose(n.e, n.input(0), n.numbers(1, 'the order of axes')),
  Concat: (n) => concat(n.e, n.inputs.slice(1), n.axis(n.number(0, 'the axis'), 1)),
  ConcatV2: (n) => concat(n.e, n.inputs.slice(0, -1), n.axis(n.number(n.inputs.length - 1, 'the axis'), 0)),
  Split: splitEvenly,
  SplitV: splitBySizes,
  Slice: sliceOf,
  StridedSlice: stridedSlice,
  Pack: pack,
  Unpack: unpack,
  Tile: (n) => n.e.op('Tile', [n.input(0), n.e.list(n.numbers(1, 'the repeats'))]),
  Fill: (n) => expand(n, n.input(1), n.numbers(0, 'the shape')),
  BroadcastTo: (n) => expand(n, n.input(0), n.numbers(1, 'the shape')),
  Range: range,
  Pad: padding,
  PadV2: padding,
  MirrorPad(n) {
    const mode = n.attrs.string('mode');
    if (mode !== 'REFLECT') n.e.reject(`mode ${mode} is not supported (REFLECT is)`);
    return pad(n.e, n.input(0), n.pairs(1, 'the paddings'), 'reflect');
  },
  ReverseV2: reverse,
  SpaceToBatchND: (n) => spaceToBatch(n.e, n.input(0), n.numbers(1, 'the block'), n.pairs(2, 'the paddings')),
  BatchToSpaceND: (n) => batchToSpace(n.e, n.input(0), n.numbers(1, 'the block'), n.pairs(2, 'the crops')),
  InvertPermutation(n) {
    const perm = n.numbers(0, 'the order of axes');
    return numbers(
      n,
      perm.map((_, i) => perm.indexOf(i)),
    );
  },
  GatherNd: (n) => n.e.op('GatherND', [n.input(0), n.e.op('Cast', [n.input(1)], { to: 7 })]),
};
