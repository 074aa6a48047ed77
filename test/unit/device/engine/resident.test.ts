import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { residentWeights } from '../../../../sdk/device/engine/resident.ts';

const WEIGHTS = Uint8Array.from({ length: 150_000 }, (_, i) => (i * 7) & 255);
const before = process.env.EIGEN_CACHE;
let made = 0;
const make = (): Uint8Array => {
  made++;
  return WEIGHTS;
};

async function fileOf(name: string): Promise<string> {
  const weights = await residentWeights(name, make);
  if (weights instanceof Uint8Array) throw new Error('not kept in a file');
  return weights.file;
}

test.before.each(() => {
  process.env.EIGEN_CACHE = mkdtempSync(join(tmpdir(), 'eigenweights-resident-'));
  made = 0;
});
test.after.each(() => {
  rmSync(process.env.EIGEN_CACHE!, { recursive: true, force: true });
  if (before === undefined) delete process.env.EIGEN_CACHE;
  else process.env.EIGEN_CACHE = before;
});

test('weights are decoded once and kept with their hash', async () => {
  const file = await fileOf('a');
  assert.equal(new Uint8Array(readFileSync(file)).subarray(0, WEIGHTS.length), WEIGHTS);
  assert.is(await fileOf('a'), file);
  assert.is(made, 1);
});

test('a file that is damaged, cut off or empty is made again', async () => {
  const file = await fileOf('a');
  const whole = readFileSync(file);
  const damaged = Buffer.from(whole);
  damaged[70_000]! ^= 1;
  for (const content of [damaged, whole.subarray(0, whole.length - 1), whole.subarray(0, 10), Buffer.alloc(0)]) {
    writeFileSync(file, content);
    made = 0;
    assert.is(await fileOf('a'), file);
    assert.is(made, 1);
    assert.ok(readFileSync(file).equals(whole));
  }
});

test.run();
