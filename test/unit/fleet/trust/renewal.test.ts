import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initKeys } from '../../../../sdk/app/keys.ts';
import type { Database } from '../../../../sdk/fleet/database/index.ts';
import { LIFETIMES } from '../../../../sdk/fleet/trust/index.ts';
import { fleetTrust } from '../../../../sdk/fleet/trust/service.ts';
import { DAY } from '../../../support/trust-world.ts';

/** Renewal is about files only. */
const database: Database = {
  query: () => Promise.reject(new Error('nothing is asked of it')),
  transaction: () => Promise.reject(new Error('nothing is asked of it')),
  close: async () => undefined,
};

test('a controller signs what is online in time, and says what people have to sign', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-renewal-'));
  try {
    let now = Date.now();
    const told: string[] = [];
    const log = (event: string, fields: object = {}) =>
      void told.push(`${event} ${'role' in fields ? fields.role : ''}`);
    const blobs = { spec: async () => undefined };
    const trust = fleetTrust({ folder, database, blobs, now: () => now, log: { info: log, warn: log, error: log } });
    const run = async (): Promise<string[]> => {
      told.length = 0;
      await trust.renewal.run({ database, now, fence: async () => undefined });
      return told.map((line) => line.trim());
    };
    const timestamp = async (): Promise<number | undefined> => (await trust.metadata.read('timestamp'))?.version;

    assert.equal(await run(), []);
    await initKeys({ folder }, { rootKeys: 1, threshold: 1 });
    assert.equal(await run(), []);
    assert.is(await timestamp(), 1);
    now += 3 * DAY;
    assert.equal(await run(), ['metadata-renewed']);
    assert.is(await timestamp(), 2);
    now += LIFETIMES.targets - 10 * DAY;
    assert.equal(await run(), ['metadata-renewed', 'metadata-expires targets']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
