/** Values as whole multiples of one power of two. */
export interface Grid {
  /** The step is 2^exponent. */
  readonly exponent: number;
  readonly multiples: Int32Array;
}

/** Multiples beyond this are no small integers. */
const LARGEST = 2 ** 20;

/** The coarsest grid that all values lie on exactly; undefined where multiples would be large, or a value has no multiple (-0, NaN). */
export function gridOf(values: Float32Array): Grid | undefined {
  let exponent = Number.POSITIVE_INFINITY;
  for (const v of values) {
    if (!Number.isFinite(v) || Object.is(v, -0)) return undefined;
    if (v !== 0) exponent = Math.min(exponent, lowestBit(v));
  }
  if (exponent === Number.POSITIVE_INFINITY) exponent = 0;
  const multiples = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const m = values[i]! * 2 ** -exponent;
    if (Math.abs(m) > LARGEST) return undefined;
    multiples[i] = m;
  }
  return { exponent, multiples };
}

const F32 = new Float32Array(1);
const BITS = new Uint32Array(F32.buffer);

/** Exponent of the lowest set bit of a finite f32 other than 0. */
function lowestBit(value: number): number {
  F32[0] = value;
  const bits = BITS[0]!;
  const field = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  const trailing = mantissa === 0 ? 23 : 31 - Math.clz32(mantissa & -mantissa);
  // Subnormals have no implied bit and the exponent of field 1.
  return field === 0 ? trailing - 149 : trailing + field - 150;
}

/** The values rounded to multiples of the largest power of two that is at most `step`; unchanged when `step` is not positive. */
export function roundToGrid(values: Float32Array, step: number): Float32Array {
  if (!(step > 0)) return values;
  const grid = 2 ** Math.floor(Math.log2(step));
  // Adding 0 makes a rounded -0 a plain zero.
  return values.map((v) => Math.round(v / grid) * grid + 0);
}
