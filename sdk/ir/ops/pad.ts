import {
  formatType,
  newArray,
  numberAt,
  sizeOf,
  stridesOf,
  type Tensor,
  tensor,
  toNumbers,
} from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { f32, i64 } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { axisOf, ints, invalid, num, required, str } from './lib/check.ts';
import { emitSlice } from './slice.ts';

type Mode = 'constant' | 'edge' | 'reflect';

/** Amounts are an attribute up to opset 10, an input after; negative amounts crop. */
function importPad(node: OnnxNode): void {
  const shape = node.type(0)?.shape ?? node.reject('input 0 is missing');
  const amounts = node.opset < 11 ? [...(node.ints('pads') ?? [])] : toNumbers(node.need(1, 'pads'));
  const axes = node.inputs[3]
    ? toNumbers(node.need(3, 'axes')).map((a) => axisOf('Pad', a, shape.length))
    : shape.map((_, i) => i);
  if (amounts.length !== 2 * axes.length) node.reject(`pads [${amounts.join(',')}] do not match [${shape.join(',')}]`);
  const value = node.opset < 11 ? node.float('value', 0) : node.inputs[2] ? numberAt(node.need(2, 'value'), 0) : 0;
  const before = shape.map(() => 0);
  const after = shape.map(() => 0);
  axes.forEach((a, i) => {
    before[a] = amounts[i]!;
    after[a] = amounts[axes.length + i]!;
  });
  let data = node.inputs[0]!;
  if ([...before, ...after].some((p) => p < 0)) {
    const windows = shape.map((d, i) => ({
      start: Math.max(0, -before[i]!),
      size: d + Math.min(0, before[i]!) + Math.min(0, after[i]!),
      step: 1,
    }));
    data = emitSlice(node, data, windows);
  }
  const positive = (v: number): number => Math.max(v, 0);
  node.emit(
    'Pad',
    [data],
    { before: before.map(positive), after: after.map(positive), mode: node.string('mode', 'constant'), value },
    node.outputs,
  );
}

/** Index into an axis of `dim` elements for a position outside it; -1 where the pad value stands. */
function sourceIndex(i: number, dim: number, mode: Mode): number {
  if (i >= 0 && i < dim) return i;
  if (mode === 'constant') return -1;
  if (mode === 'edge') return i < 0 ? 0 : dim - 1;
  return i < 0 ? -i : 2 * (dim - 1) - i;
}

/** The pad value in the type that is written: what a code stands for, where the tensor holds codes. */
function padding(w: OnnxWriter): Tensor {
  const { dtype } = w.type(0);
  const value = num(w.attrs, 'value');
  if (dtype !== 'i8' && dtype !== 'i16') return tensor(dtype, [], [value]);
  const { scale, zero } = w.quantization(0);
  if (scale.length !== 1) w.reject('codes of several scales are padded');
  return f32([], [(value - zero[0]!) * scale[0]!]);
}

export const pad: OpDef = {
  name: 'Pad',
  doc: 'Adds before[d] and after[d] elements along every axis; modes constant (value), edge and reflect.',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const t = required('Pad', inputs, 0);
    const [before, after, mode] = [ints(attrs, 'before'), ints(attrs, 'after'), str(attrs, 'mode')];
    if (!['constant', 'edge', 'reflect'].includes(mode))
      invalid('Pad', `mode '${mode}' is not supported (constant, edge and reflect are)`);
    if (before.length !== t.shape.length || after.length !== t.shape.length)
      invalid('Pad', `amounts do not match ${formatType(t)}`);
    const limit = mode === 'reflect' ? 1 : 0;
    t.shape.forEach((d, i) => {
      const most = Math.max(before[i]!, after[i]!);
      if (mode !== 'constant' && most > 0 && (d === 0 || (limit === 1 && most >= d)))
        invalid('Pad', `axis ${i} of ${formatType(t)} is too short for mode ${mode}`);
    });
    return [{ dtype: t.dtype, shape: t.shape.map((d, i) => d + before[i]! + after[i]!) }];
  },
  evaluate(inputs, attrs) {
    const t = inputs[0]!;
    const [before, after, mode] = [ints(attrs, 'before'), ints(attrs, 'after'), str(attrs, 'mode') as Mode];
    const shape = t.shape.map((d, i) => d + before[i]! + after[i]!);
    const own = stridesOf(t.shape);
    const sources = shape.map((n, d) =>
      Array.from({ length: n }, (_, i) => sourceIndex(i - before[d]!, t.shape[d]!, mode)),
    );
    const out = newArray(t.dtype, sizeOf(shape));
    const wide = t.dtype === 'i64' || t.dtype === 'u64';
    const fill = wide ? BigInt(Math.trunc(num(attrs, 'value'))) : num(attrs, 'value');
    const index = shape.map(() => 0);
    for (let o = 0; o < out.length; o++) {
      let from = 0;
      for (let d = 0; d < shape.length && from >= 0; d++) {
        const s = sources[d]![index[d]!]!;
        from = s < 0 ? -1 : from + s * own[d]!;
      }
      out[o] = (from < 0 ? fill : t.data[from]!) as never;
      for (let d = shape.length - 1; d >= 0 && ++index[d]! >= shape[d]!; d--) index[d] = 0;
    }
    return [{ dtype: t.dtype, shape, data: out }];
  },
  lower: (_inputs, attrs) => ({
    kind: 'pad',
    before: ints(attrs, 'before'),
    mode: str(attrs, 'mode') as Mode,
    value: num(attrs, 'value'),
  }),
  toOnnx: {
    order: 'any',
    write(w) {
      const [before, after] = [w.axes(ints(w.attrs, 'before')), w.axes(ints(w.attrs, 'after'))];
      const mode = str(w.attrs, 'mode');
      const inputs = [w.input(0), w.constantValue(i64([...before, ...after]))];
      if (mode === 'constant') inputs.push(w.constantValue(padding(w)));
      w.emit('Pad', inputs, { mode }, [w.output()]);
    },
  },
  onnx: { Pad: importPad },
  cases: [
    {
      name: 'zeros',
      inputs: [sample([1, 3, 3, 5])],
      attrs: { before: [0, 1, 2, 0], after: [0, 2, 1, 0], mode: 'constant', value: 0 },
    },
    {
      name: 'constant',
      inputs: [sample([3, 5])],
      attrs: { before: [1, 0], after: [0, 3], mode: 'constant', value: -1.5 },
    },
    {
      name: 'codes',
      inputs: [sampleInts('i8', [1, 3, 3, 5], -128, 128)],
      attrs: { before: [0, 1, 2, 0], after: [0, 2, 1, 0], mode: 'constant', value: -128 },
    },
    { name: 'edge', inputs: [sample([3, 5])], attrs: { before: [1, 2], after: [2, 3], mode: 'edge', value: 0 } },
    { name: 'reflect', inputs: [sample([3, 5])], attrs: { before: [1, 2], after: [2, 3], mode: 'reflect', value: 0 } },
  ],
};
