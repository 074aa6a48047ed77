import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  installBundle,
  installWeights,
  kernelsFor,
  openBundle,
  openInstalled,
  packBundle,
} from '../../../sdk/bundle/index.ts';
import { MemoryFileSystem } from '../../../sdk/testing/memory-fs.ts';
import { EigenError } from '../../../sdk/util/errors.ts';
import { sha256 } from '../../../sdk/util/hash.ts';
import { layeredSpec, smallBundle } from '../../support/small-bundle.ts';

async function errorOf(work: Promise<unknown>): Promise<EigenError> {
  try {
    await work;
  } catch (e) {
    assert.ok(e instanceof EigenError, String(e));
    return e;
  }
  throw new Error('no error');
}

test('a bundle of which a part is missing is not installed', async () => {
  const whole = packBundle(layeredSpec());
  const bundle = openBundle(whole.subarray(0, whole.length - 2048), { partial: true });
  assert.ok(bundle.received);
  const fs = new MemoryFileSystem();
  assert.is((await errorOf(installBundle(bundle, 'cache', fs))).code, 'EW6005_BUNDLE_INCOMPLETE');
  assert.is(fs.files.size, 0);
});

test('installed, opened, and left alone the second time', async () => {
  const fs = new MemoryFileSystem();
  const bundle = openBundle(smallBundle());
  const folder = await installBundle(bundle, 'cache', fs);
  assert.is(folder, `cache/${bundle.digest}`);
  assert.equal(await fs.list(folder), [
    'golden',
    'installed.sha256',
    'kernels',
    'manifest.json',
    'manifest.sha256',
    'weights.bin',
  ]);
  const installed = await openInstalled('cache', bundle.digest, fs);
  assert.equal(await fs.read(installed.weights), installWeights(bundle));
  for (const platform of ['linux-x64', 'wasm'] as const)
    assert.equal(await installed.kernelsFor(platform), kernelsFor(bundle, platform));
  for (const { variant, file, verified } of installed.kernelFiles('linux-x64')) {
    const { bytes } = kernelsFor(bundle, 'linux-x64').find((k) => k.variant === variant)!;
    assert.equal(await fs.read(file), bytes);
    assert.is(await verified(), sha256(bytes));
  }
  assert.equal(installed.manifest, bundle.manifest);
  const before = fs.files.get(`${folder}/weights.bin`);
  await installBundle(bundle, 'cache', fs);
  assert.is(fs.files.get(`${folder}/weights.bin`), before);
});

test('a changed file is found by name, and installing again repairs it', async () => {
  const fs = new MemoryFileSystem();
  const bundle = openBundle(smallBundle());
  const folder = await installBundle(bundle, 'cache', fs);
  for (const name of ['weights.bin', 'kernels/simd.wasm', 'manifest.json']) {
    fs.files.get(`${folder}/${name}`)![0] ^= 1;
    const opened = openInstalled('cache', bundle.digest, fs);
    const e = await errorOf(opened.then((installed) => installed.kernelsFor('wasm')));
    assert.is(e.code, 'EW6002_BUNDLE_TAMPERED');
    assert.ok(e.message.includes(`'${name}'`), e.message);
    const files = opened.then((installed) => Promise.all(installed.kernelFiles('wasm').map((k) => k.verified())));
    assert.equal(await errorOf(files), e);
    await installBundle(bundle, 'cache', fs);
    await openInstalled('cache', bundle.digest, fs);
  }
  fs.files.delete(`${folder}/weights.bin`);
  assert.is((await errorOf(openInstalled('cache', bundle.digest, fs))).code, 'EW1002_FILE_NOT_FOUND');
});

test('a failure at any write leaves nothing behind', async () => {
  const bundle = openBundle(smallBundle());
  for (const path of ['manifest.json', 'weights.bin', 'simd.wasm', 'installed.sha256']) {
    const fs = new MemoryFileSystem();
    fs.failNext({ operation: 'write', code: 'ENOSPC', path, bytesWritten: 3 });
    const e = await errorOf(installBundle(bundle, 'cache', fs));
    assert.is(e.code, 'EW1003_WRITE_FAILED');
    assert.equal(await fs.list('cache'), []);
  }
});

test.run();
