import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DeviceFileSystem } from '../../../../sdk/device/fs/file-system.ts';
import { MOST_STARTS, type SlotContent, Slots } from '../../../../sdk/device/store/slots.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { pieceOf, specOf, versionBytes } from '../../../support/versions.ts';

const VERSIONS = [1, 2, 3].map((version) => {
  const bytes = versionBytes(version);
  const blob = specOf(bytes);
  const content: SlotContent = { sha256: blob.sha256, bytes: blob.bytes, release: version };
  return { bytes, blob, content };
});
const contentOf = (version: number): SlotContent => VERSIONS[version - 1]!.content;

/** Slots serve models and, in a folder of their own, the agent: what is tested here holds for both. */
const FOLDER = 'agent';

async function fetch(slots: Slots, version: number): Promise<void> {
  const { bytes, blob } = VERSIONS[version - 1]!;
  await slots.reserve(blob, slots.active?.sha256);
  const download = await slots.blobs.download(blob);
  for (const i of download.missing()) await download.put(i, pieceOf(bytes, blob, i));
  await download.close();
  await slots.blobs.accept(blob);
}

async function install(fs: DeviceFileSystem, ...versions: readonly number[]): Promise<Slots> {
  const slots = await Slots.open(fs, FOLDER);
  for (const version of versions) {
    await fetch(slots, version);
    await slots.swap(contentOf(version), { milliseconds: 10 });
    await slots.commit();
  }
  return slots;
}

async function damage(fs: CrashFileSystem, version: number): Promise<void> {
  const file = await fs.open(`${FOLDER}/blobs/${contentOf(version).sha256}`, 'write');
  await file.write(100, Uint8Array.of(1, 2, 3, 4));
  await file.sync();
}

test('nothing is installed at first', async () => {
  const slots = await Slots.open(new CrashFileSystem(), FOLDER);
  assert.equal(await slots.recover(), {});
  assert.equal(slots.state, { slots: {} });
});

test('two slots take turns, and a rollback names what it went back from', async () => {
  const fs = new CrashFileSystem();
  const slots = await install(fs, 1, 2);
  assert.equal(slots.active, contentOf(2));
  assert.equal(slots.previous, contentOf(1));
  await fetch(slots, 3);
  await slots.swap(contentOf(3), { milliseconds: 10 });
  assert.equal(slots.previous, contentOf(2));
  await slots.rollBack('it is bad');
  const later = await Slots.open(fs.crash('lost'), FOLDER);
  assert.equal(later.active, contentOf(2));
  assert.equal(later.state.rejected, { content: contentOf(3), reason: 'it is bad' });
  assert.equal(await later.recover(), { content: contentOf(2) });
});

test('what is started too often on probation is rolled back', async () => {
  let fs = new CrashFileSystem();
  const slots = await install(fs, 1);
  await fetch(slots, 2);
  await slots.swap(contentOf(2), { milliseconds: 10 });
  for (let starts = 2; starts <= MOST_STARTS; starts++) {
    fs = fs.crash('lost');
    assert.equal(await (await Slots.open(fs, FOLDER)).recover(), { content: contentOf(2) });
  }
  fs = fs.crash('lost');
  const last = await Slots.open(fs, FOLDER);
  const recovered = await last.recover();
  assert.equal(recovered.content, contentOf(1));
  assert.match(recovered.fellBack!, `started ${MOST_STARTS} times`);
  assert.equal((await Slots.open(fs.crash('lost'), FOLDER)).active, contentOf(1));
});

test('a start on probation that cannot be counted is not tried', async () => {
  const fs = new CrashFileSystem();
  const slots = await install(fs, 1);
  await fetch(slots, 2);
  await slots.swap(contentOf(2), { milliseconds: 10 });
  fs.failAt(fs.operations.length, 'EROFS', Number.POSITIVE_INFINITY);
  const recovered = await (await Slots.open(fs, FOLDER)).recover();
  assert.equal(recovered.content, contentOf(1));
  assert.match(recovered.fellBack!, 'cannot be counted');
});

test('damage falls back to the other slot; installing again repairs', async () => {
  const fs = new CrashFileSystem();
  await install(fs, 1, 2);
  await damage(fs, 2);
  const slots = await Slots.open(fs, FOLDER);
  const recovered = await slots.recover();
  assert.equal(recovered.content, contentOf(1));
  assert.match(recovered.fellBack!, 'is damaged');
  await fetch(slots, 2);
  await slots.swap(contentOf(2), { milliseconds: 10 }, contentOf(1).sha256);
  assert.equal(await (await Slots.open(fs.crash('lost'), FOLDER)).recover(), { content: contentOf(2) });
});

test('damage that cannot be noted: the model that runs instead keeps its slot', async () => {
  const fs = new CrashFileSystem();
  await install(fs, 1, 2);
  await damage(fs, 2);
  fs.failAt(fs.operations.length, 'EROFS', Number.POSITIVE_INFINITY);
  const slots = await Slots.open(fs, FOLDER);
  assert.equal((await slots.recover()).content, contentOf(1));
  fs.repair();
  await fetch(slots, 3);
  await slots.swap(contentOf(3), { milliseconds: 10 }, contentOf(1).sha256);
  assert.equal([slots.active, slots.previous], [contentOf(3), contentOf(1)]);
});

test('a blob for which there will be no room does not cost the other slot', async () => {
  const fs = new CrashFileSystem({ capacity: (64 << 10) + 3 * 5100 });
  const slots = await install(fs, 1, 2);
  const large = { ...VERSIONS[2]!.blob, bytes: 1 << 20 };
  assert.is(
    await slots.reserve(large, contentOf(2).sha256).then(
      () => '',
      (e) => e.code,
    ),
    'EW7003_NO_SPACE',
  );
  assert.equal(slots.previous, contentOf(1));
});

test('damage to everything is said, and nothing is started', async () => {
  const fs = new CrashFileSystem();
  await install(fs, 1, 2);
  await damage(fs, 1);
  await damage(fs, 2);
  const recovered = await (await Slots.open(fs, FOLDER)).recover();
  assert.is(recovered.content, undefined);
  assert.match(recovered.fellBack!, 'is damaged');
});

test('where space is short the other slot goes, the one in use never', async () => {
  const fs = new CrashFileSystem({ capacity: (64 << 10) + 3 * 5100 });
  const slots = await install(fs, 1, 2);
  await slots.reserve(VERSIONS[2]!.blob, contentOf(2).sha256);
  assert.is(slots.previous, undefined);
  assert.equal(await fs.list(`${FOLDER}/blobs`), [contentOf(2).sha256]);
  const tight = new CrashFileSystem({ capacity: (64 << 10) + 6000 });
  const other = await install(tight, 1);
  assert.is(
    await other.reserve(VERSIONS[1]!.blob, contentOf(1).sha256).then(
      () => '',
      (e) => e.code,
    ),
    'EW7003_NO_SPACE',
  );
  assert.equal(await other.recover(), { content: contentOf(1) });
});

test('garbage of an update that was given up goes with the next one', async () => {
  const fs = new CrashFileSystem();
  const slots = await install(fs, 1);
  await fetch(slots, 2);
  const download = await slots.blobs.download(VERSIONS[2]!.blob);
  await download.put(0, pieceOf(VERSIONS[2]!.bytes, VERSIONS[2]!.blob, 0));
  await download.close();
  await slots.collect([contentOf(2).sha256]);
  assert.equal(new Set(await fs.list(`${FOLDER}/blobs`)), new Set([contentOf(1).sha256, contentOf(2).sha256]));
  await slots.collect();
  assert.equal(await fs.list(`${FOLDER}/blobs`), [contentOf(1).sha256]);
});

test.run();
