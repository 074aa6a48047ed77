import type { IClientOptions, IConnackPacket } from 'mqtt';
import { fullJitter } from '../util/backoff.ts';
import { type Clock, pause, systemClock } from '../util/clock.ts';
import { isEigenError } from '../util/errors.ts';
import { Listeners } from './listeners.ts';
import { MqttConnection } from './mqtt-connection.ts';
import {
  type Incoming,
  linkRefused,
  MOST_OUTSTANDING,
  MOST_WAITING,
  notConnected,
  type PublishOptions,
  type Transport,
  type Will,
} from './transport.ts';
import { Turns } from './turns.ts';

export interface MqttOptions {
  /** mqtt://, mqtts://, ws:// or wss://, with host and port. */
  readonly url: string;
  readonly clientId: string;
  readonly username?: string;
  readonly password?: Uint8Array;
  /** PEM: whom the broker's certificate must come from, and who this side is. */
  readonly tls?: { readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array };
  /** MQTT 5 is tried first where this is 5; a broker that does not know it is spoken to in 3.1.1. */
  readonly version?: 4 | 5;
  /** Asked before every connection. Where it throws, there is none yet. */
  readonly will?: () => Promise<Will | undefined>;
  /** Hears why there is no connection, each time. */
  readonly onProblem?: (problem: Error) => void;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

const KEEPALIVE_SECONDS = 30;
const CONNECT_TIMEOUT = 15_000;
const BACKOFF = { first: 2000, longest: 120_000 };
/** A connection that held so long was a good one: the next wait is short again. */
const GOOD_CONNECTION = 30_000;
/** Refusals of a protocol version: of MQTT 3.1.1, of MQTT 5. */
const UNKNOWN_VERSION: readonly unknown[] = [1, 0x84];

/** Connects to a broker and stays connected until it is closed. Returns at once. */
export function connectMqtt(options: MqttOptions): Transport {
  return new MqttTransport(options);
}

class MqttTransport implements Transport {
  private readonly options: MqttOptions;
  private readonly clock: Clock;
  private readonly random: () => number;
  private readonly filters = new Map<string, 0 | 1>();
  private readonly messages = new Listeners<Incoming>();
  private readonly states = new Listeners<boolean>();
  private readonly turns = new Turns(MOST_OUTSTANDING, MOST_WAITING);
  private readonly ending = new AbortController();
  private readonly running: Promise<void>;
  private version: 4 | 5;
  /** Largest message that the broker takes, bytes. */
  private largest = Number.POSITIVE_INFINITY;
  private connection: MqttConnection | undefined;

  constructor(options: MqttOptions) {
    this.options = options;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.version = options.version ?? 4;
    this.running = this.stayConnected();
  }

  get connected(): boolean {
    return this.connection !== undefined;
  }

  onMessage(listener: (message: Incoming) => void): () => void {
    return this.messages.add(listener);
  }

  onState(listener: (connected: boolean) => void): () => void {
    return this.states.add(listener);
  }

  async publish(topic: string, payload: Uint8Array, options: PublishOptions = {}): Promise<void> {
    if (!this.connection) throw notConnected();
    await this.turns.take(async () => {
      const { connection } = this;
      if (!connection) throw notConnected();
      // Fixed header, length of the topic, packet identifier and properties are in what the broker limits.
      if (payload.length + topic.length + 32 > this.largest)
        throw linkRefused(`a message of ${payload.length} bytes, the broker takes ${this.largest}`);
      const { qos = 0, retain = false, expirySeconds } = options;
      const expires = this.version === 5 && expirySeconds !== undefined;
      const properties = expires ? { properties: { messageExpiryInterval: expirySeconds } } : {};
      await connection.during<void>((done, fail) => {
        connection.client.publish(topic, asBuffer(payload), { qos, retain, ...properties }, (e) =>
          e ? fail(notConnected(e.message)) : done(),
        );
      });
    });
  }

  async subscribe(filter: string, qos: 0 | 1): Promise<void> {
    if (this.filters.get(filter) === qos) return;
    this.filters.set(filter, qos);
    try {
      if (this.connection) await this.grant(this.connection, { [filter]: qos });
    } catch (e) {
      if (isEigenError(e) && e.code === 'EW7103_LINK_REFUSED') this.filters.delete(filter);
      throw e;
    }
  }

  async close(): Promise<void> {
    this.ending.abort();
    await this.running;
  }

  private async stayConnected(): Promise<void> {
    const { signal } = this.ending;
    for (let attempts = 1; !signal.aborted; attempts++) {
      const from = this.clock.monotonic();
      const problem = await this.oneConnection().catch((e: Error) => e);
      if (signal.aborted) return;
      if (problem) this.options.onProblem?.(problem);
      if (this.version === 5 && problem && 'code' in problem && UNKNOWN_VERSION.includes(problem.code)) {
        this.version = 4;
        continue;
      }
      if (this.clock.monotonic() - from >= GOOD_CONNECTION) attempts = 1;
      await pause(this.clock, fullJitter(BACKOFF, attempts, this.random), signal);
    }
  }

  /** Connects, and throws why that connection has ended; returns when it was closed. */
  private async oneConnection(): Promise<void> {
    const { signal } = this.ending;
    // Not before there is something to connect to: it takes 150 ms and 5 MB to load.
    const [{ connect }, { writeToStream }] = await Promise.all([import('mqtt'), import('mqtt-packet')]);
    // It would keep a buffer for each of 65536 numbers: 15 MB, and no faster for what is sent here.
    writeToStream.cacheNumbers = false;
    const will = await this.options.will?.();
    if (signal.aborted) return;
    const client = connect(this.options.url, this.clientOptions(will));
    const connection = new MqttConnection(client);
    client.on('message', (topic, payload) => this.messages.tell({ topic, payload }));
    const close = (): void => connection.end(notConnected('it was closed'));
    signal.addEventListener('abort', close);
    try {
      const { properties } = await connection.during<IConnackPacket>((done) => void client.once('connect', done));
      this.largest = properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
      this.turns.atATime = Math.min(MOST_OUTSTANDING, properties?.receiveMaximum ?? MOST_OUTSTANDING);
      // More may be asked for meanwhile.
      for (let granted = -1; granted !== this.filters.size; ) {
        granted = this.filters.size;
        await this.grant(connection, Object.fromEntries(this.filters));
      }
      this.connection = connection;
      this.states.tell(true);
      await connection.during<never>(() => undefined);
    } finally {
      signal.removeEventListener('abort', close);
      const was = this.connected;
      this.connection = undefined;
      if (was) this.states.tell(false);
      await connection.close(this.clock);
    }
  }

  private clientOptions(will: Will | undefined): IClientOptions {
    const { clientId, username, password, tls } = this.options;
    return {
      clientId,
      protocolVersion: this.version,
      clean: true,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      connectTimeout: CONNECT_TIMEOUT,
      keepalive: KEEPALIVE_SECONDS,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: asBuffer(password) }),
      ...(tls?.ca ? { ca: asBuffer(tls.ca) } : {}),
      ...(tls?.cert ? { cert: asBuffer(tls.cert) } : {}),
      ...(tls?.key ? { key: asBuffer(tls.key) } : {}),
      ...(will ? { will: { topic: will.topic, payload: asBuffer(will.payload), qos: 1, retain: true } } : {}),
    };
  }

  private async grant(connection: MqttConnection, wanted: Record<string, 0 | 1>): Promise<void> {
    const filters = Object.entries(wanted);
    if (filters.length === 0) return;
    const map = Object.fromEntries(filters.map(([filter, qos]) => [filter, { qos }]));
    await connection.during<void>((done, fail) => {
      connection.client.subscribe(map, (e, grants) => {
        const refused = grants?.find((g) => g.qos === 128)?.topic;
        if (refused !== undefined) fail(linkRefused(`the broker does not grant '${refused}'`, e));
        else if (e) fail(linkRefused(`the broker does not grant what was asked for: ${e.message}`, e));
        else done();
      });
    });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
