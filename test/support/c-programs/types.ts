/** Types of numbers in random C programs, and what C makes of two of them. */

export const INTS = ['i8', 'u8', 'i16', 'u16', 'i32', 'u32', 'i64', 'u64'] as const;
export type Int = (typeof INTS)[number];
export type Scalar = Int | 'float' | 'double';

export function isFloat(type: Scalar): type is 'float' | 'double' {
  return type === 'float' || type === 'double';
}

export function bitsOf(type: Scalar): number {
  if (isFloat(type)) return type === 'float' ? 32 : 64;
  return Number(type.slice(1));
}

export function promoted(type: Scalar): Scalar {
  return !isFloat(type) && bitsOf(type) < 32 ? 'i32' : type;
}

/** The type of `a + b`. */
export function common(a: Scalar, b: Scalar): Scalar {
  if (a === 'double' || b === 'double') return 'double';
  if (a === 'float' || b === 'float') return 'float';
  const [x, y] = [promoted(a), promoted(b)];
  if (bitsOf(x) !== bitsOf(y)) return bitsOf(x) > bitsOf(y) ? x : y;
  return x[0] === 'i' ? y : x;
}
