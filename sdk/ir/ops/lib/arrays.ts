import { newArray, sizeOf, stridesOf, type Tensor, tensor } from '../../../util/tensor.ts';

/** out[idx] = in[offset + sum(idx[d] * strides[d])] for every index of `shape`, any dtype. */
export function stridedCopy(t: Tensor, offset: number, strides: readonly number[], shape: readonly number[]): Tensor {
  const n = sizeOf(shape);
  const out = newArray(t.dtype, n);
  if (n === 0) return { dtype: t.dtype, shape: [...shape], data: out };
  const rank = shape.length;
  const inner = rank > 0 ? shape[rank - 1]! : 1;
  const innerStride = rank > 0 ? strides[rank - 1]! : 0;
  const index = new Array<number>(Math.max(rank - 1, 0)).fill(0);
  let from = offset;
  const src = t.data;
  for (let o = 0; o < n; o += inner) {
    for (let i = 0, p = from; i < inner; i++, p += innerStride) out[o + i] = src[p] as never;
    for (let d = rank - 2; d >= 0; d--) {
      from += strides[d]!;
      if (++index[d]! < shape[d]!) break;
      from -= index[d]! * strides[d]!;
      index[d] = 0;
    }
  }
  return { dtype: t.dtype, shape: [...shape], data: out };
}

/** numpy.transpose. */
export function transposed(t: Tensor, perm: readonly number[]): Tensor {
  const s = stridesOf(t.shape);
  return stridedCopy(
    t,
    0,
    perm.map((p) => s[p]!),
    perm.map((p) => t.shape[p]!),
  );
}

/** Strides that read a tensor of `shape` as if broadcast to `to`: 0 along repeated axes. */
export function broadcastStrides(shape: readonly number[], to: readonly number[]): number[] {
  const own = stridesOf(shape);
  const lead = to.length - shape.length;
  return to.map((_, d) => (d < lead || shape[d - lead] === 1 ? 0 : own[d - lead]!));
}

export function broadcastTo(t: Tensor, shape: readonly number[]): Tensor {
  return stridedCopy(t, 0, broadcastStrides(t.shape, shape), shape);
}

export function reshaped(t: Tensor, shape: readonly number[]): Tensor {
  return { dtype: t.dtype, shape: [...shape], data: t.data };
}

/** Splits a shape at an axis: product before, size, product after. */
export function around(shape: readonly number[], axis: number): { outer: number; size: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), size: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}

export function f32(shape: readonly number[], data?: ArrayLike<number>): Tensor<'f32'> {
  return tensor('f32', shape, data);
}

export function i64(values: readonly number[]): Tensor<'i64'> {
  return tensor('i64', [values.length], values);
}

/** The data of an f32 tensor; anything else is a bug of the caller, since `infer` has been asked before. */
export function floats(t: Tensor | undefined): Float32Array {
  if (t?.dtype !== 'f32') throw new TypeError(`expected an f32 tensor, got ${t ? t.dtype : 'none'}`);
  return t.data as Float32Array;
}

/** Inverse of a permutation. */
export function inverse(perm: readonly number[]): number[] {
  const out = new Array<number>(perm.length);
  perm.forEach((p, i) => {
    out[p] = i;
  });
  return out;
}
