import { floatsToHalves, halvesToFloats, isHalf } from '../util/half.ts';
import { log8Round, scaleFromLog8 } from '../util/log8.ts';
import { bytesOf, newArray, type Tensor, viewBytes } from '../util/tensor.ts';

/**
 * Short resident forms of vectors (WeightLayout in program.ts): scales by their exponents, biases in half precision, small integers
 * in fewer bytes. All are exact: data that would lose something is refused with a RangeError.
 */

const EXPONENT_LIMIT = 128;

/** Whether log8 exponents fit the resident form. */
export const areShortExponents = (exponents: readonly number[]): boolean =>
  exponents.every((e) => e >= -EXPONENT_LIMIT && e < EXPONENT_LIMIT);

export function packLog8(base: number, data: Float32Array): Uint8Array {
  const out = new Uint8Array(4 + data.length);
  new DataView(out.buffer).setFloat32(0, base, true);
  data.forEach((v, i) => {
    const near = log8Round(base, v);
    // Logarithms differ in the last place from engine to engine: the scale itself decides.
    const e = [near, near - 1, near + 1].find((x) => scaleFromLog8(base, x) === v);
    if (e === undefined || !areShortExponents([e])) throw new RangeError(`${v} is no scale on the grid of ${base}`);
    out[4 + i] = e & 0xff;
  });
  return out;
}

export function unpackLog8(bytes: Uint8Array, out: Float32Array): void {
  const base = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  for (let i = 0; i < out.length; i++) out[i] = scaleFromLog8(base, (bytes[4 + i]! << 24) >> 24);
}

/** Whether f32 data can be held in half precision. */
export const areHalves = (data: Float32Array): boolean => data.every((v) => Number.isFinite(v) && isHalf(v));

export function packHalves(data: Float32Array): Uint8Array {
  if (!areHalves(data)) throw new RangeError('an element is not finite and exact in half precision');
  return bytesOf(floatsToHalves(data));
}

export function unpackHalves(bytes: Uint8Array, out: Float32Array): void {
  out.set(halvesToFloats(viewBytes('u16', bytes)));
}

/** Smallest type that holds all integers of `data`. */
export function narrowestType(data: Tensor['data']): 'i8' | 'i16' | undefined {
  let most = 0;
  for (const v of data) most = Math.max(most, v < 0 ? -1 - Number(v) : Number(v));
  return most < 0x80 ? 'i8' : most < 0x8000 ? 'i16' : undefined;
}

export function packNarrow(to: 'i8' | 'i16', data: Tensor['data']): Uint8Array {
  const out = newArray(to, data.length);
  for (let i = 0; i < data.length; i++) {
    out[i] = Number(data[i]);
    if (out[i] !== Number(data[i])) throw new RangeError(`${data[i]} does not fit ${to}`);
  }
  return bytesOf(out);
}

export function unpackNarrow(to: 'i8' | 'i16', bytes: Uint8Array, out: Tensor['data']): void {
  const from = viewBytes(to, bytes);
  const big = out instanceof BigInt64Array || out instanceof BigUint64Array;
  for (let i = 0; i < out.length; i++) out[i] = big ? BigInt(from[i]!) : from[i]!;
}
