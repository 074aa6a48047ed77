import { type DType, newArray, type Tensor, tensor } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { required, str } from './lib/check.ts';

/** ONNX element types by number. The SDK computes in f32: half, bfloat16 and double are read as f32. */
export const ONNX_DTYPES: Readonly<Record<number, DType>> = {
  1: 'f32',
  2: 'u8',
  3: 'i8',
  4: 'u16',
  5: 'i16',
  6: 'i32',
  7: 'i64',
  9: 'bool',
  10: 'f32',
  11: 'f32',
  12: 'u32',
  13: 'u64',
  16: 'f32',
};

function writeCast(w: OnnxWriter): void {
  const from = w.type(0).dtype;
  const coded = from === 'i8' || from === 'i16';
  const to = str(w.attrs, 'to') as DType;
  const elemType = Object.entries(ONNX_DTYPES).find(([, dtype]) => dtype === to)![0];
  w.emit('Cast', [coded ? w.codes(0) : w.input(0)], { to: Number(elemType) }, [w.output()]);
}

function importCast(node: OnnxNode): void {
  const to = node.int('to');
  const dtype = ONNX_DTYPES[to] ?? node.reject(`element type ${to} is not supported`);
  node.emit('Cast', [node.inputs[0]!], { to: dtype }, node.outputs);
}

/** C semantics with saturation instead of undefined behaviour: floats truncate towards zero, NaN becomes 0. */
export function castTensor(t: Tensor, to: DType): Tensor {
  if (t.dtype === to) return t;
  const n = t.data.length;
  if (to === 'bool')
    return tensor(
      'bool',
      t.shape,
      Uint8Array.from({ length: n }, (_, i) => (Number(t.data[i]) !== 0 ? 1 : 0)),
    );
  const out = newArray(to, n);
  if (to === 'f32' || to === 'f64') for (let i = 0; i < n; i++) out[i] = Number(t.data[i]) as never;
  else {
    const wide = to === 'i64' || to === 'u64';
    for (let i = 0; i < n; i++) {
      const v = t.data[i]!;
      const whole = typeof v === 'bigint' ? v : wide ? BigInt(saturate(v)) : saturate(v);
      out[i] = (wide || typeof whole !== 'bigint' ? whole : Number(BigInt.asIntN(32, whole))) as never;
    }
  }
  return { dtype: to, shape: [...t.shape], data: out };
}

/** Truncation, limited so that the value has a 64-bit form. */
function saturate(v: number): number {
  if (Number.isNaN(v)) return 0;
  return Math.trunc(Math.min(Math.max(v, -(2 ** 63)), 2 ** 63 - 1024));
}

export const cast: OpDef = {
  name: 'Cast',
  doc: 'Elements converted to attribute `to`; floats to integers truncate towards zero.',
  tolerance: 'exact',
  infer: (inputs, attrs) => [{ dtype: str(attrs, 'to') as DType, shape: required('Cast', inputs, 0).shape }],
  evaluate: (inputs, attrs) => [castTensor(inputs[0]!, str(attrs, 'to') as DType)],
  lower: () => ({ kind: 'cast' }),
  toOnnx: { order: 'any', write: writeCast },
  onnx: {
    Cast: importCast,
    CastLike: (node) =>
      node.emit(
        'Cast',
        [node.inputs[0]!],
        { to: node.type(1)?.dtype ?? node.reject('input 1 is missing') },
        node.outputs,
      ),
  },
  cases: [
    { name: 'i64 to f32', inputs: [sampleInts('i64', [3, 5], -9, 9)], attrs: { to: 'f32' } },
    { name: 'f32 to i64', inputs: [sample([3, 5], 1, -9, 9)], attrs: { to: 'i64' } },
    { name: 'f32 to bool', inputs: [sample([3, 5], 1, -9, 9)], attrs: { to: 'bool' } },
    { name: 'i32 to f32', inputs: [sampleInts('i32', [7], -9, 9)], attrs: { to: 'f32' } },
  ],
};
