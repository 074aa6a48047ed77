import { goldenInputsOf } from '../bundle/index.ts';
import { readArrays } from '../data/arrays.ts';
import { samplesOf } from '../data/samples.ts';
import { EigenError } from '../util/errors.ts';
import type { Tensor } from '../util/tensor.ts';
import type { BundleSession } from './session.ts';

/** The first sample of an .npz, or the bundle's golden inputs: something to run a bundle on. */
export async function firstSample(session: BundleSession, path: string | undefined): Promise<Record<string, Tensor>> {
  const arrays = path === undefined ? goldenInputsOf(session.bundle) : await readArrays(path);
  if (!arrays)
    throw new EigenError('EW1001_USAGE', 'the bundle has no golden inputs', {
      hint: 'Give a sample with --input FILE.',
    });
  return samplesOf(arrays, session.inputs, {
    fixed: session.fixed,
    extra: 'any',
    ...(path ? { source: path } : {}),
  }).at(0);
}
