import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Keyring, LIFETIMES, Repository, readRoot, Signer } from '../../../../sdk/fleet/trust/index.ts';
import { readMetadata } from '../../../../sdk/fleet/trust/sign.ts';
import type { EigenError } from '../../../../sdk/util/errors.ts';
import { DAY, KEYS, listed, pathOf, signerOf, World } from '../../../support/trust-world.ts';
import { blobOf } from '../../../support/versions.ts';

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (e: EigenError) => e.code,
  );
}

test('a repository that is opened again is the same, and goes on', async () => {
  const world = await World.make();
  const own = signerOf(61);
  world.ring.add(own);
  await world.repository.delegate({ name: 'kws', paths: ['kws/*/*'], keys: [own.key], threshold: 1 }, world.ring);
  await world.repository.list({ [pathOf(3)]: listed(3) }, world.ring, 'kws');
  const again = await Repository.open(world.folder, () => world.now);
  assert.equal(again.root.content, world.repository.root.content);
  assert.equal(again.targets(), world.repository.targets());
  assert.equal(again.targets('kws'), world.repository.targets('kws'));
  assert.equal(again.online, world.repository.online);
  assert.equal(again.find(pathOf(3)), listed(3));
  await again.unlist([pathOf(3)], world.ring);
  await again.unlist([pathOf(3)], world.ring, 'kws');
  assert.is(again.find(pathOf(3)), undefined);
});

test('what is online is signed anew in time, and nothing else', async () => {
  const world = await World.make();
  const { repository, ring } = world;
  const online = new Keyring([...KEYS.snapshot, ...KEYS.timestamp]);
  assert.not(await repository.renew(online));
  world.now += 3 * DAY;
  assert.ok(await repository.renew(online));
  assert.is(repository.online.timestamp.expires, world.now + LIFETIMES.timestamp);
  assert.is(repository.online.snapshot.version, 2);
  world.now += 10 * DAY;
  assert.ok(await repository.renew(online));
  assert.is(repository.online.snapshot.version, 3);
  assert.is(repository.targets()!.version, 2);
  assert.is(await codeOf(repository.list({ [pathOf(1)]: listed(1) }, online)), 'EW8102_SIGNATURES_MISSING');
  const device = await world.device();
  assert.is(await codeOf(device.refresh(world.source(), world.now)), 'done');
  assert.ok(ring.has(KEYS.targets[0]!.key));
});

test('the time that is signed does not go back with a clock that does', async () => {
  const world = await World.make();
  const issued = async (): Promise<unknown> =>
    readMetadata((await world.folder.read('timestamp'))!.bytes).signed.issued;
  const before = await issued();
  world.now -= 30 * DAY;
  await world.list(1);
  assert.is(await issued(), before);
});

test('a write that fails leaves the fleet as it was, whichever it is', async () => {
  for (const path of ['3.targets', '3.snapshot', 'timestamp']) {
    const world = await World.make();
    world.fs.failNext({ operation: 'rename', code: 'ENOSPC', path });
    assert.is(await codeOf(world.repository.list({ [pathOf(1)]: listed(2) }, world.ring)), 'EW1003_WRITE_FAILED');
    const device = await world.device();
    assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(1), path);
    // It is tried again.
    await world.list(1);
    await world.assign(1);
    assert.is(await codeOf(device.refresh(world.source(), world.now)), 'done');
  }
});

test('a rotation that is cut short is made good by doing it again, or by the next renewal', async () => {
  const keys = { timestamp: [signerOf(32)], snapshot: [signerOf(22)], targets: [signerOf(12)] };
  for (const path of ['3.targets', '3.snapshot', 'timestamp', '2.root']) {
    for (const again of ['rotate', 'renew']) {
      const world = await World.make();
      world.fs.failNext({ operation: 'rename', code: 'ENOSPC', path });
      assert.is(await codeOf(world.rotate(keys)), 'EW1003_WRITE_FAILED');
      world.repository = await Repository.open(world.folder, () => world.now);
      if (again === 'rotate') await world.rotate(keys);
      else if (path === '2.root') assert.ok(await world.repository.renew(world.ring));
      const device = await world.device();
      // Targets are signed by people: they have to do it again.
      if (again === 'renew' && path === '2.root') await world.list(1);
      assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(1), `${path}, ${again}`);
      assert.is(device.versions.root, again === 'rotate' ? 2 : 1);
    }
  }
});

test('of what is signed again and again the last versions stay, and every root', async () => {
  const world = await World.make();
  for (let i = 0; i < 12; i++) await world.list(1);
  await world.rotate({ timestamp: [signerOf(32)] });
  const versions = async (role: string): Promise<number[]> => {
    const all = Array.from({ length: 20 }, (_, i) => i + 1);
    const files = await Promise.all(all.map((version) => world.folder.read(role, version)));
    return all.filter((_, i) => files[i]);
  };
  const snapshot = world.repository.online.snapshot.version;
  assert.equal(
    await versions('snapshot'),
    Array.from({ length: 8 }, (_, i) => snapshot - 7 + i),
  );
  assert.is((await versions('targets')).length, 8);
  assert.equal(await versions('root'), [1, 2]);
  world.fs.failNext({ operation: 'remove', code: 'EIO', path: 'targets' });
  await world.list(1);
  assert.is((await versions('targets')).length, 9);
  await world.list(1);
  assert.is((await versions('targets')).length, 8);
});

test('a root that too few have signed is not published', async () => {
  const world = await World.make();
  const alone = world.rotate({ root: [signerOf(51), signerOf(52)] }, [KEYS.root[0]!]);
  assert.is(await codeOf(alone), 'EW8102_SIGNATURES_MISSING');
  assert.is(await world.folder.newest('root'), 1);
  assert.is(readRoot(await world.deliveredRoot()).content.version, 1);
});

test('a signer shows its secret nowhere', () => {
  const signer = Signer.generate();
  const secret = signer.exportPem().split('\n')[1]!;
  assert.not(JSON.stringify(signer).includes(secret.slice(10, 40)));
  assert.equal(Object.keys(signer), ['key']);
});

test.run();
