import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { applyDelta, type Bundle, bytesSource, makeDelta, openBundle } from '../../../../sdk/bundle/index.ts';
import { packBundle } from '../../../../sdk/bundle/pack.ts';
import { crc32 } from '../../../../sdk/util/crc32.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { layeredSpec, smallBundle } from '../../../support/small-bundle.ts';
import { memoryTarget, openState, stateBundle } from '../../../support/trained-bundles.ts';

const refused =
  (code: string) =>
  (e: unknown): boolean =>
    isEigenError(e) && e.code === code;

async function applied(delta: Uint8Array, old: Uint8Array, now: Bundle): Promise<Uint8Array> {
  const target = memoryTarget(now.bytes);
  const result = await applyDelta({ delta: bytesSource(delta), old: bytesSource(old), target, digest: now.digest });
  assert.equal(result, { digest: now.digest, bytes: now.bytes });
  return target.content;
}

const STATES = [0, 1, 2, 3] as const;

test('a delta makes the new bundle to the byte, whichever the two are', async () => {
  for (const a of STATES)
    for (const b of STATES) {
      const { bytes, report } = makeDelta(openState(a), openState(b));
      assert.is(report.bytes, bytes.length);
      assert.equal(await applied(bytes, stateBundle(a), openState(b)), stateBundle(b));
      if (a === b) assert.ok(bytes.length < 150, `${bytes.length}`);
    }
});

test('every constant goes by the shortest way', () => {
  const ops = (a: 0 | 1 | 2, b: 1 | 2 | 3): Record<string, string> =>
    Object.fromEntries(makeDelta(openState(a), openState(b)).report.constants.map((c) => [c.name, c.op]));
  const few = ops(0, 1);
  assert.is(few.planes, 'differences');
  assert.is(few.floats, 'differences');
  assert.is(few.kept, 'copy');
  assert.is(few.scales, 'whole');
  const many = ops(0, 2);
  assert.is(many.planes, 'differences');
  assert.is(many.floats, 'changes');
  assert.is(many.kept, 'copy');
  assert.is(ops(0, 3).other, 'whole');
});

test('few changes take few bytes', () => {
  const { bytes, report } = makeDelta(openState(0), openState(1));
  assert.ok(bytes.length < 0.2 * report.newBytes, `${bytes.length} of ${report.newBytes}`);
  const planes = report.constants.find((c) => c.name === 'planes')!;
  // 1 % of 10,240 codes moved: 0.081 bits a code by its entropy and one for the direction, and how the codes are coded.
  assert.ok(planes.bytes < 103 * 1.25 + 13 + 85, `${planes.bytes}`);
});

test('the same bundles give the same delta', () => {
  assert.equal(makeDelta(openState(0), openState(2)).bytes, makeDelta(openState(0), openState(2)).bytes);
});

test('bundles that have nothing in common', async () => {
  const [a, b] = [smallBundle(), packBundle(layeredSpec())];
  for (const [old, now] of [
    [a, b],
    [b, a],
  ] as const) {
    const { bytes } = makeDelta(openBundle(old), openBundle(now));
    assert.equal(await applied(bytes, old, openBundle(now)), now);
  }
});

test('another base is refused before anything is written', async () => {
  const { bytes } = makeDelta(openState(0), openState(1));
  const target = memoryTarget(openState(1).bytes);
  const request = { delta: bytesSource(bytes), old: bytesSource(stateBundle(2)), target };
  await rejects(applyDelta(request), 'EW6009_DELTA_BASE');
  assert.ok(target.content.every((b) => b === 0));
});

test('a delta to another bundle than the one that is expected', async () => {
  const { bytes } = makeDelta(openState(0), openState(1));
  const request = { delta: bytesSource(bytes), old: bytesSource(stateBundle(0)), target: memoryTarget(1e6) };
  await rejects(applyDelta({ ...request, digest: openState(2).digest }), 'EW6008_DELTA_INVALID');
});

test('an old bundle that was damaged since', async () => {
  const { bytes } = makeDelta(openState(0), openState(1));
  const old = stateBundle(0);
  old[old.length - 2000]! ^= 1;
  const target = memoryTarget(openState(1).bytes);
  await rejects(applyDelta({ delta: bytesSource(bytes), old: bytesSource(old), target }), 'EW6008_DELTA_INVALID');
});

test('cut off, extended, another format, another checksum', async () => {
  const { bytes } = makeDelta(openState(0), openState(1));
  const apply = (delta: Uint8Array) =>
    applyDelta({
      delta: bytesSource(delta),
      old: bytesSource(stateBundle(0)),
      target: memoryTarget(openState(1).bytes),
    });
  for (const length of [0, 3, 4, 40, 68, 200, bytes.length - 5, bytes.length - 1])
    await rejects(apply(bytes.slice(0, length)), 'EW6008_DELTA_INVALID');
  await rejects(apply(Uint8Array.of(...bytes, 0)), 'EW6008_DELTA_INVALID');
  const sum = bytes.slice();
  sum[sum.length - 1]! ^= 1;
  await rejects(apply(sum), 'EW6008_DELTA_INVALID');
  const other = bytes.slice();
  other[3] = 0x32;
  new DataView(other.buffer).setUint32(other.length - 4, crc32(other.subarray(0, -4)), true);
  await rejects(apply(other), 'EW6008_DELTA_INVALID');
});

test('no more than a block of a file is read at once, and nothing outside it', async () => {
  const { bytes } = makeDelta(openState(0, 256), openState(2, 256));
  const old = stateBundle(0, 256);
  const now = openState(2, 256);
  let most = 0;
  const source = {
    bytes: old.length,
    read: async (from: number, count: number) => {
      assert.ok(from >= 0 && from + count <= old.length);
      most = Math.max(most, count);
      return old.subarray(from, from + count);
    },
  };
  const target = memoryTarget(now.bytes);
  await applyDelta({ delta: bytesSource(bytes), old: source, target });
  assert.equal(target.content, stateBundle(2, 256));
  // The largest constant has 40,960 codes of less than a byte.
  assert.ok(most < 40_960, `${most} of ${old.length}`);
});

async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  const e = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(refused(code)(e), String(e));
}

test.run();
