import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Incoming, Transport, Will } from '../../sdk/transport/transport.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import { within } from './until.ts';

/** A broker to test transports over. */
export interface TransportBench {
  connect(client: string, will?: () => Promise<Will | undefined>): Transport;
  /** Breaks the connections of all clients, as a network does; they come back. */
  cut(): void;
  close(): Promise<void>;
}

export interface TransportCases {
  open(): Promise<TransportBench>;
  /** What the broker does not do. */
  readonly without?: readonly 'retained'[];
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** Longer than any broker takes, milliseconds. */
const PATIENCE = 30_000;

/** Collects what a transport hears. */
class Ear {
  readonly heard: Incoming[] = [];
  private wake: () => void = () => undefined;

  constructor(transport: Transport) {
    transport.onMessage((m) => {
      this.heard.push({ topic: m.topic, payload: m.payload.slice() });
      this.wake();
    });
  }

  async until(enough: (heard: readonly Incoming[]) => boolean): Promise<void> {
    const end = performance.now() + PATIENCE;
    while (!enough(this.heard)) {
      assert.ok(performance.now() < end, `heard only ${this.texts.join().slice(0, 500)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  get texts(): string[] {
    return this.heard.map((m) => `${m.topic} ${new TextDecoder().decode(m.payload)}`);
  }
}

async function state(transport: Transport, wanted: boolean): Promise<void> {
  if (transport.connected === wanted) return;
  const changed = new Promise<void>((resolve) => {
    const end = transport.onState((connected) => {
      if (connected !== wanted) return;
      end();
      resolve();
    });
  });
  await within(wanted ? 'a connection' : 'the end of a connection', changed);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (e) => (isEigenError(e) ? e.code : String(e)),
  );
}

/** What every transport does, as tests. */
export function transportCases(test: Test, name: string, { open, without = [] }: TransportCases): void {
  const withBench = (
    title: string,
    work: (bench: TransportBench, connected: (name: string) => Promise<Transport>) => Promise<void>,
  ): void =>
    void test(`${name}: ${title}`, async () => {
      const bench = await open();
      const all: Transport[] = [];
      try {
        await work(bench, async (client) => {
          const transport = bench.connect(client);
          all.push(transport);
          await state(transport, true);
          return transport;
        });
      } finally {
        await Promise.all(all.map((t) => t.close()));
        await bench.close();
      }
    });

  withBench('messages arrive as they were sent, where they were asked for', async (_, connected) => {
    const [a, b] = [await connected('a'), await connected('b')];
    const ear = new Ear(b);
    await b.subscribe('t/+/up', 0);
    await b.subscribe('u/#', 1);
    const payload = Uint8Array.from({ length: 262_144 }, (_, i) => i * 7);
    await a.publish('t/x/other', text('no'));
    await a.publish('t/x/up', payload);
    await a.publish('t/y/up', new Uint8Array(0), { qos: 1 });
    await a.publish('u/1/2', text('deep'), { qos: 1 });
    await ear.until((heard) => heard.length >= 3);
    const one = ear.heard.find((m) => m.topic === 't/x/up');
    assert.ok(one && Buffer.compare(one.payload, payload) === 0, 'the same bytes');
    assert.equal(ear.heard.map((m) => m.topic).sort(), ['t/x/up', 't/y/up', 'u/1/2']);
  });

  withBench('after a break it is connected and subscribed again', async (bench, connected) => {
    const [a, b] = [await connected('a'), await connected('b')];
    const ear = new Ear(b);
    await b.subscribe('t/1', 1);
    for (let round = 0; round < 2; round++) {
      const down = Promise.all([state(a, false), state(b, false)]);
      bench.cut();
      await down;
      assert.is(await codeOf(a.publish('t/1', text('lost'))), 'EW7101_NOT_CONNECTED');
      // Subscribed while there is no connection: granted with the next one.
      await b.subscribe(`t/later${round}`, 0);
      await Promise.all([state(a, true), state(b, true)]);
      await a.publish('t/1', text(`${round}`), { qos: 1 });
      await a.publish(`t/later${round}`, text(`${round}`), { qos: 1 });
      await ear.until((heard) => heard.length >= 2 * (round + 1));
    }
    assert.equal(ear.texts.sort(), ['t/1 0', 't/1 1', 't/later0 0', 't/later1 1']);
  });

  withBench(
    'a will is asked for before every connection, and sent when one breaks, not when it is closed',
    async (bench, connected) => {
      const watcher = await connected('watcher');
      const ear = new Ear(watcher);
      // No filter: not every broker has what is retained for one.
      for (const topic of ['p/mortal', 'p/end']) await watcher.subscribe(topic, 1);
      let epoch = 0;
      const mortal = bench.connect('mortal', async () => ({ topic: 'p/mortal', payload: text(`gone ${++epoch}`) }));
      await state(mortal, true);
      const first = epoch;
      const down = state(mortal, false);
      bench.cut();
      await down;
      await state(mortal, true);
      await state(watcher, true);
      // The watcher was cut off too: what is retained tells it.
      if (!without.includes('retained')) await ear.until((heard) => heard.length >= 1);
      assert.is(epoch, first + 1);
      await mortal.close();
      const last = await connected('last');
      await last.publish('p/end', text('x'), { qos: 1 });
      await ear.until((heard) => heard.some((m) => m.topic === 'p/end'));
      assert.ok(
        ear.texts.every((t) => t === `p/mortal gone ${first}` || t === 'p/end x'),
        ear.texts.join(),
      );
      await last.publish('p/mortal', new Uint8Array(0), { retain: true, qos: 1 });
    },
  );

  if (!without.includes('retained'))
    withBench('what is retained comes to later subscribers, until it is cleared', async (_, connected) => {
      const a = await connected('a');
      for (const n of [1, 2]) await a.publish('r/x', text(`${n}`), { retain: true, qos: 1 });
      const b = await connected('b');
      const ear = new Ear(b);
      await b.subscribe('r/x', 1);
      await ear.until((heard) => heard.length === 1);
      assert.equal(ear.texts, ['r/x 2']);
      await a.publish('r/x', new Uint8Array(0), { retain: true, qos: 1 });
      const c = await connected('c');
      const later = new Ear(c);
      await c.subscribe('r/x', 1);
      await c.subscribe('r/end', 1);
      await a.publish('r/end', text('end'), { qos: 1 });
      await later.until((heard) => heard.length === 1);
      assert.equal(later.texts, ['r/end end']);
    });

  withBench('so many are on the way, some wait, more are turned away', async (_, connected) => {
    const [a, b] = [await connected('a'), await connected('b')];
    const ear = new Ear(b);
    await b.subscribe('many', 0);
    const results = await Promise.all(
      Array.from({ length: 500 }, (_, i) => codeOf(a.publish('many', text(`${i}`), { qos: 1 }))),
    );
    const sent = results.filter((r) => r === 'no error').length;
    assert.equal([...new Set(results)].sort(), ['EW7102_LINK_FULL', 'no error']);
    // A broker may take fewer at a time (MQTT 5).
    assert.ok(sent > 256 && sent <= 64 + 256, `${sent} were sent`);
    await ear.until((heard) => heard.length >= sent);
  });

  withBench('what is closed is silent and says so', async (_, connected) => {
    const [a, b] = [await connected('a'), await connected('b')];
    const ear = new Ear(b);
    await b.subscribe('t', 1);
    const states: boolean[] = [];
    b.onState((s) => states.push(s));
    await b.close();
    await b.close();
    assert.is(b.connected, false);
    assert.equal(states, [false]);
    assert.is(await codeOf(b.publish('t', text('x'))), 'EW7101_NOT_CONNECTED');
    await a.publish('t', text('x'), { qos: 1 });
    assert.equal(ear.heard, []);
  });

  withBench('listeners that left hear nothing', async (_, connected) => {
    const a = await connected('a');
    const ear = new Ear(a);
    let others = 0;
    const end = a.onMessage(() => others++);
    end();
    await a.subscribe('t', 1);
    await a.publish('t', text('x'), { qos: 1 });
    await ear.until((heard) => heard.length === 1);
    assert.is(others, 0);
  });
}
