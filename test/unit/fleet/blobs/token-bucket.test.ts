import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TokenBucket } from '../../../../sdk/fleet/blobs/index.ts';
import { Seen } from '../../../../sdk/fleet/blobs/seen.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';

test('so much at once, and so much a second', async () => {
  const clock = new SimulatedClock();
  const bucket = new TokenBucket({ perSecond: 1000, most: 5000 }, clock);
  assert.is(bucket.wait(5000), 0);
  bucket.take(5000);
  assert.is(bucket.wait(500), 500);
  await clock.pass(400);
  assert.is(bucket.wait(500), 100);
  assert.is(bucket.wait(400), 0);
  await clock.pass(1e6);
  assert.is(bucket.wait(5000), 0);
  // More than ever is there at once flows when all is there, and is paid for later.
  assert.is(bucket.wait(1e9), 0);
  bucket.take(20_000);
  assert.is(bucket.wait(1000), 16_000);
});

test('numbers that come again soon', () => {
  const seen = new Seen();
  assert.equal(
    [5, 3, 5, 9, 3].map((n) => seen.take(n)),
    [true, true, false, true, false],
  );
  for (let n = 100; n < 300; n++) assert.ok(seen.take(n));
  assert.ok(seen.take(5), 'long ago');
});

test.run();
