import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryFileSystem } from '../../../sdk/testing/memory-fs.ts';
import { EigenError } from '../../../sdk/util/errors.ts';
import { nodeFileSystem, readBytes, writeAtomic } from '../../../sdk/util/files.ts';
import { sha256 } from '../../../sdk/util/hash.ts';

async function errorOf(work: Promise<unknown>): Promise<EigenError> {
  try {
    await work;
  } catch (e) {
    assert.ok(e instanceof EigenError, String(e));
    return e;
  }
  throw new Error('no error');
}

test('sha256 of the standard example', () => {
  assert.is(sha256('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.is(sha256(Uint8Array.of(0x61), 'bc'), sha256('abc'));
});

test('on disk: written whole, replaced, no temporary left, absent file named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ew-files-'));
  try {
    const path = join(folder, 'deep', 'x.bin');
    await writeAtomic(path, Uint8Array.of(1, 2));
    await writeAtomic(path, 'abc');
    assert.equal([...readFileSync(path)], [97, 98, 99]);
    assert.equal(readdirSync(join(folder, 'deep')), ['x.bin']);
    assert.equal(await readBytes(path), Uint8Array.of(97, 98, 99));
    const absent = await errorOf(readBytes(join(folder, 'no.bin')));
    assert.is(absent.code, 'EW1002_FILE_NOT_FOUND');
    assert.match(absent.message, /no\.bin: no such file/);
    const folderAsFile = await errorOf(writeAtomic(join(folder, 'deep'), 'x'));
    assert.is(folderAsFile.code, 'EW1003_WRITE_FAILED');
    assert.equal(readdirSync(folder), ['deep']);
    assert.is(await nodeFileSystem.exists(path), true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a full disk leaves the old content and no temporary', async () => {
  const fs = new MemoryFileSystem();
  await writeAtomic('out/x.ewb', 'old', fs);
  for (const failure of [
    { operation: 'write', code: 'ENOSPC', bytesWritten: 2 },
    { operation: 'rename', code: 'EIO' },
  ] as const) {
    fs.failNext(failure);
    const e = await errorOf(writeAtomic('out/x.ewb', 'new content', fs));
    assert.is(e.code, 'EW1003_WRITE_FAILED');
    assert.match(e.message, new RegExp(`out/x\\.ewb: not written \\(${failure.code}`));
    assert.ok(e.hint);
    assert.equal(await fs.list('out'), ['x.ewb']);
    assert.equal(new TextDecoder().decode(await fs.read('out/x.ewb')), 'old');
  }
  fs.failNext({ operation: 'write', code: 'ENOSPC' });
  assert.match((await errorOf(writeAtomic('new.ewb', 'x', fs))).hint!, /disk is full/);
  assert.is(await fs.exists('new.ewb'), false);
});

test.run();
