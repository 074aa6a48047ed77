import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withLock } from '../../../../sdk/fleet/trust/index.ts';

test('one after another, and not for ever behind one that is gone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-lock-'));
  try {
    let [inside, most] = [0, 0];
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(Array.from({ length: 5 }, () => withLock(folder, work)));
    assert.is(most, 1);
    const failed = withLock(folder, () => Promise.reject(new Error('no'))).catch((e: Error) => e.message);
    assert.is(await failed, 'no');
    await writeFile(join(folder, 'lock'), '');
    await utimes(join(folder, 'lock'), 1, 1);
    await withLock(folder, work);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
