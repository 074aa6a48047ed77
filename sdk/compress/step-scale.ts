import type { Packing, Value } from '../ir/graph.ts';
import { scaleFromLog8 } from '../util/log8.ts';
import { type Tensor, tensor } from '../util/tensor.ts';

/** A positive factor that values are multiplied by: one, or one a channel on the grid of multipliers (util/log8.ts). */
export interface StepScale {
  /** An f32 value. */
  readonly base: number;
  /** The factor of channel c is scaleFromLog8(base, exponents[c]). */
  readonly exponents?: readonly number[];
}

/** The factor that a constant is; undefined where it has no such form. */
export function stepScaleOf({ data, packing }: Value): StepScale | undefined {
  if (data?.dtype !== 'f32') return undefined;
  const values = data.data as Float32Array;
  if (!values.every((v) => v > 0 && v < Number.POSITIVE_INFINITY)) return undefined;
  if (values.length === 1) return { base: values[0]! };
  return packing?.kind === 'log8' ? { base: packing.base, exponents: packing.exponents } : undefined;
}

/** f32 [channels], or [1] of one factor. */
export function factorsOf({ base, exponents }: StepScale): Float32Array {
  return exponents ? Float32Array.from(exponents, (e) => scaleFromLog8(base, e)) : Float32Array.of(base);
}

/** The factor as a constant. */
export function scaleConstant(scale: StepScale): { data: Tensor<'f32'>; packing?: Packing } {
  const factors = factorsOf(scale);
  const data = tensor('f32', [factors.length], factors);
  const { base, exponents } = scale;
  return exponents ? { data, packing: { kind: 'log8', base, exponents } } : { data };
}

/** scale^sign * other^sign', channel by channel where one of them has channels. */
function combined(a: StepScale, b: StepScale, base: number, sign: 1 | -1): StepScale {
  const n = a.exponents?.length ?? b.exponents?.length;
  if (n === undefined) return { base };
  return {
    base,
    exponents: Array.from({ length: n }, (_, c) => (a.exponents?.[c] ?? 0) + sign * (b.exponents?.[c] ?? 0)),
  };
}

/** a * b. */
export function times(a: StepScale, b: StepScale): StepScale {
  return combined(a, b, Math.fround(a.base * b.base), 1);
}

/** a / b. */
export function over(a: StepScale, b: StepScale): StepScale {
  return combined(a, b, Math.fround(a.base / b.base), -1);
}

/** The square root, where that is on the grid. */
export function rootOf({ base, exponents }: StepScale): StepScale | undefined {
  if (exponents?.some((e) => e % 2 !== 0)) return undefined;
  const root = Math.fround(Math.sqrt(base));
  return exponents ? { base: root, exponents: exponents.map((e) => e / 2) } : { base: root };
}
