import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DeviceFileSystem } from '../../../../sdk/device/fs/file-system.ts';
import { NodeDeviceFileSystem } from '../../../../sdk/device/fs/node.ts';
import {
  codeOf,
  digestOf,
  readIfThere,
  replaceFile,
  unlinkIfThere,
  withFile,
  writeFully,
} from '../../../../sdk/device/fs/whole-files.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { MemoryDeviceFileSystem } from '../../../../sdk/testing/memory-device-fs.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const codeOfFailure = (work: Promise<unknown>): Promise<string> => work.then(() => 'none', codeOf);

/** One suite for the platform's file system and for the simulated one: what tests prove with the one holds for the other. */
const CASES: Readonly<Record<string, (fs: DeviceFileSystem) => Promise<void>>> = {
  'a file is created by opening it for writing, and not by reading': async (fs) => {
    assert.is(await codeOfFailure(fs.open('a', 'read')), 'ENOENT');
    assert.is(await withFile(fs, 'a', 'write', (f) => f.size()), 0);
    assert.equal(await fs.list('.'), ['a']);
  },
  'opening for writing keeps what is there': async (fs) => {
    await withFile(fs, 'a', 'write', (f) => writeFully(f, 0, text('hello')));
    await withFile(fs, 'a', 'write', (f) => writeFully(f, 1, text('u')));
    assert.equal(await readIfThere(fs, 'a'), text('hullo'));
  },
  'a write behind the end fills with zeros, a read there ends': async (fs) => {
    await withFile(fs, 'a', 'write', async (f) => {
      assert.is(await f.write(3, text('x')), 1);
      await f.sync();
      assert.is(await f.size(), 4);
      assert.equal(await f.read(2, 100), Uint8Array.of(0, 120));
      assert.is((await f.read(9, 5)).length, 0);
    });
  },
  truncated: async (fs) => {
    await withFile(fs, 'a', 'write', async (f) => {
      await writeFully(f, 0, text('hello'));
      await f.truncate(2);
      assert.is(await f.size(), 2);
    });
    assert.equal(await readIfThere(fs, 'a'), text('he'));
  },
  'an open file stays the same under a new name': async (fs) => {
    await withFile(fs, 'a', 'write', async (f) => {
      await fs.rename('a', 'b');
      await writeFully(f, 0, text('moved'));
    });
    assert.equal(await fs.list('.'), ['b']);
    assert.equal(await readIfThere(fs, 'b'), text('moved'));
  },
  'a rename replaces': async (fs) => {
    await replaceFile(fs, 'a', text('old'));
    await replaceFile(fs, 'b', text('new'));
    await fs.rename('b', 'a');
    assert.equal(await fs.list('.'), ['a']);
    assert.equal(await readIfThere(fs, 'a'), text('new'));
    assert.is(await codeOfFailure(fs.rename('b', 'a')), 'ENOENT');
  },
  folders: async (fs) => {
    await fs.makeFolder('f');
    await fs.makeFolder('f');
    await replaceFile(fs, 'f/a', text('in a folder'));
    await fs.syncFolder('f');
    await fs.rename('f/a', 'a');
    assert.equal(await fs.list('f'), []);
    assert.equal(await fs.list('.'), ['a', 'f']);
    assert.is(await codeOfFailure(fs.open('none/a', 'write')), 'ENOENT');
    assert.is(await codeOfFailure(fs.list('none')), 'ENOENT');
    assert.is(await codeOfFailure(fs.syncFolder('none')), 'ENOENT');
    assert.is(await codeOfFailure(fs.makeFolder('none/f')), 'ENOENT');
  },
  'removed once, and gone': async (fs) => {
    await replaceFile(fs, 'a', text('x'));
    await fs.unlink('a');
    assert.is(await codeOfFailure(fs.unlink('a')), 'ENOENT');
    await unlinkIfThere(fs, 'a');
    assert.is(await readIfThere(fs, 'a'), undefined);
    assert.is(await digestOf(fs, 'a'), undefined);
  },
  digests: async (fs) => {
    const bytes = new Uint8Array(70_000).fill(7);
    await replaceFile(fs, 'a', bytes);
    assert.equal(await digestOf(fs, 'a'), { bytes: 70_000, sha256: sha256(bytes) });
    assert.ok((await fs.freeBytes()) > 0);
  },
};

for (const [name, work] of Object.entries(CASES)) {
  test(`${name}: simulated`, () => work(new CrashFileSystem({ capacity: 1 << 20 })));
  test(`${name}: in memory`, () => work(new MemoryDeviceFileSystem()));
  test(`${name}: of the platform`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ew-device-fs-'));
    try {
      await work(new NodeDeviceFileSystem(folder));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
