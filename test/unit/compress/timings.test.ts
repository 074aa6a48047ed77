import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Timings } from '../../../sdk/compress/timings.ts';

const busy = async (ms: number): Promise<void> => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

test('a stage within another counts once', async () => {
  const timings = new Timings(undefined);
  const from = performance.now();
  await timings.of('outer', async () => {
    await timings.of('inner', () => busy(20));
    await timings.of('inner', () => busy(20));
    await busy(10);
  });
  await timings.of('inner', () => busy(10));
  const all = (performance.now() - from) / 1000;
  const { inner = 0, outer = 0 } = timings.seconds;
  assert.ok(inner >= 0.05 && outer >= 0.01, `${inner} and ${outer} s`);
  assert.ok(inner + outer <= all, `${inner} + ${outer} of ${all} s`);
});

test.run();
