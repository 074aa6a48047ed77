import { sha256OfTensor } from '../util/hash.ts';
import { Rng } from '../util/rng.ts';
import { newArray, sizeOf, type Tensor } from '../util/tensor.ts';
import { type NamedType, OutputCollector, type SampleArrays, type Samples, samplesOf } from './samples.ts';

/** What a device proves itself with: inputs, first axis = cases, and for every output the hash of its bytes case by case. */
export interface GoldenCases {
  readonly inputs: SampleArrays;
  readonly outputs: readonly { readonly name: string; readonly sha256: readonly string[] }[];
}

const CASES = 2;
const SEED = 20240611;

/**
 * Golden inputs and the hashes of their outputs: the first samples given, or seeded noise (standard normal; 0 and 1 for integers and
 * booleans, which are valid as tokens, flags and indices alike).
 */
export async function makeGolden(
  inputs: readonly NamedType[],
  given: Samples | undefined,
  run: (inputs: Record<string, Tensor>) => Promise<Record<string, Tensor>>,
): Promise<GoldenCases> {
  const samples = given ?? samplesOf(noise(inputs), inputs);
  const count = Math.min(CASES, samples.count);
  const collected = new OutputCollector(count);
  const hashes = new Map<string, string[]>();
  for (let i = 0; i < count; i++) {
    const sample = samples.at(i);
    collected.add(i, sample);
    for (const [name, t] of Object.entries(await run(sample)))
      hashes.set(name, [...(hashes.get(name) ?? []), sha256OfTensor(t)]);
  }
  return { inputs: collected.result(), outputs: [...hashes].map(([name, sha256]) => ({ name, sha256 })) };
}

function noise(inputs: readonly NamedType[]): Record<string, Tensor> {
  const rng = new Rng(SEED);
  const entries = inputs.map((input): [string, Tensor] => {
    const float = input.dtype === 'f32' || input.dtype === 'f64';
    const big = input.dtype === 'i64' || input.dtype === 'u64';
    const data = newArray(input.dtype, CASES * sizeOf(input.shape));
    for (let i = 0; i < data.length; i++) {
      const value = float ? rng.normal() : rng.below(2);
      data[i] = big ? BigInt(value) : value;
    }
    return [input.name, { dtype: input.dtype, shape: [CASES, ...input.shape], data } as Tensor];
  });
  return Object.fromEntries(entries);
}
