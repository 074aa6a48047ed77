import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeOf, readIfThere, replaceFile, withFile, writeFully } from '../../../sdk/device/fs/whole-files.ts';
import { CrashFileSystem, PowerCut } from '../../../sdk/testing/crash-file-system.ts';

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** A durable file of 2000 ones, and 1500 twos written over its beginning that are not synced. */
async function half(): Promise<CrashFileSystem> {
  const fs = new CrashFileSystem();
  await replaceFile(fs, 'a', bytes(2000, 1));
  await withFile(fs, 'a', 'write', (f) => writeFully(f, 0, bytes(1500, 2)));
  return fs;
}

const twos = async (fs: CrashFileSystem): Promise<number> =>
  (await readIfThere(fs, 'a'))!.filter((b) => b === 2).length;

test('kept: as it was; lost: as it was synced; torn: half of the last write, by sectors', async () => {
  const fs = await half();
  assert.is(await twos(fs.crash('kept')), 1500);
  assert.is(await twos(fs.crash('lost')), 0);
  assert.is(await twos(fs.crash('torn')), 512);
});

test('reordered: some of the sectors, others with another seed, the same with the same', async () => {
  const fs = await half();
  const counts = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((seed) => twos(fs.crash('reordered', seed))));
  assert.ok(new Set(counts).size > 2, `${counts}`);
  for (const count of counts) assert.ok([0, 476, 512, 988, 1024, 1500].includes(count), `${count}`);
  assert.is(await twos(fs.crash('reordered', 1)), counts[0]);
});

test('names are lost until their folder is synced, with whatever is in the file', async () => {
  const fs = new CrashFileSystem();
  await withFile(fs, 'a', 'write', async (f) => {
    await writeFully(f, 0, bytes(10, 1));
    await f.sync();
  });
  assert.equal(await fs.crash('lost').list('.'), []);
  assert.equal(await fs.crash('kept').list('.'), ['a']);
  await fs.syncFolder('.');
  assert.equal(await readIfThere(fs.crash('lost'), 'a'), bytes(10, 1));
  await fs.rename('a', 'b');
  assert.equal(await fs.crash('lost').list('.'), ['a']);
  const names = [1, 2, 3, 4].map((seed) => fs.crash('reordered', seed).list('.'));
  assert.equal(new Set((await Promise.all(names)).flat()), new Set(['a', 'b']));
});

test('power goes at an operation, which is done in part, and everything after it fails', async () => {
  const fs = new CrashFileSystem();
  await replaceFile(fs, 'a', bytes(2000, 1));
  fs.cutPowerAt(fs.operations.length + 1);
  const cut = await withFile(fs, 'a', 'write', (f) => writeFully(f, 0, bytes(2000, 2))).catch((e) => e);
  assert.instance(cut, PowerCut);
  assert.not(fs.powered);
  assert.instance(await fs.list('.').catch((e) => e), PowerCut);
  assert.is(await twos(fs.crash('kept')), 0);
  assert.is(await twos(fs.crash('torn')), 512);
});

test('errors at an operation, where such an operation can have them', async () => {
  const fs = new CrashFileSystem();
  await replaceFile(fs, 'a', bytes(10, 1));
  fs.failAt(fs.operations.length, 'EROFS', Number.POSITIVE_INFINITY);
  assert.equal(await readIfThere(fs, 'a'), bytes(10, 1));
  assert.is(await fs.unlink('a').then(() => '', codeOf), 'EROFS');
  fs.repair();
  fs.failAt(fs.operations.length + 1, 'short');
  await withFile(fs, 'a', 'write', async (f) => {
    assert.is(await f.write(0, bytes(10, 2)), 5);
    await writeFully(f, 0, bytes(10, 3));
  });
  assert.equal(await readIfThere(fs, 'a'), bytes(10, 3));
});

test('what a failed sync forgot does not become durable by a second one', async () => {
  const fs = await half();
  fs.failAt(fs.operations.length + 1, 'EIO');
  await withFile(fs, 'a', 'write', async (f) => {
    assert.is(await f.sync().then(() => '', codeOf), 'EIO');
    await f.sync();
  });
  assert.is(await twos(fs), 1500);
  assert.is(await twos(fs.crash('lost')), 0);
});

test('a full medium takes what fits', async () => {
  const fs = new CrashFileSystem({ capacity: 100 });
  const code = await withFile(fs, 'a', 'write', (f) => writeFully(f, 0, bytes(150, 1))).catch(codeOf);
  assert.is(code, 'ENOSPC');
  assert.is(fs.usedBytes(), 100);
  assert.is(await fs.freeBytes(), 0);
});

test.run();
