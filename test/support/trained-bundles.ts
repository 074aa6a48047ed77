import type { ByteTarget } from '../../sdk/bundle/archive.ts';
import { type Bundle, openBundle, packBundle } from '../../sdk/bundle/index.ts';
import { scaleFromLog8 } from '../../sdk/util/log8.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { residentBytes } from '../../sdk/wire/layout.ts';
import { panelLayout } from '../../sdk/wire/panels.ts';
import type { WeightLayout } from '../../sdk/wire/program.ts';
import { encodeWeights, type WireEncoding } from '../../sdk/wire/weights.ts';
import { normalCodes } from './codes.ts';
import { smallSpec } from './small-bundle.ts';

interface Constant {
  readonly name: string;
  readonly tensor: Tensor;
  readonly encoding?: WireEncoding;
  readonly layout: WeightLayout;
}

const rng = (seed: number): Rng => new Rng(seed);

function codes(name: string, shape: readonly [number, number], data: Int8Array, gain?: number): Constant {
  const encoding = { kind: 'codes' as const, bits: 6, ...(gain === undefined ? {} : { gain }) };
  return { name, tensor: tensor('i8', shape, data), encoding, layout: panelLayout(data, ...shape) };
}

/** Codes of which a share moved by one. */
function moved(data: Int8Array, share: number, seed: number): Int8Array {
  const random = rng(seed);
  return data.map((q) => (random.uniform() < share ? q + (random.uniform() < 0.5 ? -1 : 1) : q));
}

function floats(name: string, shape: readonly number[], data: Float32Array): Constant {
  return { name, tensor: tensor('f32', shape, data), layout: { kind: 'plain' } };
}

/** Floats after a step of training. */
function trained(data: Float32Array, rate: number, seed: number): Float32Array {
  const random = rng(seed);
  return data.map((w) => w + rate * random.normal());
}

/**
 * Bundles of one network in several states, with constants of every kind that travels. `size` rows of the larger matrices; state 0 is
 * the first, 1 has a few codes moved, 2 many and another last layer, 3 lacks a constant and has another of a new shape.
 */
export function stateBundle(state: 0 | 1 | 2 | 3, size = 64): Uint8Array {
  const share = [0, 0.01, 0.4, 0.1][state]!;
  const random = rng(5);
  const weights = Float32Array.from({ length: size * 16 }, () => 0.1 * random.normal());
  const exponents = Array.from({ length: 16 }, (_, i) => ((i * 7) % 5) - state);
  const constants: Constant[] = [
    codes('planes', [size, 160], moved(normalCodes(size, 160, 3, 31, 1), share, 11), 2),
    codes('classes', [size, 96], moved(normalCodes(size, 96, 2, 31, 2), share, 12)),
    codes('kept', [size, 48], normalCodes(size, 48, 2, 31, 3), 1),
    codes('tiny', [2, 4], moved(Int8Array.of(1, -2, 3, 0, 5, -6, 7, 2), share, 13)),
    floats('floats', [size, 16], state === 0 ? weights : trained(weights, share / 100, 14)),
    floats('none', [0], new Float32Array(0)),
    {
      name: 'scales',
      tensor: tensor(
        'f32',
        [16],
        exponents.map((e) => scaleFromLog8(0.25, e)),
      ),
      encoding: { kind: 'log8', base: 0.25, exponents },
      layout: { kind: 'log8', base: 0.25 },
    },
    {
      name: 'biases',
      tensor: tensor(
        'i32',
        [16],
        exponents.map((e) => 100 * e),
      ),
      encoding: { kind: 'ints' },
      layout: { kind: 'plain' },
    },
  ];
  if (state === 3) constants.splice(1, 1, codes('other', [size, 32], normalCodes(size, 32, 2, 31, 9)));
  let offset = 0;
  const slots = constants.map(({ name, tensor: { dtype, shape }, layout }) => {
    const bytes = residentBytes(layout, dtype, shape);
    offset += Math.ceil(bytes / 64) * 64;
    return { name, dtype, shape, offset: offset - Math.ceil(bytes / 64) * 64, bytes, layout };
  });
  const spec = smallSpec();
  return packBundle({
    ...spec,
    program: { ...spec.program, weights: slots, weightBytes: offset },
    weights: encodeWeights(constants).bytes,
    kernelSource: `void ew_step_0(void) { ${'a += b[i] * c[i]; '.repeat(100)} /* ${share} */ }\n`,
  });
}

export function openState(state: 0 | 1 | 2 | 3, size?: number): Bundle {
  return openBundle(stateBundle(state, size));
}

/** A target in memory that must not be written past its end. */
export function memoryTarget(size: number): ByteTarget & { readonly content: Uint8Array } {
  const content = new Uint8Array(size);
  return {
    content,
    write: async (at, bytes) => {
      content.set(bytes, at);
    },
    read: async (from, count) => content.slice(from, from + count),
  };
}
