import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { residentWeights } from '../../../../sdk/device/engine/resident.ts';

const before = process.env.EIGEN_CACHE;
let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-resident-'));
  process.env.EIGEN_CACHE = folder;
});
test.after(() => {
  if (before === undefined) delete process.env.EIGEN_CACHE;
  else process.env.EIGEN_CACHE = before;
  rmSync(folder, { recursive: true, force: true });
});

const WEIGHTS = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);
let made = 0;
const make = (): Uint8Array => {
  made++;
  return WEIGHTS;
};

test('weights are decoded once and found again; a damaged file is made anew', async () => {
  const first = await residentWeights('a', make);
  assert.not.instance(first, Uint8Array);
  const { file } = first as { file: string };
  assert.ok(readFileSync(file).subarray(0, WEIGHTS.length).equals(Buffer.from(WEIGHTS)));
  assert.equal(await residentWeights('a', make), { file });
  assert.is(made, 1);
  for (const damaged of [readFileSync(file).subarray(1), Buffer.alloc(10), Buffer.alloc(0)]) {
    writeFileSync(file, damaged);
    made = 0;
    assert.equal(await residentWeights('a', make), { file });
    assert.is(made, 1);
  }
});

test('without a cache the bytes themselves are given', async () => {
  process.env.EIGEN_CACHE = 'off';
  assert.is(await residentWeights('b', make), WEIGHTS);
  process.env.EIGEN_CACHE = folder;
});

test.run();
