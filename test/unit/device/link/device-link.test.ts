import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DeviceLink } from '../../../../sdk/device/link/index.ts';
import { mergePresence, NEVER_SEEN, type Presence } from '../../../../sdk/fleet/registry/presence.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { MemoryBroker, type MemoryTransport } from '../../../../sdk/testing/memory-broker.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../../sdk/wire/protocol/messages.ts';
import { deviceTopic, everyDevice, parseTopic } from '../../../../sdk/wire/protocol/topics.ts';

const names = { namespace: 'test', device: 'd1' };
const digest = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

/** A broker, a controller that writes down what it hears, and devices. */
class Bench {
  readonly clock = new SimulatedClock();
  readonly broker = new MemoryBroker(this.clock, { latency: 5 });
  readonly heard: (Message<'up'> | Message<'st'>)[] = [];
  readonly controller = this.broker.connect('controller');
  fs = new CrashFileSystem();
  transport: MemoryTransport | undefined;

  constructor() {
    void this.controller.subscribe(everyDevice('test', 'up'), 1);
    void this.controller.subscribe(everyDevice('test', 'st'), 1);
    this.controller.onMessage(({ topic, payload }) => {
      const parsed = parseTopic(topic);
      if ('channel' in parsed && (parsed.channel === 'up' || parsed.channel === 'st'))
        this.heard.push(decodeMessage(parsed.channel, payload));
    });
  }

  async open(): Promise<DeviceLink> {
    const link = await DeviceLink.open({
      ...names,
      fs: this.fs,
      folder: 'link',
      connect: (will) => {
        this.transport = this.broker.connect('d1', will);
        return this.transport;
      },
      birth: async () => ({
        agent: '1',
        board: 'host',
        slots: [digest(1)],
        metadata: { root: 1, timestamp: 1, snapshot: 1, targets: 1 },
      }),
      clock: this.clock,
    });
    await this.clock.pass(100);
    return link;
  }

  async desire(rev: number, target = 1): Promise<void> {
    const message = encodeMessage('dn', { type: 'desired', rev, action: 'install', target: digest(target) });
    await this.clock.run(this.controller.publish(deviceTopic({ ...names, channel: 'dn' }), message, { qos: 1 }));
    await this.clock.pass(100);
  }

  /** What was heard since the last call. */
  take(): string[] {
    return this.heard.splice(0).map((m) => {
      if (m.type === 'presence') return `${m.online ? 'online' : 'offline'} ${m.epoch} rev ${m.rev}`;
      if (m.type === 'birth') return `birth ${m.epoch} rev ${m.rev}`;
      if (m.type === 'status') return `${m.step} ${m.epoch}.${m.seq} rev ${m.rev}`;
      return m.type === 'report' ? `${m.outcome} ${m.epoch}.${m.seq} rev ${m.rev}` : `health ${m.epoch}.${m.seq}`;
    });
  }
}

test('a connection begins with presence and birth, and ends with presence', async () => {
  const bench = new Bench();
  const link = await bench.open();
  assert.equal(bench.take(), ['online 0 rev 0', 'birth 0 rev 0']);
  await bench.clock.run(link.announce());
  await bench.clock.run(link.close());
  await bench.clock.pass(100);
  assert.equal(bench.take(), ['online 0 rev 0', 'birth 0 rev 0', 'offline 0 rev 0']);
});

test('who wants again what is known is told what became of it', async () => {
  const bench = new Bench();
  const link = await bench.open();
  await bench.desire(3);
  bench.take();
  await bench.desire(3);
  assert.equal(bench.take(), ['online 0 rev 3', 'birth 0 rev 3'], 'nothing yet');
  await bench.clock.run(link.report({ outcome: 'committed', received: 1 }));
  await bench.desire(3);
  await bench.desire(2);
  assert.equal(bench.take(), ['committed 0.0 rev 3', 'committed 0.0 rev 3']);
  await bench.clock.run(link.close());
});

test('what is wanted is heard once, the newest counts, also after a start', async () => {
  const bench = new Bench();
  const link = await bench.open();
  const revs: number[] = [];
  link.onDesired((d) => revs.push(d.rev));
  for (const rev of [3, 3, 2, 5, 4, 5]) await bench.desire(rev);
  assert.equal(revs, [3, 5]);
  await bench.clock.run(bench.controller.publish(deviceTopic({ ...names, channel: 'dn' }), Uint8Array.of(1, 2)));
  await bench.clock.run(link.close());
  bench.fs = bench.fs.crash('lost');
  const later = await bench.open();
  assert.equal(later.desired, { type: 'desired', rev: 5, action: 'install', target: digest(1) });
  later.onDesired((d) => revs.push(d.rev));
  await bench.desire(4);
  await bench.desire(6, 2);
  assert.equal(revs, [3, 5, 6]);
  assert.equal(bench.take().at(-1), 'birth 32 rev 5');
});

test('every connection has a higher epoch, whenever power goes', async () => {
  const bench = new Bench();
  let last = -1;
  for (let start = 0; start < 6; start++) {
    const link = await bench.open();
    for (let i = 0; i < 20; i++) {
      bench.transport!.cut(10);
      await bench.clock.pass(100);
    }
    const epochs = bench.heard.flatMap((m) => (m.type === 'birth' ? [m.epoch] : []));
    bench.heard.length = 0;
    assert.is(epochs.length, 21);
    for (const epoch of epochs) {
      assert.ok(epoch > last, `${epoch} after ${last}`);
      last = epoch;
    }
    await bench.clock.run(link.close());
    bench.fs = bench.fs.crash((['lost', 'torn', 'reordered', 'kept'] as const)[start % 4]!, start);
  }
});

test('where epochs cannot be written there is no connection', async () => {
  const bench = new Bench();
  bench.fs.failAt(0, 'EROFS', Number.POSITIVE_INFINITY);
  const link = await bench.open();
  assert.is(link.transport.connected, false);
  bench.fs.repair();
  await bench.clock.pass(1000);
  assert.is(link.transport.connected, true);
});

test('of statuses that could not be sent the newest is; measurements too', async () => {
  const bench = new Bench();
  const link = await bench.open();
  const status = { step: 'fetch', done: 1, total: 9 } as const;
  await bench.clock.run(link.status(status));
  await bench.clock.pass(50);
  assert.equal(bench.take().slice(2), ['fetch 0.0 rev 0']);
  bench.transport!.cut(500);
  await link.status(status);
  await link.status({ ...status, step: 'load' });
  await link.health({ running: digest(1), runs: 1, failures: 0 });
  await bench.clock.pass(1000);
  assert.equal(bench.take(), ['offline 0 rev 0', 'online 1 rev 0', 'birth 1 rev 0', 'load 0.2 rev 0', 'health 0.3']);
  await bench.clock.run(link.announce());
  await bench.clock.pass(50);
  assert.equal(bench.take(), ['online 1 rev 0', 'birth 1 rev 0']);
});

test('a report is repeated with the next two births, as it was', async () => {
  const bench = new Bench();
  const link = await bench.open();
  bench.take();
  await bench.clock.run(link.report({ outcome: 'committed', received: 5 }));
  bench.transport!.cut(50);
  await bench.clock.pass(1000);
  for (let i = 0; i < 2; i++) await bench.clock.run(link.announce());
  await bench.clock.pass(50);
  assert.equal(
    bench.take().filter((t) => t.startsWith('committed')),
    ['committed 0.0 rev 0', 'committed 0.0 rev 0', 'committed 0.0 rev 0'],
  );
  bench.transport!.cut(50);
  const e: unknown = await link.report({ outcome: 'failed', received: 0 }).catch((x) => x);
  assert.ok(isEigenError(e) && e.code === 'EW7101_NOT_CONNECTED');
});

test('a stale will ends no later connection: presence in any order comes to the same', async () => {
  const bench = new Bench();
  await bench.open();
  bench.transport!.cut(10);
  await bench.clock.pass(100);
  const said = bench.heard.flatMap((m) => (m.type === 'birth' || m.type === 'presence' ? [m] : []));
  const presences: Presence[] = said.map((m) => ({ epoch: m.epoch, closed: m.type === 'presence' && !m.online }));
  assert.is(presences.length, 5);
  for (const order of permutations(presences)) {
    const end = order.reduce(mergePresence, NEVER_SEEN);
    assert.equal(end, { epoch: 1, closed: false });
  }
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

test('a broker that takes nothing any more does not hold up who leaves', async () => {
  const bench = new Bench();
  const link = await bench.open();
  bench.broker.faults = { latency: 1e9 };
  const from = bench.clock.monotonic();
  await bench.clock.run(link.close());
  assert.is(bench.clock.monotonic() - from, 2000);
  assert.is(link.transport.connected, false);
});

test('names that cannot stand in a topic', async () => {
  const bench = new Bench();
  const open = DeviceLink.open({
    namespace: 'a/b',
    device: 'd',
    fs: bench.fs,
    folder: 'link',
    connect: (will) => bench.broker.connect('d', will),
    birth: async () => Promise.reject(new Error('not asked')),
    clock: bench.clock,
  });
  assert.instance(await open.catch((e) => e), RangeError);
});

test.run();
