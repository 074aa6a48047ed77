// timeout: 900
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../sdk/testing/skip.ts';
import { swapBundles } from '../../tools/agent/swap-process.ts';
import { GRACE } from '../../tools/agent/swaps.ts';
import { bundleOf } from '../support/scale-bundle.ts';

const SWAPS = 10_000;

test('ten thousand swaps under load: no inference fails, is of two models, or waits for more than one and 5 ms', async () => {
  // It times its thread by a function of the system.
  const timed = await import('koffi').then(
    () => process.platform === 'linux',
    () => false,
  );
  if (!timed) return skip('swaps under load', 'it needs Linux and the package koffi');
  const figures = await swapBundles([await bundleOf(3), await bundleOf(5)], SWAPS);
  console.log(JSON.stringify(figures));
  assert.is(figures.swaps, SWAPS);
  assert.is(figures.failed, 0);
  assert.is(figures.mixed, 0);
  assert.ok(figures.inferences > SWAPS);
  // In time of the thread that serves; what a busy machine does to its caches is in it, so that the benchmark alone asks for none at all.
  assert.ok(figures.beyond <= SWAPS / 1000, `${figures.beyond} pauses of more than one inference and ${GRACE} ms`);
});

test.run();
