/**
 * Scales on a logarithmic grid of 2^(1/8): one small integer a scale, on every engine the same f32. Exactness comes from
 * a table of eight f32 constants and a multiplication by a power of two, which never rounds.
 */
const STEPS = 8;

/** 2^(j/8) rounded to f32, as literals: Math.pow is not the same on every engine. */
const TABLE = [
  1, 1.0905077457427979, 1.1892070770263672, 1.2968395948410034, 1.4142135381698608, 1.5422108173370361,
  1.6817928552627563, 1.8340080976486206,
].map(Math.fround);

/** 2^i by i plus FAR, of all octaves between the smallest f32 and the largest: cheaper than raising 2 to them. */
const FAR = 300;
const OCTAVES = Float64Array.from({ length: 2 * FAR + 1 }, (_, i) => 2 ** (i - FAR));

/** The f32 scale base * 2^(exponent/8). `base` must be an f32 value. */
export function scaleFromLog8(base: number, exponent: number): number {
  const octave = Math.floor(exponent / STEPS);
  return Math.fround(Math.fround(base * TABLE[exponent - octave * STEPS]!) * (OCTAVES[octave + FAR] ?? 2 ** octave));
}

/** Smallest exponent whose scale is at least `scale`; `scale` and `base` positive. */
export function log8Ceil(base: number, scale: number): number {
  let e = Math.ceil(Math.log2(scale / base) * STEPS - 1e-6);
  while (scaleFromLog8(base, e) < scale) e++;
  return e;
}

/** Exponent whose scale is nearest to `scale` on the log grid. */
export function log8Round(base: number, scale: number): number {
  return Math.round(Math.log2(scale / base) * STEPS);
}
