// timeout: 600
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fetchBadly } from '../support/bad-network.ts';
import { MemoryBlobs, noise } from '../support/link.ts';

test('16 MiB come through a bad network 100 times of 100, with at most 1.6 times the bytes', async () => {
  const blobs = new MemoryBlobs();
  const spec = await blobs.add(noise(16 << 20));
  let most = 0;
  for (let seed = 0; seed < 100; seed++) {
    const { share } = await fetchBadly(blobs, spec, seed);
    most = Math.max(most, share);
    assert.ok(share <= 1.6, `seed ${seed}: ${share} times the bytes`);
  }
  console.log(`100 of 100 complete, at most ${most.toFixed(2)} times the bytes`);
});

test.run();
