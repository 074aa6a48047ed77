import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cached, keep, used } from '../../../sdk/util/cache.ts';
import { EigenError } from '../../../sdk/util/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'eigenweights-cache-'));
test.after(() => rmSync(folder, { recursive: true }));

test('what was not used for longest goes when there is too much', async () => {
  const file = (name: string): string => join(folder, name);
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    await keep(file(name), new Uint8Array(100), 300);
    await utimes(file(name), new Date(i * 1000), new Date(i * 1000));
  }
  assert.equal(readdirSync(folder).sort(), ['a', 'b', 'c']);
  await used(file('a'));
  await keep(file('d'), new Uint8Array(100), 300);
  assert.equal(readdirSync(folder).sort(), ['a', 'c', 'd']);
});

test('what is kept now stays, however large', async () => {
  await keep(join(folder, 'large'), new Uint8Array(1000), 300);
  assert.equal(readdirSync(folder), ['large']);
});

test('one file is kept twice at one time', async () => {
  const bytes = new Uint8Array(1000);
  await Promise.all(Array.from({ length: 8 }, () => keep(join(folder, 'large'), bytes)));
  assert.equal(readdirSync(folder), ['large']);
});

test('a cache where no folder can be is named before anything is made for it', async () => {
  const before = process.env.EIGEN_CACHE;
  process.env.EIGEN_CACHE = join(folder, 'large', 'cache');
  try {
    await cached('kernels/a', () => assert.unreachable() as never);
    assert.unreachable();
  } catch (e) {
    assert.ok(e instanceof EigenError, String(e));
    assert.is(e.code, 'EW1003_WRITE_FAILED');
    assert.match(e.message, join(folder, 'large', 'cache'));
  } finally {
    if (before === undefined) delete process.env.EIGEN_CACHE;
    else process.env.EIGEN_CACHE = before;
  }
});

test.run();
