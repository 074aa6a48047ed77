import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeDelta } from '../../../../sdk/bundle/index.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { FetchBench } from '../../../support/fetch-bench.ts';
import { noise } from '../../../support/link.ts';
import { openState, stateBundle } from '../../../support/trained-bundles.ts';

const [OLD, NEW] = [stateBundle(0, 256), stateBundle(3, 256)];
const { bytes: DELTA } = makeDelta(openState(0, 256), openState(3, 256));

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (e) => (isEigenError(e) ? e.code : `${e.code ?? e}`),
  );

test('a blob comes from its source, and is not fetched again', async () => {
  const { fetcher, store, source } = await FetchBench.open();
  const bytes = noise(300_000);
  const blob = await source.add(bytes);
  assert.equal(await fetcher.fetch({ blob, held: [] }), { received: 300_000 });
  assert.equal(await fetcher.fetch({ blob, held: [] }), { received: 0 });
  await store.accept(blob);
  assert.equal(await fetcher.fetch({ blob, held: [] }), { received: 0 });
  assert.is(source.bytesOf(blob), 300_000);
  assert.is(Buffer.compare(await store.read(blob.sha256), bytes), 0);
});

test('wrong pieces are asked for again; pieces that never come are an error that keeps the others', async () => {
  const { fetcher, source } = await FetchBench.open();
  const blob = await source.add(noise(300_000));
  const seen = new Set<number>();
  source.damage = (bytes, index) => {
    if (index === 3) return undefined;
    if (seen.has(index)) return bytes;
    seen.add(index);
    return bytes.map((b) => b ^ 1);
  };
  assert.is(await codeOf(fetcher.fetch({ blob, held: [] })), 'EW7002_PIECE_REFUSED');
  source.damage = (bytes) => bytes;
  source.delivered.clear();
  await fetcher.fetch({ blob, held: [] });
  assert.is(source.bytesOf(blob), blob.pieces[3]!.bytes);
});

test('wrong pieces to the end are named as what they amount to, missing ones are not', async () => {
  const { fetcher, source } = await FetchBench.open();
  const blob = await source.add(noise(300_000));
  const attackOf = (work: Promise<unknown>): Promise<unknown> => work.catch((e) => e.details.attack);
  source.damage = (bytes, index) => (index === 3 ? bytes.map((b) => b ^ 1) : bytes);
  assert.is(await attackOf(fetcher.fetch({ blob, held: [] })), 'arbitrary-installation');
  source.damage = () => undefined;
  assert.is(await attackOf(fetcher.fetch({ blob, held: [] })), undefined);
});

test('pieces that another blob has are taken from it', async () => {
  const bench = await FetchBench.open();
  const { fetcher, source, store } = bench;
  const old = await bench.hold(OLD);
  const blob = await source.add(NEW);
  const same = blob.pieces.filter((p) => old.pieces.some((o) => o.sha256 === p.sha256));
  const kept = same.reduce((sum, p) => sum + p.bytes, 0);
  assert.ok(kept > 4000, `${kept}`);
  const { received } = await fetcher.fetch({ blob, held: [old.sha256, blob.sha256, 'f'.repeat(64)] });
  assert.is(received, NEW.length - kept);
  await store.accept(blob);
});

test('a delta is fetched where it is less, and what it makes is the blob', async () => {
  const bench = await FetchBench.open();
  const { fetcher, source, store, fs } = bench;
  const old = await bench.hold(OLD);
  const [blob, delta] = [await source.add(NEW), await source.add(DELTA)];
  const deltas = [
    { from: 'e'.repeat(64), blob: { ...delta, bytes: 1 } },
    { from: old.sha256, blob: delta },
  ];
  assert.equal(await fetcher.fetch({ blob, deltas, held: [old.sha256] }), { received: DELTA.length });
  assert.is(source.bytesOf(blob), 0);
  await store.accept(blob);
  assert.is(Buffer.compare(await store.read(blob.sha256), NEW), 0);
  assert.equal((await fs.list('blobs')).sort(), [old.sha256, blob.sha256].sort());
});

test('a delta that is no less is not fetched', async () => {
  const bench = await FetchBench.open();
  const { fetcher, source } = bench;
  const old = await bench.hold(OLD);
  const [blob, delta] = [await source.add(NEW), await source.add(noise(NEW.length))];
  await fetcher.fetch({ blob, deltas: [{ from: old.sha256, blob: delta }], held: [old.sha256] });
  assert.is(source.bytesOf(delta), 0);
});

const broken = (change: (delta: Uint8Array) => void): Uint8Array => {
  const delta = DELTA.slice();
  change(delta);
  return delta;
};

/** Deltas that do not lead to the blob, each right as a file. */
const USELESS: Readonly<Record<string, Uint8Array>> = {
  'a delta with a wrong byte': broken((d) => {
    d[d.length >> 1]! ^= 1;
  }),
  'a delta that is cut short': DELTA.slice(0, DELTA.length >> 1),
  'no delta at all': noise(1000),
  'a delta to another bundle': makeDelta(openState(0, 256), openState(2, 256)).bytes,
  'a delta to a larger bundle': makeDelta(openState(0, 256), openState(0, 512)).bytes,
  'a delta from another bundle': makeDelta(openState(1, 256), openState(3, 256)).bytes,
};

for (const [name, bytes] of Object.entries(USELESS)) {
  test(`${name} ends in the full download, and is not tried again`, async () => {
    const bench = await FetchBench.open();
    const { fetcher, source, store } = bench;
    const old = await bench.hold(OLD);
    const [blob, delta] = [await source.add(NEW), await source.add(bytes)];
    const request = { blob, deltas: [{ from: old.sha256, blob: delta }], held: [old.sha256] };
    source.damage = (b, index, of) => (of.sha256 === blob.sha256 && index === 0 ? undefined : b);
    if (delta.bytes < NEW.length) assert.is(await codeOf(fetcher.fetch(request)), 'EW7002_PIECE_REFUSED');
    source.damage = (b) => b;
    const { deltaProblem } = await fetcher.fetch(request);
    assert.ok(delta.bytes >= NEW.length || deltaProblem?.startsWith('it failed before'), deltaProblem);
    assert.ok(source.bytesOf(delta) <= delta.bytes);
    await store.accept(blob);
    assert.is(Buffer.compare(await store.read(blob.sha256), NEW), 0);
  });

  test(`${name} ends without a download where that is too much`, async () => {
    const bench = await FetchBench.open(1000);
    const { fetcher, source, store } = bench;
    const old = await bench.hold(OLD);
    const [blob, delta] = [await source.add(NEW), await source.add(bytes)];
    if (delta.bytes >= NEW.length) return;
    const request = { blob, deltas: [{ from: old.sha256, blob: delta }], held: [old.sha256] };
    for (let i = 0; i < 3; i++) assert.is(await codeOf(fetcher.fetch(request)), 'EW7105_BYTE_BUDGET');
    // Nor after a restart, or another one.
    const later = await (await bench.restart()).restart();
    for (let i = 0; i < 3; i++) assert.is(await codeOf(later.fetcher.fetch(request)), 'EW7105_BYTE_BUDGET');
    assert.is(source.bytesOf(blob), 0);
    assert.is(source.bytesOf(delta), delta.bytes);
    assert.is(Buffer.compare(await store.read(old.sha256), OLD), 0);
  });
}

test('a delta that a network does not bring yet has not failed', async () => {
  const bench = await FetchBench.open(0);
  const { source, store, fetcher } = bench;
  const old = await bench.hold(OLD);
  const [blob, delta] = [await source.add(NEW), await source.add(DELTA)];
  const request = { blob, deltas: [{ from: old.sha256, blob: delta }], held: [old.sha256] };
  const stop = Object.assign(new Error('stopped'), { name: 'AbortError' });
  source.damage = () => {
    throw stop;
  };
  assert.is(await fetcher.fetch(request).catch((e) => e), stop);
  source.damage = (b) => b;
  await fetcher.fetch(request);
  await store.accept(blob);
});

test('a medium without room for a delta, and a blob held that is damaged', async () => {
  const bench = await FetchBench.open();
  const { source, store, fs } = bench;
  const old = await bench.hold(OLD);
  const file = await fs.open(`blobs/${old.sha256}`, 'write');
  for (let at = 0; at < OLD.length; at += 700) await file.write(at, Uint8Array.of(1));
  const [blob, delta] = [await source.add(NEW), await source.add(DELTA)];
  const request = { blob, deltas: [{ from: old.sha256, blob: delta }], held: [old.sha256] };
  const { deltaProblem } = await bench.fetcher.fetch(request);
  assert.ok(deltaProblem !== undefined);
  await store.accept(blob);
});

test('a delta that the medium has failed is tried again after a restart', async () => {
  const bench = await FetchBench.open(0);
  const { source, fs } = bench;
  const old = await bench.hold(OLD);
  const [blob, delta] = [await source.add(NEW), await source.add(DELTA)];
  const request = { blob, deltas: [{ from: old.sha256, blob: delta }], held: [old.sha256] };
  source.damage = (bytes) => {
    fs.failAt(fs.operations.length, 'ENOSPC', 1);
    return bytes;
  };
  assert.is(await codeOf(bench.fetcher.fetch(request)), 'EW7105_BYTE_BUDGET');
  source.damage = (bytes) => bytes;
  const later = await bench.restart();
  const { deltaProblem } = await later.fetcher.fetch(request);
  assert.is(deltaProblem, undefined);
  await later.store.accept(blob);
});

test.run();
