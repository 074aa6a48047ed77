import { sizeOf, type Tensor, tensor } from '../../../util/tensor.ts';

/** f32 test data, the same on every machine: uniform in [lo, hi) from a small linear congruential generator. */
export function sample(shape: readonly number[], seed = 1, lo = -2, hi = 2): Tensor<'f32'> {
  const out = new Float32Array(sizeOf(shape));
  let s = Math.imul(seed, 2654435761) >>> 0;
  for (let i = 0; i < out.length; i++) {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    out[i] = lo + (hi - lo) * (s / 4294967296);
  }
  return tensor('f32', shape, out);
}

/** Integer test data in [lo, hi). */
export function sampleInts<D extends 'i8' | 'i16' | 'i32' | 'i64'>(
  dtype: D,
  shape: readonly number[],
  lo: number,
  hi: number,
  seed = 1,
): Tensor<D> {
  return tensor(dtype, shape, Array.from(sample(shape, seed, lo, hi).data, Math.floor));
}

/** 0/1 test data. */
export function sampleBools(shape: readonly number[], seed = 1): Tensor<'bool'> {
  return tensor(
    'bool',
    shape,
    Array.from(sample(shape, seed, 0, 1).data, (v) => (v < 0.5 ? 0 : 1)),
  );
}
