import { numberAt, type Tensor, tensor } from './tensor.ts';

/** Numbers as int8 codes of a scale: rounded to the nearest, and cut off where there are no more codes. */
export function codesOf(t: Tensor, scale: number): Tensor {
  const codes = Int8Array.from({ length: t.data.length }, (_, i) =>
    Math.max(-128, Math.min(127, Math.round(numberAt(t, i) / scale))),
  );
  return tensor('i8', t.shape, codes);
}
