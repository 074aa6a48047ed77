import type { Golden } from '../bundle/manifest.ts';
import { type Bundle, goldenInputsOf } from '../bundle/open.ts';
import { EigenError } from '../util/errors.ts';
import { sha256OfTensor } from '../util/hash.ts';
import { sizeOf, type Tensor } from '../util/tensor.ts';
import type { Program } from '../wire/program.ts';

/** What a bundle proves itself with. */
export interface GoldenSet {
  readonly count: number;
  /** Names of the outputs that are compared. */
  readonly outputs: readonly string[];
  inputs(index: number): Record<string, Tensor>;
  /** SHA-256 that the bytes of an output must have. */
  expected(index: number, output: string): string;
}

/** Golden cases as a bundle has them: inputs by name, samples first, and the hashes of outputs. */
export interface GoldenData {
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Golden['outputs'];
}

/** Undefined where a bundle has none. */
export function goldenDataOf(bundle: Bundle): GoldenData | undefined {
  const { golden } = bundle.manifest;
  const inputs = goldenInputsOf(bundle);
  return golden && inputs && { inputs, outputs: golden.outputs };
}

/** The golden cases of a bundle. Throws what `goldenSet` does. */
export function goldenSetOf(bundle: Bundle): GoldenSet {
  return goldenSet(bundle.manifest.program, goldenDataOf(bundle));
}

/** @throws EigenError EW6001_BUNDLE_UNREADABLE when there are no golden cases, or not for the inputs of the program. */
export function goldenSet(program: Program, golden: GoldenData | undefined): GoldenSet {
  if (!golden) throw unusable('the bundle has no golden inputs to test itself with');
  const arrays = golden.inputs;
  const counts = program.inputs.map(({ name, dtype, shape }) => {
    const array = arrays[name];
    if (array?.dtype !== dtype) throw unusable(`the bundle has no golden ${dtype} for input '${name}'`);
    return array.data.length / sizeOf(shape);
  });
  const count = counts[0] ?? 0;
  const listed = golden.outputs.every((o) => o.sha256.length === count);
  if (count < 1 || !Number.isInteger(count) || counts.some((n) => n !== count) || !listed)
    throw unusable('the golden inputs of the bundle are not of one number');
  const hashes = new Map(golden.outputs.map((o) => [o.name, o.sha256]));
  return {
    count,
    outputs: golden.outputs.map((o) => o.name),
    inputs: (i) =>
      Object.fromEntries(
        program.inputs.map(({ name, dtype, shape }) => {
          const size = sizeOf(shape);
          return [name, { dtype, shape, data: arrays[name]!.data.subarray(i * size, (i + 1) * size) } as Tensor];
        }),
      ),
    expected: (i, output) => hashes.get(output)![i]!,
  };
}

/**
 * Compares the outputs of a case with the hashes in the bundle.
 * @throws EigenError EW6004_SELF_TEST_FAILED naming the output.
 */
export function checkGolden(set: GoldenSet, index: number, got: Readonly<Record<string, Tensor>>): void {
  for (const output of set.outputs) {
    const hash = sha256OfTensor(got[output]!);
    const expected = set.expected(index, output);
    if (hash === expected) continue;
    throw new EigenError(
      'EW6004_SELF_TEST_FAILED',
      `golden input ${index}: output '${output}' has the hash ${hash}, expected ${expected}`,
      {
        hint: 'Try run --self-test with --engine simd128; if that is right, this machine computes the faster kernels wrongly.',
        details: { sample: index, output, got: hash, expected },
      },
    );
  }
}

function unusable(message: string): EigenError {
  return new EigenError('EW6001_BUNDLE_UNREADABLE', message, { hint: 'Build it again with this version.' });
}
