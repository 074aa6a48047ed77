import { Listeners } from '../transport/listeners.ts';
import {
  type Incoming,
  linkRefused,
  MOST_OUTSTANDING,
  MOST_WAITING,
  notConnected,
  type PublishOptions,
  type Transport,
  type Will,
} from '../transport/transport.ts';
import { Turns } from '../transport/turns.ts';
import { type Clock, pause } from '../util/clock.ts';
import { Rng } from '../util/rng.ts';

/** What a network does to messages. Shares are from 0 to 1. */
export interface NetworkFaults {
  /** One way, milliseconds. */
  readonly latency?: number;
  /** Bytes a second to each client; no limit where it is absent. */
  readonly rate?: number;
  readonly loss?: number;
  readonly duplicates?: number;
  /** Those that come later than what was sent up to `reorderedBy` milliseconds after them. */
  readonly reordered?: number;
  readonly reorderedBy?: number;
  /** Those in which a byte changes. */
  readonly corrupt?: number;
  readonly seed?: number;
}

/** Who may do what; everything is allowed without it. */
export type Allowed = (client: string, action: 'publish' | 'subscribe', topic: string) => boolean;

/** Longest wait of a client that was refused or cut off, milliseconds. */
const RECONNECT = 50;

/** A broker in memory, with a network that is as bad as is asked for. The same seed does the same. */
export class MemoryBroker {
  readonly clock: Clock;
  allowed: Allowed = () => true;
  faults: NetworkFaults;
  /** Messages and their bytes that were handed to the broker, whatever became of them, by the last level of their topics. */
  readonly sent = new Map<string, { messages: number; bytes: number }>();
  private readonly clients = new Set<MemoryTransport>();
  private readonly retained = new Map<string, Uint8Array>();
  private readonly rng: Rng;

  constructor(clock: Clock, faults: NetworkFaults = {}) {
    this.clock = clock;
    this.faults = faults;
    this.rng = new Rng(faults.seed ?? 1);
  }

  connect(client: string, will?: () => Promise<Will | undefined>): MemoryTransport {
    const transport = new MemoryTransport(this, client, will);
    this.clients.add(transport);
    return transport;
  }

  /** Takes a message from a client, or its will. */
  take(topic: string, payload: Uint8Array, retain: boolean): void {
    const kind = topic.split('/').at(-1)!;
    const count = this.sent.get(kind) ?? { messages: 0, bytes: 0 };
    this.sent.set(kind, { messages: count.messages + 1, bytes: count.bytes + payload.length });
    // Senders may use their memory again.
    const kept = payload.slice();
    if (retain && kept.length > 0) this.retained.set(topic, kept);
    else if (retain) this.retained.delete(topic);
    for (const client of this.clients) if (client.wants(topic)) this.deliver(client, { topic, payload: kept });
  }

  /** What is kept for those who subscribe to this. */
  sendRetained(client: MemoryTransport, filter: string): void {
    for (const [topic, payload] of this.retained) if (matches(filter, topic)) this.deliver(client, { topic, payload });
  }

  forget(client: MemoryTransport): void {
    this.clients.delete(client);
  }

  private deliver(client: MemoryTransport, message: Incoming): void {
    const { latency = 0, loss = 0, duplicates = 0, reordered = 0, reorderedBy = 100, corrupt = 0 } = this.faults;
    const { rng } = this;
    if (rng.uniform() < loss) return;
    const copies = rng.uniform() < duplicates ? 2 : 1;
    const connection = client.connection;
    for (let copy = 0; copy < copies; copy++) {
      const late = rng.uniform() < reordered ? rng.uniform() * reorderedBy : 0;
      const arriving = rng.uniform() < corrupt ? { ...message, payload: this.damaged(message.payload) } : message;
      this.clock.after(client.transfer(message.payload.length, this.faults.rate) + latency + late, () =>
        client.receive(connection, arriving),
      );
    }
  }

  private damaged(payload: Uint8Array): Uint8Array {
    const out = payload.slice();
    if (out.length > 0) out[this.rng.below(out.length)]! ^= 1 + this.rng.below(255);
    return out;
  }
}

/** One client's end of a MemoryBroker. */
export class MemoryTransport implements Transport {
  /** Counts connections; odd while there is one. */
  connection = 0;
  private readonly broker: MemoryBroker;
  private readonly client: string;
  private readonly askWill: (() => Promise<Will | undefined>) | undefined;
  private readonly filters = new Map<string, 0 | 1>();
  private readonly messages = new Listeners<Incoming>();
  private readonly states = new Listeners<boolean>();
  private readonly turns = new Turns(MOST_OUTSTANDING, MOST_WAITING);
  private will: Will | undefined;
  private closed = false;
  /** When everything that was sent to it so far is through. */
  private throughAt = 0;

  constructor(broker: MemoryBroker, client: string, will?: () => Promise<Will | undefined>) {
    this.broker = broker;
    this.client = client;
    this.askWill = will;
    this.comeBack(0);
  }

  get connected(): boolean {
    return this.connection % 2 === 1;
  }

  onMessage(listener: (message: Incoming) => void): () => void {
    return this.messages.add(listener);
  }

  onState(listener: (connected: boolean) => void): () => void {
    return this.states.add(listener);
  }

  async publish(topic: string, payload: Uint8Array, { qos = 0, retain = false }: PublishOptions = {}): Promise<void> {
    if (!this.connected) throw notConnected();
    await this.turns.take(async () => {
      const { connection, broker } = this;
      if (!this.connected) throw notConnected();
      const { latency = 0 } = broker.faults;
      // A broker that forbids a message drops it, and says nothing in MQTT 3.1.1.
      if (broker.allowed(this.client, 'publish', topic)) broker.take(topic, payload, retain);
      if (qos === 1) await pause(broker.clock, 2 * latency);
      if (this.connection !== connection) throw notConnected('the connection is gone');
    });
  }

  async subscribe(filter: string, qos: 0 | 1): Promise<void> {
    if (this.connected && !this.broker.allowed(this.client, 'subscribe', filter))
      throw linkRefused(`the broker does not grant '${filter}'`);
    if (this.filters.get(filter) === qos) return;
    this.filters.set(filter, qos);
    if (this.connected) this.broker.sendRetained(this, filter);
  }

  /** Breaks the connection; it comes back after so many milliseconds. */
  cut(milliseconds: number): void {
    if (!this.connected) return;
    this.connection++;
    const { will } = this;
    this.will = undefined;
    if (will) this.broker.take(will.topic, will.payload, true);
    this.states.tell(false);
    this.comeBack(milliseconds);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.broker.forget(this);
    if (!this.connected) return;
    this.connection++;
    this.states.tell(false);
  }

  wants(topic: string): boolean {
    return this.connected && [...this.filters.keys()].some((filter) => matches(filter, topic));
  }

  /** Milliseconds until so many more bytes are through. */
  transfer(bytes: number, rate: number | undefined): number {
    const now = this.broker.clock.monotonic();
    const takes = rate === undefined ? 0 : (1000 * bytes) / rate;
    this.throughAt = Math.max(now, this.throughAt) + takes;
    return this.throughAt - now;
  }

  /** A message arrives, unless the connection that it was on is gone. */
  receive(connection: number, message: Incoming): void {
    if (this.connected && this.connection === connection) this.messages.tell(message);
  }

  private comeBack(milliseconds: number): void {
    this.broker.clock.after(milliseconds, () => void this.reconnect());
  }

  private async reconnect(): Promise<void> {
    try {
      const will = await this.askWill?.();
      if (this.closed || this.connected) return;
      this.will = will;
    } catch {
      return this.comeBack(RECONNECT);
    }
    this.connection++;
    for (const filter of this.filters.keys()) this.broker.sendRetained(this, filter);
    this.states.tell(true);
  }
}

/** Whether a topic is one of those that a filter with `+` and `#` means. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true;
    if (i >= levels.length || (level !== '+' && level !== levels[i])) return false;
  }
  return wanted.length === levels.length;
}
