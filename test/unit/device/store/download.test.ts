import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BlobStore } from '../../../../sdk/device/store/blobs.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { pieceOf, specOf, versionBytes } from '../../../support/versions.ts';

const content = versionBytes(1, 40_000);
const spec = specOf(content, 1000);

async function emptyStore(): Promise<{ fs: CrashFileSystem; blobs: BlobStore }> {
  const fs = new CrashFileSystem();
  await fs.makeFolder('blobs');
  await fs.syncFolder('.');
  return { fs, blobs: new BlobStore(fs, 'blobs') };
}

test('pieces in any order make the blob', async () => {
  const { fs, blobs } = await emptyStore();
  const download = await blobs.download(spec);
  for (const i of download.missing().reverse()) await download.put(i, pieceOf(content, spec, i));
  assert.equal(download.missing(), []);
  assert.is(download.bytes, content.length);
  await download.close();
  await blobs.accept(spec);
  const later = new BlobStore(fs.crash('lost'), 'blobs');
  assert.equal(await later.read(spec.sha256), content);
  assert.equal(await fs.list('blobs'), [spec.sha256]);
});

test('wrong pieces are refused, and cost themselves only', async () => {
  const { blobs } = await emptyStore();
  const download = await blobs.download(spec);
  const wrong = pieceOf(content, spec, 3).slice();
  wrong[5]! ^= 1;
  for (const [index, bytes] of [
    [3, wrong],
    [3, pieceOf(content, spec, 4)],
    [99, wrong],
    [-1, wrong],
    [0.5, wrong],
  ] as const)
    assert.is(
      await download.put(index, bytes).then(
        () => '',
        (e) => e.code,
      ),
      'EW7002_PIECE_REFUSED',
    );
  assert.is(download.missing().length, spec.pieces.length);
  await download.put(3, pieceOf(content, spec, 3));
  assert.is(download.missing().length, spec.pieces.length - 1);
  await download.close();
});

test('after a power cut a sixteenth of the blob is fetched again at most, and never kept wrongly', async () => {
  const { fs, blobs } = await emptyStore();
  const download = await blobs.download(spec);
  for (let i = 0; i < 30; i++) await download.put(i, pieceOf(content, spec, i));
  for (const model of ['kept', 'lost', 'torn', 'reordered'] as const) {
    const later = fs.crash(model, 3);
    const resumed = await new BlobStore(later, 'blobs').download(spec);
    assert.ok(resumed.missing().length <= 10 + 3, `${model}: ${resumed.missing().length} missing`);
    for (const i of resumed.missing()) await resumed.put(i, pieceOf(content, spec, i));
    await resumed.close();
    await new BlobStore(later, 'blobs').accept(spec);
    assert.equal(await new BlobStore(later.crash('lost'), 'blobs').read(spec.sha256), content);
  }
});

test('rot in what was downloaded is found on resuming', async () => {
  const { fs, blobs } = await emptyStore();
  const download = await blobs.download(spec);
  for (let i = 0; i < 20; i++) await download.put(i, pieceOf(content, spec, i));
  await download.close();
  const file = await fs.open(`blobs/${spec.sha256}.part`, 'write');
  await file.write(7500, Uint8Array.of(1, 2, 3));
  const resumed = await blobs.download(spec);
  assert.equal(resumed.missing(), [7, ...Array.from({ length: spec.pieces.length - 20 }, (_, i) => 20 + i)]);
});

test('another list of pieces begins anew', async () => {
  const { blobs } = await emptyStore();
  const download = await blobs.download(spec);
  for (let i = 0; i < 20; i++) await download.put(i, pieceOf(content, spec, i));
  await download.close();
  const other = specOf(content, 900);
  const resumed = await blobs.download(other);
  assert.is(resumed.missing().length, other.pieces.length);
});

test('pieces that are right but do not make the blob are thrown away', async () => {
  const { fs, blobs } = await emptyStore();
  const lying = { ...spec, sha256: 'f'.repeat(64) };
  const download = await blobs.download(lying);
  for (const i of download.missing()) await download.put(i, pieceOf(content, spec, i));
  await download.close();
  assert.is(
    await blobs.accept(lying).then(
      () => '',
      (e) => e.code,
    ),
    'EW7001_STORE_DAMAGED',
  );
  assert.equal(await fs.list('blobs'), []);
});

test('what was written is little more than the blob', async () => {
  const { fs, blobs } = await emptyStore();
  const download = await blobs.download(spec);
  for (const i of download.missing()) await download.put(i, pieceOf(content, spec, i));
  await download.close();
  await blobs.accept(spec);
  assert.ok(fs.bytesWritten < 1.05 * content.length + 2048, `${fs.bytesWritten}`);
});

test.run();
