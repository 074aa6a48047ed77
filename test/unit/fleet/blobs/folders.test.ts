import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BlobFolder, MetadataFolder } from '../../../../sdk/fleet/blobs/index.ts';
import { writeAtomic } from '../../../../sdk/util/files.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import { noise } from '../../../support/link.ts';

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ew-blobs-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a blob that was added is there, also for another process, until it is removed', () =>
  withFolder(async (folder) => {
    const bytes = noise(200_000);
    await writeFile(join(folder, 'a.bin'), bytes);
    const blobs = new BlobFolder(join(folder, 'store'));
    assert.equal(await blobs.list(), []);
    assert.is(await blobs.spec(sha256(bytes)), undefined);
    const spec = await blobs.add(join(folder, 'a.bin'));
    assert.equal(await blobs.addBytes(bytes), spec);
    assert.equal(await blobs.spec(spec.sha256), spec);
    const later = new BlobFolder(join(folder, 'store'));
    assert.equal(await later.spec(spec.sha256), spec);
    assert.ok(Buffer.compare(await later.read(spec.sha256, 1000, 5000), bytes.subarray(1000, 6000)) === 0);
    assert.is((await later.read(spec.sha256, 199_000, 5000)).length, 1000);
    assert.equal(await later.list(), [spec.sha256]);
    await rm(join(folder, 'store', 'pieces'), { recursive: true });
    const described = new BlobFolder(join(folder, 'store'));
    assert.equal(await described.spec(spec.sha256), spec, 'described anew');
    await blobs.remove(spec.sha256);
    assert.equal(await blobs.list(), []);
    await Promise.all([blobs.close(), later.close(), described.close()]);
  }));

test('more blobs than are kept open', () =>
  withFolder(async (folder) => {
    const blobs = new BlobFolder(folder);
    const specs = [];
    for (let i = 0; i < 70; i++) specs.push(await blobs.addBytes(noise(1000, i)));
    for (const { sha256: name } of specs) assert.is((await blobs.spec(name))?.bytes, 1000);
    for (const { sha256: name } of specs) assert.is(sha256(await blobs.read(name, 0, 1000)), name);
    await blobs.close();
  }));

test('names that are none of a blob', () =>
  withFolder(async (folder) => {
    await writeFile(join(folder, 'secret'), 'x');
    const blobs = new BlobFolder(join(folder, 'store'));
    for (const name of ['../../secret', '', 'A'.repeat(64)]) assert.is(await blobs.spec(name), undefined);
    await blobs.remove('../../secret');
    const e = await blobs.add(join(folder, 'none')).catch((x) => x);
    assert.is(e.code, 'EW1002_FILE_NOT_FOUND');
    await blobs.close();
  }));

test('metadata by version and the newest', () =>
  withFolder(async (folder) => {
    const files = new MetadataFolder(folder);
    const file = (version: number): Uint8Array => new TextEncoder().encode(JSON.stringify({ signed: { version } }));
    await writeAtomic(join(folder, '1.root.json'), file(1));
    await writeAtomic(join(folder, 'timestamp.json'), file(9));
    await writeAtomic(join(folder, 'broken.json'), 'x');
    assert.equal((await files.read('root', 1))?.version, 1);
    assert.equal(await files.read('timestamp'), { version: 9, bytes: Buffer.from(file(9)) });
    assert.equal((await files.read('timestamp', 9))?.version, 9);
    for (const [role, version] of [['root', 2], ['root'], ['timestamp', 8], ['broken'], ['../x'], ['']] as const)
      assert.is(await files.read(role, version), undefined, `${version}.${role}`);
  }));

test.run();
