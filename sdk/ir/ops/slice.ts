import { formatType, stridesOf, toNumbers } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { i64, stridedCopy } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { axisOf, ints, invalid, required } from './lib/check.ts';

interface Window {
  start: number;
  size: number;
  step: number;
}

/** numpy's start:end:step on an axis of `dim` elements. */
function windowOf(dim: number, start: number, end: number, step: number): Window {
  const clampTo = (v: number, lo: number, hi: number): number => Math.min(Math.max(v < 0 ? v + dim : v, lo), hi);
  if (step > 0) {
    const s = clampTo(start, 0, dim);
    return { start: s, size: Math.max(0, Math.ceil((clampTo(end, 0, dim) - s) / step)), step };
  }
  const s = clampTo(start, -1, dim - 1);
  // An end below -dim means "before the first element".
  return { start: Math.max(s, 0), size: Math.max(0, Math.ceil((s - clampTo(end, -1, dim - 1)) / -step)), step };
}

/** Emits start, size, step for every axis. */
export function emitSlice(
  node: OnnxNode,
  input: string,
  windows: readonly Window[],
  outputs?: readonly string[],
): string {
  const attrs = {
    starts: windows.map((w) => w.start),
    sizes: windows.map((w) => w.size),
    steps: windows.map((w) => w.step),
  };
  return node.emit('Slice', [input], attrs, outputs)[0]!;
}

export function wholeOf(shape: readonly number[]): Window[] {
  return shape.map((size) => ({ start: 0, size, step: 1 }));
}

function importSlice(node: OnnxNode): void {
  const shape = node.type(0)?.shape ?? node.reject('input 0 is missing');
  const list = (i: number, key: string): number[] | undefined => {
    if (node.opset < 10) return node.has(key) ? [...(node.ints(key) ?? [])] : undefined;
    return node.inputs[i] ? toNumbers(node.need(i, key)) : undefined;
  };
  const starts = list(1, 'starts') ?? node.reject('has no starts');
  const ends = list(2, 'ends') ?? node.reject('has no ends');
  const axes = list(3, 'axes') ?? starts.map((_, i) => i);
  const steps = list(4, 'steps') ?? starts.map(() => 1);
  if (
    ends.length !== starts.length ||
    axes.length !== starts.length ||
    steps.length !== starts.length ||
    steps.includes(0)
  ) {
    node.reject(`starts, ends, axes and steps do not match: ${JSON.stringify({ starts, ends, axes, steps })}`);
  }
  const windows = wholeOf(shape);
  axes.forEach((axis, i) => {
    const a = axisOf('Slice', axis, shape.length);
    windows[a] = windowOf(shape[a]!, starts[i]!, ends[i]!, steps[i]!);
  });
  emitSlice(node, node.inputs[0]!, windows, node.outputs);
}

function importSplit(node: OnnxNode): void {
  const shape = node.type(0)?.shape ?? node.reject('input 0 is missing');
  const axis = axisOf('Split', node.int('axis', 0), shape.length);
  const given = node.has('split')
    ? [...(node.ints('split') ?? [])]
    : node.inputs[1]
      ? toNumbers(node.need(1, 'split'))
      : undefined;
  const chunk = Math.ceil(shape[axis]! / node.outputs.length);
  const sizes = given ?? node.outputs.map((_, i) => Math.max(0, Math.min(chunk, shape[axis]! - i * chunk)));
  if (sizes.length !== node.outputs.length || sizes.reduce((a, b) => a + b, 0) !== shape[axis]) {
    node.reject(
      `sizes [${sizes.join(',')}] do not split axis ${axis} of [${shape.join(',')}] into ${node.outputs.length} parts`,
    );
  }
  let start = 0;
  sizes.forEach((size, i) => {
    const windows = wholeOf(shape);
    windows[axis] = { start, size, step: 1 };
    start += size;
    if (node.outputs[i] !== '') emitSlice(node, node.inputs[0]!, windows, [node.outputs[i]!]);
  });
}

/** An end before the first element, which a negative number would count from the other side. */
const BEFORE_FIRST = -(2 ** 31);

function writeSlice(w: OnnxWriter): void {
  const [starts, sizes, steps] = ['starts', 'sizes', 'steps'].map((key) => w.axes(ints(w.attrs, key))) as [
    number[],
    number[],
    number[],
  ];
  const cut = w.type(0).shape.flatMap((d, a) => (starts[a] !== 0 || sizes[a] !== d || steps[a] !== 1 ? [a] : []));
  if (cut.length === 0) {
    w.define(0, w.input(0));
    return;
  }
  const end = (a: number): number => {
    const e = starts[a]! + sizes[a]! * steps[a]!;
    return e < 0 ? BEFORE_FIRST : e;
  };
  const lists = [cut.map((a) => starts[a]!), cut.map(end), cut, cut.map((a) => steps[a]!)];
  w.emit('Slice', [w.input(0), ...lists.map((v) => w.constantValue(i64(v)))], {}, [w.output()]);
}

export const slice: OpDef = {
  name: 'Slice',
  doc: 'out[i...] = in[starts[d] + i_d * steps[d]...]; attributes starts, sizes and steps, one an axis.',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const t = required('Slice', inputs, 0);
    const [starts, sizes, steps] = [ints(attrs, 'starts'), ints(attrs, 'sizes'), ints(attrs, 'steps')];
    t.shape.forEach((d, i) => {
      const last = starts[i]! + (sizes[i]! - 1) * steps[i]!;
      if (sizes[i]! > 0 && (starts[i]! < 0 || starts[i]! >= d || last < 0 || last >= d)) {
        invalid('Slice', `axis ${i} of ${formatType(t)} has no elements ${starts[i]}..${last}`);
      }
    });
    return [{ dtype: t.dtype, shape: [...sizes] }];
  },
  evaluate(inputs, attrs) {
    const { offset, strides } = reading(inputs[0]!.shape, ints(attrs, 'starts'), ints(attrs, 'steps'));
    return [stridedCopy(inputs[0]!, offset, strides, ints(attrs, 'sizes'))];
  },
  lower: (inputs, attrs) => ({
    kind: 'strided',
    ...reading(inputs[0]!.shape, ints(attrs, 'starts'), ints(attrs, 'steps')),
  }),
  toOnnx: { order: 'any', write: writeSlice },
  onnx: { Slice: importSlice, Split: importSplit },
  cases: [
    { name: 'middle', inputs: [sample([5, 7])], attrs: { starts: [1, 2], sizes: [3, 4], steps: [1, 1] } },
    {
      name: 'every second',
      inputs: [sample([2, 9, 3])],
      attrs: { starts: [0, 1, 0], sizes: [2, 4, 3], steps: [1, 2, 1] },
    },
    { name: 'reversed', inputs: [sample([2, 5])], attrs: { starts: [0, 4], sizes: [2, 5], steps: [1, -1] } },
  ],
};

function reading(
  shape: readonly number[],
  starts: readonly number[],
  steps: readonly number[],
): { offset: number; strides: number[] } {
  const own = stridesOf(shape);
  return { offset: starts.reduce((a, s, i) => a + s * own[i]!, 0), strides: own.map((s, i) => s * steps[i]!) };
}
