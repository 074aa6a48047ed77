import { bytesOf, type TypedArray } from '../../util/tensor.ts';

/** Shorter copies are made by `set`: to call into Node takes longer. */
const LEAST_BYTES = 8192;

/**
 * Copies an array to one of as many bytes, where either lies in memory that threads share. `set` and `slice` copy such memory a word at a time, in
 * case another thread writes to it; none does while inputs and outputs are copied, and `Buffer.fill` takes a quarter of the time.
 */
export function copyShared(to: TypedArray, from: TypedArray): void {
  if (to.byteLength < LEAST_BYTES || to.byteLength !== from.byteLength || to.buffer === from.buffer)
    (to as Float32Array).set(from as Float32Array);
  else Buffer.from(to.buffer, to.byteOffset, to.byteLength).fill(bytesOf(from));
}
