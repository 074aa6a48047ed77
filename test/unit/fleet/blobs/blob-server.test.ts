import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BlobServer, type Rates } from '../../../../sdk/fleet/blobs/index.ts';
import { MemoryBroker, type MemoryTransport } from '../../../../sdk/testing/memory-broker.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import type { BlobSpec } from '../../../../sdk/wire/blob.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../../sdk/wire/protocol/messages.ts';
import { deviceTopic } from '../../../../sdk/wire/protocol/topics.ts';
import { MemoryBlobs, noise } from '../../../support/link.ts';

const namespace = 'test';
const digest = (name: string): Uint8Array => new Uint8Array(Buffer.from(name, 'hex'));

interface Bench {
  readonly clock: SimulatedClock;
  readonly server: BlobServer;
  readonly device: MemoryTransport;
  readonly blobs: MemoryBlobs;
  readonly spec: BlobSpec;
  readonly heard: Message<'ch'>[];
  ask(request: Message<'rq'>, of?: string): Promise<void>;
  askChunks(id: number, change?: Partial<Extract<Message<'rq'>, { type: 'request-chunks' }>>): Promise<void>;
}

async function bench(rates?: Rates, serves?: (device: string) => boolean): Promise<Bench> {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker(clock, { latency: 5 });
  const blobs = new MemoryBlobs();
  const spec = await blobs.add(noise(250_000));
  const server = await BlobServer.start({
    transport: broker.connect('server'),
    namespace,
    blobs,
    metadata: blobs,
    clock,
    random: () => 0.5,
    ...(rates ? { rates } : {}),
    ...(serves ? { serves } : {}),
  });
  const device = broker.connect('device');
  const heard: Message<'ch'>[] = [];
  await device.subscribe(deviceTopic({ namespace, device: 'd1', channel: 'ch' }), 0);
  device.onMessage((m) => heard.push(decodeMessage('ch', m.payload)));
  await clock.pass(10);
  const ask = async (request: Message<'rq'>, of = 'd1'): Promise<void> => {
    const topic = deviceTopic({ namespace, device: of, channel: 'rq' });
    await clock.run(device.publish(topic, encodeMessage('rq', request)));
    await clock.pass(100);
  };
  const askChunks: Bench['askChunks'] = (id, change) =>
    ask({
      type: 'request-chunks',
      id,
      blob: digest(spec.sha256),
      from: 0,
      bitmap: Uint8Array.of(0xff),
      credit: 32,
      ...change,
    });
  return { clock, server, device, blobs, spec, heard, ask, askChunks };
}

const indices = (heard: readonly Message<'ch'>[]): number[] =>
  heard.flatMap((m) => (m.type === 'chunk' ? [m.index] : []));

test('the chunks that are named come, and no more than the credit', async () => {
  const { askChunks, heard, spec } = await bench();
  await askChunks(1, { from: 1, bitmap: Uint8Array.of(0b1010_0101) });
  assert.equal(indices(heard), [1, 3]);
  const [chunk] = heard;
  assert.ok(chunk?.type === 'chunk' && sha256(chunk.bytes) === spec.pieces[1]!.sha256);
  await askChunks(2, { credit: 3 });
  assert.equal(indices(heard).slice(2), [0, 1, 2]);
  await askChunks(3, { from: 2 ** 50 });
  assert.is(heard.length, 5);
});

test('a request that comes twice is answered once', async () => {
  const { askChunks, heard, server } = await bench();
  await askChunks(7);
  await askChunks(7);
  assert.is(heard.length, 5);
  await askChunks(8);
  assert.is(heard.length, 10);
  assert.is(server.counts.dropped, 1);
});

test('a blob that is not there is missing', async () => {
  const { askChunks, heard } = await bench();
  await askChunks(1, { blob: new Uint8Array(32).fill(7) });
  assert.equal(heard, [{ type: 'missing', blob: new Uint8Array(32).fill(7) }]);
});

test('who asks for more than may flow is told when to come again', async () => {
  const rate = { perSecond: 100_000, most: 250_000 };
  const { askChunks, heard, clock } = await bench({ device: rate, total: { perSecond: 1e9, most: 1e9 } });
  await askChunks(1);
  assert.is(indices(heard).length, 5);
  await askChunks(2);
  const busy = heard[5];
  assert.ok(busy?.type === 'busy' && busy.retry > 3000 && busy.retry < 4000, JSON.stringify(busy));
  await clock.pass(busy.retry);
  await askChunks(3);
  assert.is(indices(heard).length, 10);
});

test('the rate of all counts for each', async () => {
  const most = { perSecond: 1e9, most: 1e9 };
  const { askChunks, ask, heard, spec } = await bench({ device: most, total: { perSecond: 100_000, most: 250_000 } });
  const blob = digest(spec.sha256);
  await ask({ type: 'request-chunks', id: 1, blob, from: 0, bitmap: Uint8Array.of(0xff), credit: 32 }, 'd2');
  await askChunks(1);
  assert.equal(
    heard.map((m) => m.type),
    ['busy'],
  );
});

test('metadata comes in pieces, by version or the newest, or not at all', async () => {
  const { ask, heard, blobs } = await bench();
  blobs.addMetadata('targets', 3, noise(100_000, 3));
  await ask({ type: 'request-metadata', role: 'targets', from: 0 });
  await ask({ type: 'request-metadata', role: 'targets', version: 3, from: 61_440 });
  await ask({ type: 'request-metadata', role: 'targets', version: 4, from: 0 });
  await ask({ type: 'request-metadata', role: '../secrets', from: 0 });
  const got = heard.map((m) => m.type === 'metadata' && [m.role, m.version, m.from, m.total, m.bytes.length]);
  assert.equal(got, [
    ['targets', 3, 0, 100_000, 61_440],
    ['targets', 3, 61_440, 100_000, 38_560],
    ['targets', 4, 0, 0, 0],
    ['../secrets', 0, 0, 0, 0],
  ]);
});

test('nonsense, devices of others and messages of other kinds are left alone', async () => {
  const { askChunks, device, clock, heard, server } = await bench(undefined, (name) => name !== 'd1');
  await askChunks(1);
  const topic = deviceTopic({ namespace, device: 'd2', channel: 'rq' });
  await clock.run(device.publish(topic, Uint8Array.of(1, 2, 3)));
  await clock.run(device.publish('ew1/test/00/d2/rq', Uint8Array.of(1)));
  await clock.pass(100);
  assert.equal(heard, []);
  assert.is(server.counts.requests, 0);
  assert.is(server.counts.dropped, 2);
});

test('after its end it is silent', async () => {
  const { askChunks, server, heard } = await bench();
  server.close();
  await askChunks(1);
  assert.equal(heard, []);
});

test.run();
