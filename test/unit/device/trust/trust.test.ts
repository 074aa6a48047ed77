import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LIFETIMES } from '../../../../sdk/fleet/trust/index.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { formatTime } from '../../../../sdk/wire/metadata.ts';
import { forgeTimestamp } from '../../../support/forged-metadata.ts';
import { assertRefused, DAY, KEYS, listed, pathOf, START, signerOf, World } from '../../../support/trust-world.ts';
import { blobOf } from '../../../support/versions.ts';

const CLOCK_1970 = 3_600_000;
const CLOCK_2099 = Date.parse('2099-06-01T00:00:00Z');

test('what the director assigns and targets list is the assignment, with all that was said of it', async () => {
  const world = await World.make();
  const deltas = [{ from: blobOf(1).sha256, blob: blobOf(3) }];
  await world.repository.list({ [pathOf(2)]: listed(2, { deltas }) }, world.ring);
  const { bundle } = world.order(2);
  const terms = { limits: { p95Milliseconds: 2.5, modelBytes: 9000 }, shadowInputs: 3, probation: { milliseconds: 7 } };
  await world.assign(2, { release: 9, bundle: { ...bundle!, ...terms } });
  const device = await world.device();
  assert.equal(await device.refresh(world.source(), world.now), {
    release: 9,
    // The first of all that it rests on.
    expires: world.now + LIFETIMES.timestamp,
    board: 'board',
    blob: blobOf(2),
    family: 'kws',
    deltas,
    ...terms,
  });
  assert.equal(device.versions, { root: 1, timestamp: 3, snapshot: 3, targets: 3 });
});

test('a device that starts again knows its assignment without a network, and writes nothing', async () => {
  const world = await World.make();
  const fs = new CrashFileSystem();
  const first = await (await world.device(fs)).refresh(world.source(), world.now);
  const later = fs.crash('lost');
  const device = await world.device(later);
  assert.equal(device.assignment, first);
  assert.equal(device.versions, { root: 1, timestamp: 2, snapshot: 2, targets: 2 });
  assert.equal(later.lastingOperations(), []);
});

test('what has not changed is fetched by its versions only', async () => {
  const world = await World.make();
  const device = await world.device();
  await device.refresh(world.source(), world.now);
  const asked: string[] = [];
  const source = world.source((role, bytes) => {
    asked.push(role);
    return bytes;
  });
  await device.refresh(source, world.now);
  assert.equal(asked, ['root', 'timestamp', 'assignment-device']);
});

test('what is withdrawn is not assigned any more, not even to a device that starts again', async () => {
  const world = await World.make();
  const fs = new CrashFileSystem();
  const device = await world.device(fs);
  await device.refresh(world.source(), world.now);
  await world.assign(undefined);
  assert.is(await device.refresh(world.source(), world.now), undefined);
  assert.is(device.assignment, undefined);
  assert.is((await world.device(fs)).assignment, undefined);
});

test('a device without an assignment has none', async () => {
  const world = await World.make();
  const device = await world.device(new CrashFileSystem(), { device: 'another' });
  assert.is(await device.refresh(world.source(), world.now), undefined);
  assert.is(device.versions.timestamp, 2);
});

test('a bundle that is delegated by family and by board', async () => {
  const world = await World.make();
  const [family, board] = [signerOf(61), signerOf(62)];
  for (const signer of [family, board]) world.ring.add(signer);
  const { repository, ring } = world;
  await repository.delegate({ name: 'ocr', paths: ['ocr/*/*'], keys: [family.key], threshold: 1 }, ring);
  await repository.delegate({ name: 'on-board', paths: ['*/board/*'], keys: [board.key], threshold: 1 }, ring);
  await repository.unlist([pathOf(2)], ring);
  await repository.list({ [pathOf(2)]: listed(2) }, ring, 'on-board');
  await world.assign(2);
  const fs = new CrashFileSystem();
  const device = await world.device(fs);
  assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(2));
  assert.ok((await fs.list('trust')).includes('role-on-board.json'));
  // What is no longer needed goes.
  await world.assign(1);
  assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(1));
  assert.not((await fs.list('trust')).includes('role-on-board.json'));
  await repository.undelegate('on-board', ring);
  await world.assign(2);
  await assertRefused(device.refresh(world.source(), world.now), 'arbitrary-installation');
});

test('a device that was off for 400 days walks over three roots', async () => {
  const world = await World.make();
  const fs = new CrashFileSystem();
  await (await world.device(fs)).refresh(world.source(), world.now);
  let before = KEYS.root;
  for (let i = 1; i <= 3; i++) {
    world.now += 133 * DAY;
    const root = [signerOf(70 + 2 * i), signerOf(71 + 2 * i)];
    await world.rotate(
      { root, timestamp: [signerOf(80 + i)], snapshot: [signerOf(84 + i)], targets: [signerOf(88 + i)] },
      before,
    );
    before = root;
  }
  world.now += DAY;
  await world.repository.renew(world.ring);
  await world.list(1, 2, 3);
  await world.assign(2);
  for (const clock of [world.now, CLOCK_1970, CLOCK_2099]) {
    const device = await world.device(fs.crash('lost'));
    assert.equal((await device.refresh(world.source(), clock))?.blob, blobOf(2), `${clock}`);
    assert.is(device.versions.root, 4);
  }
});

test('wrong clocks: signed time is what counts, and goes on with the clock', async () => {
  const world = await World.make();
  for (const clock of [CLOCK_1970, CLOCK_2099]) {
    const device = await world.device();
    await device.refresh(world.source(), clock);
    assert.is(device.time(clock), START);
    assert.is(device.time(clock + DAY), START + DAY);
    await assertRefused(device.refresh(world.source(), clock + 8 * DAY), 'freeze');
    // It is set right at last.
    assert.is(device.time(START + 2 * DAY), START + 2 * DAY);
  }
});

test('a clock that is set back does not make anything valid again', async () => {
  const world = await World.make();
  const device = await world.device();
  await device.refresh(world.source(), world.now);
  world.now += 6 * DAY;
  await world.repository.renew(world.ring);
  await device.refresh(world.source(), world.now);
  assert.is(device.time(START), world.now);
});

test('what expires stops a refresh, and what was assigned until it expires stays', async () => {
  const world = await World.make();
  const device = await world.device();
  const assignment = await device.refresh(world.source(), world.now);
  await assertRefused(device.refresh(world.source(), world.now + 8 * DAY), 'freeze');
  assert.equal(device.assignment, assignment);
  assert.is(assignment!.expires, START + 7 * DAY);
});

test('numbers that a stolen key ran up are void once the root has other keys', async () => {
  const world = await World.make();
  const fs = new CrashFileSystem();
  const device = await world.device(fs);
  const version = Number.MAX_SAFE_INTEGER;
  const late = { issued: formatTime(START + 500 * DAY), expires: formatTime(START + 600 * DAY) };
  await forgeTimestamp(world, { change: { version, ...late }, by: KEYS.timestamp });
  await assertRefused(device.refresh(world.source(), world.now), 'freeze');
  assert.is(device.versions.timestamp, version);
  await world.rotate({ timestamp: [signerOf(32)] });
  await world.assign(2);
  assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(2));
  assert.is(device.time(world.now), world.now);
  assert.equal((await world.device(fs.crash('lost'))).assignment?.blob, blobOf(2));
});

test('an assignment by a director that the root no longer names does not count', async () => {
  const world = await World.make();
  const fs = new CrashFileSystem();
  const device = await world.device(fs);
  await device.refresh(world.source(), world.now);
  await world.rotate({ director: [signerOf(42)] });
  await assertRefused(device.refresh(world.source(), world.now), 'arbitrary-installation');
  assert.is(device.assignment, undefined);
  assert.is((await world.device(fs)).assignment, undefined);
  await world.assign(3);
  assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(3));
});

test('files of its own that are damaged are fetched again', async () => {
  const world = await World.make();
  for (const name of ['root', 'timestamp', 'snapshot', 'targets', 'assignment']) {
    const fs = new CrashFileSystem();
    await (await world.device(fs)).refresh(world.source(), world.now);
    const file = await fs.open(`trust/${name}.json`, 'write');
    await file.write(20, new Uint8Array(40));
    await file.close();
    const device = await world.device(fs);
    assert.equal((await device.refresh(world.source(), world.now))?.blob, blobOf(1), name);
  }
});

test('a device that is delivered with a newer root than it has takes it', async () => {
  const world = await World.make();
  const fs = new CrashFileSystem();
  await (await world.device(fs)).refresh(world.source(), world.now);
  await world.rotate({ timestamp: [signerOf(32)] });
  world.deliveredRoot = async () => (await world.folder.read('root', 2))!.bytes;
  assert.is((await world.device(fs)).versions.root, 2);
});

test('a device that is delivered with no root does not start to trust', async () => {
  const world = await World.make();
  world.deliveredRoot = async () => new Uint8Array(3);
  await assertRefused(world.device(), 'malformed-metadata');
});

test.run();
