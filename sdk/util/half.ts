/** IEEE half precision (binary16) as 16-bit patterns, converted to and from f32 exactly the same way everywhere. */

const F32 = new Float32Array(1);
const BITS = new Uint32Array(F32.buffer);

/** The binary16 pattern nearest to `value` (round to nearest, ties to even); beyond 65504 it becomes infinity. */
export function toHalf(value: number): number {
  F32[0] = value;
  const bits = BITS[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    // Normal in half: rebias the exponent by 112, then round the 13 mantissa bits that do not fit.
    const odd = (magnitude >>> 13) & 1;
    return sign | ((magnitude - (112 << 23) + 0xfff + odd) >>> 13);
  }
  // Subnormal in half: a multiple of 2^-24. The product is exact, so this rounds once.
  const scaled = Math.abs(F32[0]) * 2 ** 24;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const up = rest > 0.5 || (rest === 0.5 && (floor & 1) === 1);
  return sign | (up ? floor + 1 : floor);
}

/** The value of a binary16 pattern; every one is exactly representable in f32. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** True when `value` survives the way through half precision unchanged (NaN counts as itself). */
export function isHalf(value: number): boolean {
  return Object.is(fromHalf(toHalf(value)), value);
}

export function halvesToFloats(halves: Uint16Array): Float32Array {
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) out[i] = fromHalf(halves[i]);
  return out;
}

export function floatsToHalves(floats: Float32Array): Uint16Array {
  return Uint16Array.from(floats, toHalf);
}
