import { deflateRawSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inflate } from '../../../../sdk/bundle/deflate.ts';
import { decodePatch } from '../../../../sdk/bundle/delta/patch.ts';
import { Fetcher } from '../../../../sdk/device/agent/fetch.ts';
import { DeviceLink, transportMetadata } from '../../../../sdk/device/link/index.ts';
import { BlobStore } from '../../../../sdk/device/store/blobs.ts';
import { Broker } from '../../../../sdk/fleet/broker/broker.ts';
import { mergePresence, NEVER_SEEN } from '../../../../sdk/fleet/registry/presence.ts';
import { MemoryDeviceFileSystem } from '../../../../sdk/testing/memory-device-fs.ts';
import { connectMqtt } from '../../../../sdk/transport/mqtt.ts';
import { type EigenError, isEigenError } from '../../../../sdk/util/errors.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import { type BlobSpec, offsetsOf } from '../../../../sdk/wire/blob.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../../sdk/wire/protocol/messages.ts';
import { type Channel, deviceTopic, everyDevice } from '../../../../sdk/wire/protocol/topics.ts';
import { noise } from '../../../support/link.ts';
import { digestBytes, LinkBench, NAMES } from '../../../support/link-bench.ts';

/** What somebody does who can say anything to a device, as if he were its server, and how that ends. */
interface Case {
  readonly name: string;
  /** `EW` code and attack of the error, or that the blob comes nevertheless. */
  readonly ends: string;
  /** Called with every request that the device makes; answers it as the attacker likes. */
  readonly answer: (attacker: Attacker, request: Message<'rq'>) => void;
  readonly serves?: boolean;
}

const BYTES = noise(400_000, 1);
const OTHER = noise(400_000, 2);

class Attacker {
  readonly bench: LinkBench;
  readonly spec: BlobSpec;
  readonly blob: Uint8Array;
  said = 0;

  constructor(bench: LinkBench, spec: BlobSpec) {
    this.bench = bench;
    this.spec = spec;
    this.blob = digestBytes(spec.sha256);
  }

  say(message: Message<'ch'>): void {
    this.said++;
    void this.bench.say(message).catch(() => undefined);
  }

  /** The bytes of a piece of a file cut as the blob is. */
  piece(of: Uint8Array, index: number): Uint8Array {
    const from = offsetsOf(this.spec.pieces)[index]!;
    return of.subarray(from, from + this.spec.pieces[index]!.bytes);
  }
}

const CASES: readonly Case[] = [
  {
    name: 'chunks that are right, but of another blob',
    ends: 'EW7104_SOURCE_FAILED arbitrary-installation',
    answer: (a) => {
      for (const i of a.spec.pieces.keys()) a.say({ type: 'chunk', blob: a.blob, index: i, bytes: a.piece(OTHER, i) });
    },
  },
  {
    name: 'right chunks of another blob beside those of the server',
    ends: 'whole',
    serves: true,
    answer: (a) => {
      const blob = digestBytes(sha256(OTHER));
      for (const i of a.spec.pieces.keys()) a.say({ type: 'chunk', blob, index: i, bytes: a.piece(OTHER, i) });
    },
  },
  {
    name: 'right chunks under wrong numbers',
    ends: 'EW7104_SOURCE_FAILED arbitrary-installation',
    answer: (a) => {
      const count = a.spec.pieces.length;
      for (let i = 0; i < count; i++)
        a.say({ type: 'chunk', blob: a.blob, index: i, bytes: a.piece(BYTES, (i + 1) % (count - 1)) });
    },
  },
  {
    name: 'chunks without an end that were not asked for',
    ends: 'whole',
    serves: true,
    answer: (a) => {
      for (let i = 0; i < 200; i++) a.say({ type: 'chunk', blob: a.blob, index: 1000 + i, bytes: noise(60_000, i) });
    },
  },
  {
    name: 'a chunk as large as chunks can be',
    ends: 'EW7104_SOURCE_FAILED arbitrary-installation',
    answer: (a) => a.say({ type: 'chunk', blob: a.blob, index: 0, bytes: new Uint8Array(262_144) }),
  },
  {
    name: 'a server that says it is busy for ever',
    ends: 'EW7104_SOURCE_FAILED slow-retrieval',
    answer: (a, request) => {
      if (request.type === 'request-chunks') a.say({ type: 'busy', id: request.id, blob: a.blob, retry: 2 ** 52 });
    },
  },
  {
    name: 'silence',
    ends: 'EW7104_SOURCE_FAILED slow-retrieval',
    answer: () => undefined,
  },
  {
    name: 'a chunk now and then, so that it never ends',
    ends: 'EW7104_SOURCE_FAILED slow-retrieval',
    answer: (a) => {
      const index = Math.floor(a.bench.clock.monotonic() / 400_000);
      if (index < a.spec.pieces.length) a.say({ type: 'chunk', blob: a.blob, index, bytes: a.piece(BYTES, index) });
    },
  },
  {
    name: 'a blob that is withheld',
    ends: 'EW7104_SOURCE_FAILED withheld',
    answer: (a) => a.say({ type: 'missing', blob: a.blob }),
  },
];

function outcome(e: unknown): string {
  assert.ok(isEigenError(e), String(e));
  const { code, details } = e as EigenError;
  return details.attack === undefined ? code : `${code} ${details.attack}`;
}

for (const { name, ends, answer, serves } of CASES)
  test(`${name}: ${ends}`, async () => {
    const bench = new LinkBench();
    const spec = await bench.blobs.add(BYTES);
    const attacker = new Attacker(bench, spec);
    if (serves) await bench.serve();
    await bench.other.subscribe(everyDevice('test', 'rq'), 0);
    bench.other.onMessage((m) => answer(attacker, decodeMessage('rq', m.payload)));
    const fs = new MemoryDeviceFileSystem();
    await fs.makeFolder('blobs');
    const store = new BlobStore(fs, 'blobs');
    const running = await bench.blobs.add(OTHER);
    await new Fetcher(store, { fetch: (blob, pieces) => direct(bench, blob, pieces) }).fetch({
      blob: running,
      held: [],
    });
    await store.accept(running);
    const fetched = await bench.clock
      .run(new Fetcher(store, bench.source).fetch({ blob: spec, held: [] }))
      .then(() => 'whole', outcome);
    assert.is(fetched, ends);
    // What runs is what ran.
    assert.is(Buffer.compare(await store.read(running.sha256), OTHER), 0);
    if (ends !== 'whole') assert.is(await store.isWhole(spec.sha256), false);
  });

async function* direct(bench: LinkBench, blob: BlobSpec, pieces: readonly number[]) {
  const offsets = offsetsOf(blob.pieces);
  for (const index of pieces)
    yield { index, bytes: await bench.blobs.read(blob.sha256, offsets[index]!, blob.pieces[index]!.bytes) };
}

/** Answers to a question for metadata, by the question's place. */
const METADATA: Readonly<
  Record<
    string,
    { readonly ends: string; readonly piece: (from: number) => Partial<Extract<Message<'ch'>, { type: 'metadata' }>> }
  >
> = {
  'metadata of more bytes than may be': {
    ends: 'EW7104_SOURCE_FAILED endless-data',
    piece: () => ({ total: 2 ** 50 }),
  },
  'metadata that grows while it comes': {
    ends: 'EW7104_SOURCE_FAILED malformed-metadata',
    piece: (from) => ({ total: 100 + from }),
  },
  'pieces of nothing': { ends: 'EW7104_SOURCE_FAILED malformed-metadata', piece: () => ({ bytes: new Uint8Array(0) }) },
  'pieces that go beyond the end': {
    ends: 'EW7104_SOURCE_FAILED malformed-metadata',
    piece: () => ({ bytes: new Uint8Array(101) }),
  },
  'metadata of another version': { ends: 'EW7104_SOURCE_FAILED withheld', piece: () => ({ version: 8 }) },
  'metadata of another role': { ends: 'EW7104_SOURCE_FAILED withheld', piece: () => ({ role: 'targets' }) },
};

for (const [name, { ends, piece }] of Object.entries(METADATA))
  test(`${name}: ${ends}`, async () => {
    const bench = new LinkBench();
    await bench.other.subscribe(everyDevice('test', 'rq'), 0);
    bench.other.onMessage((m) => {
      const request = decodeMessage('rq', m.payload);
      if (request.type !== 'request-metadata') return;
      const { role, from } = request;
      const right = { type: 'metadata', role, version: 7, from, total: 100, bytes: new Uint8Array(50) } as const;
      void bench.say({ ...right, ...piece(from) });
    });
    await bench.clock.pass(10);
    const fetched = transportMetadata(bench.parts).fetch('root', 7, 1000);
    assert.is(await bench.clock.run(fetched).then(() => 'whole', outcome), ends);
  });

test('desired states that are played back, and wills that come late, change nothing', async () => {
  const bench = new LinkBench();
  const heard: Message<'st'>[] = [];
  await bench.other.subscribe(everyDevice('test', 'st'), 1);
  bench.other.onMessage((m) => heard.push(decodeMessage('st', m.payload)));
  const link = await DeviceLink.open({
    ...NAMES,
    fs: new MemoryDeviceFileSystem(),
    folder: 'link',
    clock: bench.clock,
    connect: (will) => bench.broker.connect('link', will),
    birth: async () => ({
      agent: '1',
      board: 'b',
      slots: [],
      metadata: { root: 1, timestamp: 1, snapshot: 1, targets: 1 },
    }),
  });
  await bench.clock.pass(100);
  const revs: number[] = [];
  link.onDesired((d) => revs.push(d.rev));
  const say = async (rev: number): Promise<void> => {
    const desired = encodeMessage('dn', { type: 'desired', rev, action: 'install', target: new Uint8Array(32) });
    await bench.other.publish(deviceTopic({ ...NAMES, channel: 'dn' }), desired);
    await bench.clock.pass(50);
  };
  for (const rev of [1, 2, 1, 2, 1]) await say(rev);
  assert.equal(revs, [1, 2]);
  const transport = link.transport as ReturnType<typeof bench.broker.connect>;
  transport.cut(10);
  await bench.clock.pass(100);
  const will = heard.find((m) => !m.online)!;
  assert.equal([...heard, will].map((m) => ({ epoch: m.epoch, closed: !m.online })).reduce(mergePresence, NEVER_SEEN), {
    epoch: 1,
    closed: false,
  });
});

test('what is small and inflates to very much is refused before it is much', async () => {
  const bomb = deflateRawSync(Buffer.alloc(64 << 20));
  const before = process.memoryUsage().arrayBuffers;
  assert.throws(() => inflate(bomb, 10_000, 'kernels.z'), /does not inflate/);
  // A patch that says what it inflates to says more than what it makes could need.
  const patch = Buffer.concat([Uint8Array.of(0x80, 0x80, 0x80, 0x20), bomb]);
  assert.throws(() => decodePatch(patch, new Uint8Array(100), 10_000), /larger than what it makes/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20);
});

test('what is said in the name of another device does not get past the broker', async () => {
  const refused: string[] = [];
  const broker = await Broker.open({
    host: '127.0.0.1',
    port: 0,
    namespace: 'test',
    login: async ({ username }) => username,
    onRefused: (what) => refused.push(what),
  });
  const heard: string[] = [];
  broker.transport.onMessage((m) => heard.push(m.topic));
  for (const channel of ['up', 'st', 'rq'] as const) await broker.transport.subscribe(everyDevice('test', channel), 1);
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const topic = (device: string, channel: Channel): string => deviceTopic({ namespace: 'test', device, channel });
  for (const channel of ['up', 'st', 'rq', 'dn', 'ch'] as const) {
    const eve = connectMqtt({ url, clientId: 'eve', username: 'eve' });
    const gone = new Promise<void>((resolve) => {
      eve.onState((connected) => {
        if (connected) void eve.publish(topic('d1', channel), Uint8Array.of(1), { qos: 1 }).catch(() => undefined);
        else resolve();
      });
    });
    await gone;
    await eve.close();
  }
  const d1 = connectMqtt({ url, clientId: 'd1', username: 'd1' });
  await new Promise<void>((resolve) => void d1.onState(() => resolve()));
  await d1.publish(topic('d1', 'up'), Uint8Array.of(1), { qos: 1 });
  const e: unknown = await d1.subscribe(topic('eve', 'ch'), 0).catch((x) => x);
  assert.ok(isEigenError(e) && e.code === 'EW7103_LINK_REFUSED');
  await d1.close();
  await broker.close();
  assert.equal(heard, [topic('d1', 'up')]);
  assert.is(refused.filter((r) => r === 'publish').length, 5);
});

test.run();
