// timeout: 900
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../sdk/testing/skip.ts';
import { four } from '../support/fake-model.ts';
import { bundleOf } from '../support/scale-bundle.ts';

const SWAPS = 10_000;

test('ten thousand swaps under load: no inference fails or is of two models', async () => {
  // It times its thread by a function of the system.
  const swaps = await import('koffi').then(
    () => import('../../tools/agent/swaps.ts'),
    () => undefined,
  );
  if (!swaps) return skip('swaps under load', 'the package koffi is not installed');
  const contestant = async (factor: number) => ({
    bundle: await bundleOf(factor),
    isAnswer: ({ y }: { readonly y?: { readonly data: ArrayLike<unknown> } }) =>
      Array.from(y!.data).every((value) => value === 2 * factor),
  });
  const figures = await swaps.swapUnderLoad([await contestant(3), await contestant(5)], four(2), SWAPS);
  console.log(JSON.stringify(figures));
  assert.is(figures.swaps, SWAPS);
  assert.is(figures.failed, 0);
  assert.is(figures.mixed, 0);
  assert.ok(figures.inferences > SWAPS);
});

test.run();
