import { connect, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';
import type { Incoming, PublishOptions, Transport, Will } from '../../sdk/transport/index.ts';
import { notConnected } from '../../sdk/transport/transport.ts';

export interface RawOptions {
  readonly port: number;
  readonly clientId: string;
  readonly password: string;
  will(): Promise<Will>;
}

/** Up to so long a device waits before it comes back, milliseconds. */
const MOST_WAIT = 2000;
const KEEPALIVE_SECONDS = 300;

/** MQTT 3.1.1 on a socket with nothing around it: ten thousand of them fit one process. */
export class RawTransport implements Transport {
  connected = false;
  private readonly options: RawOptions;
  private readonly filters = new Map<string, 0 | 1>();
  private readonly messageListeners = new Set<(message: Incoming) => void>();
  private readonly stateListeners = new Set<(connected: boolean) => void>();
  private readonly waiting = new Map<number, { done: () => void; fail: (e: Error) => void }>();
  private socket: Socket | undefined;
  private id = 0;
  private closed = false;

  constructor(options: RawOptions) {
    this.options = options;
    void this.open();
  }

  publish(topic: string, payload: Uint8Array, { qos = 0, retain = false }: PublishOptions = {}): Promise<void> {
    if (!this.connected) return Promise.reject(notConnected());
    const messageId = this.nextId();
    this.send({ cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain, dup: false, messageId });
    return qos === 0 ? Promise.resolve() : this.answered(messageId);
  }

  async subscribe(filter: string, qos: 0 | 1): Promise<void> {
    if (this.filters.has(filter)) return;
    this.filters.set(filter, qos);
    if (this.connected) await this.grant([[filter, qos]]);
  }

  onMessage(listener: (message: Incoming) => void): () => void {
    this.messageListeners.add(listener);
    return () => void this.messageListeners.delete(listener);
  }

  onState(listener: (connected: boolean) => void): () => void {
    this.stateListeners.add(listener);
    return () => void this.stateListeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.connected) this.send({ cmd: 'disconnect' });
    this.socket?.end();
  }

  /** The network is gone for a moment; it comes back by itself. */
  cut(): void {
    this.socket?.destroy();
  }

  ping(): void {
    if (this.connected) this.send({ cmd: 'pingreq' });
  }

  private async open(): Promise<void> {
    const will = await this.options.will();
    if (this.closed) return;
    const socket = connect({ port: this.options.port, host: '127.0.0.1', noDelay: true });
    this.socket = socket;
    const packets = parser({ protocolVersion: 4 });
    packets.on('packet', (packet: Packet) => this.hear(packet));
    socket.on('data', (bytes) => void packets.parse(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => this.gone());
    socket.on('connect', () =>
      this.send({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clientId: this.options.clientId,
        username: this.options.clientId,
        password: Buffer.from(this.options.password),
        clean: true,
        keepalive: KEEPALIVE_SECONDS,
        will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true },
      }),
    );
  }

  private gone(): void {
    const was = this.connected;
    this.connected = false;
    for (const { fail } of this.waiting.values()) fail(notConnected('the connection is gone'));
    this.waiting.clear();
    if (was) for (const listener of this.stateListeners) listener(false);
    if (!this.closed) setTimeout(() => void this.open(), Math.random() * MOST_WAIT);
  }

  private hear(packet: Packet): void {
    switch (packet.cmd) {
      case 'connack':
        void this.welcome();
        break;
      case 'puback':
      case 'suback':
        this.waiting.get(packet.messageId!)?.done();
        this.waiting.delete(packet.messageId!);
        break;
      case 'publish': {
        const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
        for (const listener of this.messageListeners) listener({ topic: packet.topic, payload });
        if (packet.qos === 1) this.send({ cmd: 'puback', messageId: packet.messageId! });
        break;
      }
    }
  }

  private async welcome(): Promise<void> {
    try {
      await this.grant([...this.filters]);
    } catch {
      // It is gone already: the next one begins anew.
      return;
    }
    this.connected = true;
    for (const listener of this.stateListeners) listener(true);
  }

  private async grant(filters: readonly (readonly [string, 0 | 1])[]): Promise<void> {
    if (filters.length === 0) return;
    const messageId = this.nextId();
    this.send({ cmd: 'subscribe', messageId, subscriptions: filters.map(([topic, qos]) => ({ topic, qos })) });
    await this.answered(messageId);
  }

  private answered(id: number): Promise<void> {
    return new Promise((done, fail) => this.waiting.set(id, { done, fail }));
  }

  private nextId(): number {
    this.id = (this.id % 65_535) + 1;
    return this.id;
  }

  private send(packet: Packet): void {
    this.socket?.write(generate(packet));
  }
}
