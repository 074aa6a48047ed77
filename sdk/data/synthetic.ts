import { Rng } from '../util/rng.ts';
import { newArray, sizeOf, type Tensor } from '../util/tensor.ts';
import type { NamedType } from './samples.ts';

/** What an input may be: floats of a range, or integers below a limit. */
export interface SyntheticInput extends NamedType {
  readonly low: number;
  readonly high: number;
}

/** Noise fields that are added up, of 1, 2, 4, ... cells an axis: images and sounds are mostly coarse structure. */
const OCTAVES = 4;

/**
 * Made-up samples for networks whose data is not at hand. Floats are noise of several scales (axes of up to four, such as colours,
 * vary freely) over a random part of the range; integers are drawn evenly. Seeded.
 */
export function syntheticSamples(
  inputs: readonly SyntheticInput[],
  count: number,
  seed: number,
): Record<string, Tensor>[] {
  const rng = new Rng(seed);
  return Array.from({ length: count }, () => Object.fromEntries(inputs.map((i) => [i.name, sampleOf(i, rng)])));
}

function sampleOf({ dtype, shape, low, high }: SyntheticInput, rng: Rng): Tensor {
  const data = newArray(dtype, sizeOf(shape));
  if (dtype === 'f32' || dtype === 'f64') {
    const noise = smoothNoise(shape, rng);
    // Bright and dark, strong and faint: the middle and the spread differ from sample to sample.
    const spread = (0.2 + 0.8 * rng.uniform()) / 2;
    const middle = spread + rng.uniform() * (1 - 2 * spread);
    noise.forEach((v, i) => {
      data[i] = low + (high - low) * Math.max(0, Math.min(1, middle + spread * v));
    });
  } else {
    for (let i = 0; i < data.length; i++) {
      const v = Math.floor(low + (high - low) * rng.uniform());
      data[i] = dtype === 'i64' ? BigInt(v) : v;
    }
  }
  return { dtype, shape, data } as Tensor;
}

/** Noise within about -1..1: fields of 1, 2, 4, 8 cells along every axis, the coarse ones strongest, and a little white noise. */
function smoothNoise(shape: readonly number[], rng: Rng): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  for (let octave = 0; octave < OCTAVES; octave++) addField(out, shape, 2 ** octave, 0.6 ** octave, rng);
  for (let i = 0; i < out.length; i++) out[i]! += 0.15 * rng.normal();
  return out.map((v) => v / 1.5);
}

/** A field of `cells` cells an axis, each a constant of its own. */
function addField(out: Float64Array, shape: readonly number[], cells: number, size: number, rng: Rng): void {
  const counts = shape.map((n) => Math.min(n, n <= 4 ? n : cells));
  const values = Float64Array.from({ length: sizeOf(counts) }, () => size * rng.normal());
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    let cell = 0;
    for (let d = 0; d < shape.length; d++) cell = cell * counts[d]! + Math.floor((index[d]! * counts[d]!) / shape[d]!);
    out[i]! += values[cell]!;
    for (let d = shape.length - 1; d >= 0 && ++index[d]! === shape[d]; d--) index[d] = 0;
  }
}
