import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mapFew } from '../../../sdk/util/map-few.ts';

test('results are in the order of the items, whichever ends first', async () => {
  const squares = await mapFew([3, 1, 2], 2, async (n) => {
    await wait(n);
    return n * n;
  });
  assert.equal(squares, [9, 1, 4]);
});

test('no more than asked for are in work', async () => {
  let now = 0;
  let most = 0;
  await mapFew([1, 1, 1, 1, 1], 2, async () => {
    most = Math.max(most, ++now);
    await wait(1);
    now--;
  });
  assert.is(most, 2);
});

test('the first failure is the result', async () => {
  const error = await mapFew([1, 2, 3], 2, (n) => {
    if (n === 2) throw new Error('two');
    return n;
  }).catch((e: Error) => e);
  assert.instance(error, Error);
});

test.run();
