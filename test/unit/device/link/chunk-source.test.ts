import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Window } from '../../../../sdk/device/link/window.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import { decodeMessage } from '../../../../sdk/wire/protocol/messages.ts';
import { everyDevice } from '../../../../sdk/wire/protocol/topics.ts';
import { noise } from '../../../support/link.ts';
import { joined, LinkBench } from '../../../support/link-bench.ts';

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (e) => (isEigenError(e) ? e.code : String(e)),
  );

test('a blob comes whole, and no byte of it twice', async () => {
  const bench = new LinkBench({ latency: 25 });
  const bytes = noise(5_000_000);
  const spec = await bench.blobs.add(bytes);
  await bench.serve();
  const pieces = await bench.collect(spec);
  assert.is(sha256(joined(pieces)), spec.sha256);
  assert.is(bench.server!.counts.chunks, spec.pieces.length);
  assert.ok(bench.server!.counts.requests <= 50, `${bench.server!.counts.requests} requests`);
});

test('only the pieces that are asked for come', async () => {
  const bench = new LinkBench();
  const spec = await bench.blobs.add(noise(1_000_000));
  await bench.serve();
  assert.equal([...(await bench.collect(spec, [2, 11, 5])).keys()].sort(), [11, 2, 5]);
  assert.equal((await bench.collect(spec, [])).size, 0);
});

test('no more is on the way than fits the window and 3 MiB, and what is not taken counts', async () => {
  const bench = new LinkBench({ latency: 25 });
  const spec = await bench.blobs.add(noise(8_000_000));
  await bench.serve();
  const iterator = bench.source
    .fetch(
      spec,
      spec.pieces.map((_, i) => i),
    )
    [Symbol.asyncIterator]();
  for (let taken = 0; taken < 90; taken++) {
    await bench.clock.run(iterator.next());
    // Taken slowly: the other side does not get ahead.
    if (taken % 10 === 0) await bench.clock.pass(5000);
    const ahead = bench.server!.counts.chunks - taken - 1;
    assert.ok(ahead <= 48 && ahead * 61_440 <= 3 << 20, `${ahead} ahead`);
  }
  await iterator.return!(undefined);
});

test('what is lost is asked for again, a wrong chunk at once and alone', async () => {
  const bench = new LinkBench({ latency: 25, loss: 0.1, corrupt: 0.05, seed: 3 });
  const spec = await bench.blobs.add(noise(6_000_000));
  await bench.serve();
  assert.is(sha256(joined(await bench.collect(spec))), spec.sha256);
  const share = bench.server!.counts.bytes / spec.bytes;
  assert.ok(share > 1.05 && share < 1.35, `${share}`);
});

test('it goes on after the connection was gone', async () => {
  const bench = new LinkBench({ latency: 25 });
  const spec = await bench.blobs.add(noise(3_000_000));
  await bench.serve();
  for (const at of [20, 120, 400, 3000]) bench.clock.after(at, () => bench.transport.cut(200));
  assert.is(sha256(joined(await bench.collect(spec))), spec.sha256);
});

test('a server that has too much to do is left in peace for as long as it says', async () => {
  const bench = new LinkBench();
  const rate = { perSecond: 100_000, most: 200_000 };
  const spec = await bench.blobs.add(noise(1_000_000));
  await bench.serve({ device: rate, total: { perSecond: 1e9, most: 1e9 } });
  const from = bench.clock.monotonic();
  assert.is(sha256(joined(await bench.collect(spec))), spec.sha256);
  const seconds = (bench.clock.monotonic() - from) / 1000;
  assert.ok(seconds > 8 && seconds < 20, `${seconds} s`);
  assert.is(bench.server!.counts.chunks, spec.pieces.length);
  assert.ok(bench.server!.counts.busy < 40, `${bench.server!.counts.busy} times busy`);
});

test('on a slow link hardly anything is asked for twice', async () => {
  for (const rate of [2000, 10_000, 100_000]) {
    const bench = new LinkBench({ latency: 300, rate });
    const spec = await bench.blobs.add(noise(1_500_000));
    await bench.serve();
    assert.is(sha256(joined(await bench.collect(spec))), spec.sha256);
    const share = bench.server!.counts.bytes / spec.bytes;
    assert.ok(share < 1.6, `${share} at ${rate} bytes a second`);
  }
});

test('a blob that is missing, a connection that does not come', async () => {
  const bench = new LinkBench();
  const spec = await bench.blobs.add(noise(100_000));
  await bench.serve();
  assert.is(await codeOf(bench.collect({ ...spec, sha256: 'f'.repeat(64) })), 'EW7104_SOURCE_FAILED');
  bench.transport.cut(1e9);
  assert.is(await codeOf(bench.collect(spec)), 'EW7101_NOT_CONNECTED');
});

test('two devices do not ask under the same numbers', async () => {
  const bench = new LinkBench();
  const ids = new Set<number>();
  let requests = 0;
  await bench.other.subscribe(everyDevice('test', 'rq'), 0);
  bench.other.onMessage((m) => {
    const message = decodeMessage('rq', m.payload);
    requests++;
    if (message.type === 'request-chunks') ids.add(message.id);
  });
  const spec = await bench.blobs.add(noise(3_000_000));
  await bench.serve();
  await bench.collect(spec);
  assert.ok(requests > 4);
  assert.is(ids.size, requests);
});

test('the window grows threefold a round trip until a loss, then by one; the time follows the round trips', () => {
  const clock = new SimulatedClock();
  const window = new Window(clock);
  assert.is(window.size, 4);
  assert.is(window.timeout, 3000);
  for (let i = 0; i < 4; i++) window.arrived(100, false);
  assert.is(window.size, 12);
  for (let i = 0; i < 100; i++) window.arrived(100, false);
  assert.is(window.size, 48);
  assert.is(window.timeout, 300);
  window.lost(0);
  window.lost(-1);
  assert.is(window.size, 24);
  assert.is(window.timeout, 600);
  window.arrived(50, true);
  assert.is(window.timeout, 600);
  window.arrived(undefined, true);
  assert.is(window.timeout, 600);
  window.arrived(100, true);
  assert.is(window.timeout, 300);
  for (let i = 0; i < 24; i++) window.arrived(1000, false);
  assert.is(window.size, 25);
  assert.ok(window.timeout > 900);
  for (let i = 0; i < 20; i++) window.lost(1);
  assert.is(window.size, 1);
});

test('16 MiB take eight round trips where nothing is in the way, six the second time; no request is for more than is given', async () => {
  const bench = new LinkBench({ latency: 25 });
  const credits: number[] = [];
  await bench.other.subscribe(everyDevice('test', 'rq'), 0);
  bench.other.onMessage((m) => {
    const message = decodeMessage('rq', m.payload);
    if (message.type === 'request-chunks') credits.push(message.credit);
  });
  const spec = await bench.blobs.add(noise(16 << 20));
  await bench.serve();
  for (const trips of [8, 6]) {
    const from = bench.clock.monotonic();
    await bench.collect(spec);
    assert.is(Math.ceil((bench.clock.monotonic() - from) / 50), trips);
  }
  assert.ok(Math.max(...credits) <= 32);
});

test('where chunks come later than the first the window doubles, and stays where they queue', () => {
  const window = new Window(new SimulatedClock());
  window.arrived(1000, false);
  assert.is(window.size, 6);
  for (const took of [1600, 2200, 2800]) window.arrived(took, false);
  assert.is(window.size, 9);
  for (let i = 0; i < 10; i++) window.arrived(3500, false);
  assert.is(window.size, 9);
});

test.run();
