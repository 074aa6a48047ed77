import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initKeys } from '../../../../sdk/app/keys.ts';
import type { Database } from '../../../../sdk/fleet/database/index.ts';
import { LIFETIMES, MetadataStore, Repository, readKeys, signTargets } from '../../../../sdk/fleet/trust/index.ts';
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

test('a list that was signed elsewhere is written down before it is online, or is not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-publication-'));
  try {
    const log = () => undefined;
    const blobs = { spec: async () => undefined };
    const trust = fleetTrust({ folder, database, blobs, now: Date.now, log: { info: log, warn: log, error: log } });
    const repository = await initialized(folder);
    const { content } = repository.root;
    const present = repository.targets()!;
    const next = { ...present, version: present.version + 1, expires: Date.now() + DAY };
    const ring = await readKeys([join(folder, 'keys')]);
    const bytes = signTargets(next, ring.allFor('targets', content.roles.targets));
    const online = async () => (await Repository.open(repository.folder)).targets()!.version;
    const full = async () => {
      throw new Error('the database is away');
    };
    assert.is(await trust.publish('targets', bytes, full).catch((e: Error) => e.message), 'the database is away');
    assert.is(await online(), present.version);
    const written: unknown[] = [];
    const record = async (published: unknown) => void written.push([published, await online()]);
    const published = { version: next.version, listed: [], withdrawn: [] };
    assert.equal(await trust.publish('targets', bytes, record), published);
    assert.equal(await trust.publish('targets', bytes, record), published);
    assert.equal([written, await online()], [[[published, present.version]], next.version]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function initialized(folder: string): Promise<Repository> {
  await initKeys({ folder }, { rootKeys: 1, threshold: 1 });
  return Repository.open(new MetadataStore(join(folder, 'metadata')));
}

test.run();
