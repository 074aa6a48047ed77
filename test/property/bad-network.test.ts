import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fetchBadly } from '../support/bad-network.ts';
import { MemoryBlobs, noise } from '../support/link.ts';

/** test/e2e/bad-network.test.ts does the same with 16 MiB, a hundred times. */
test('a blob comes through a bad network that is away half of the time, with at most 1.6 times its bytes', async () => {
  const blobs = new MemoryBlobs();
  const spec = await blobs.add(noise(6 << 20));
  for (let seed = 0; seed < 3; seed++) {
    const { share, cuts } = await fetchBadly(blobs, spec, seed);
    assert.ok(share <= 1.6, `seed ${seed}: ${share} times the bytes`);
    assert.ok(cuts > 3);
  }
});

test.run();
