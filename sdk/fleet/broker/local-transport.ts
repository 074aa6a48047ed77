import type { Aedes, AedesPublishPacket } from 'aedes';
import type { Incoming, PublishOptions, Transport } from '../../transport/index.ts';
import { notConnected } from '../../transport/transport.ts';

/** A broker's own end, in its process. */
export class LocalTransport implements Transport {
  private readonly aedes: Aedes;
  private readonly messages = new Set<(message: Incoming) => void>();
  private readonly filters = new Map<string, (packet: AedesPublishPacket, done: () => void) => void>();
  private closed = false;

  constructor(aedes: Aedes) {
    this.aedes = aedes;
  }

  get connected(): boolean {
    return !this.closed;
  }

  publish(topic: string, payload: Uint8Array, { qos = 0, retain = false }: PublishOptions = {}): Promise<void> {
    if (this.closed) return Promise.reject(notConnected('the broker has ended'));
    // aedes keeps what it is given until the slowest has read it.
    const packet = { cmd: 'publish' as const, topic, payload: Buffer.from(payload), qos, retain, dup: false };
    return new Promise((resolve, reject) => this.aedes.publish(packet, (e) => (e ? reject(e) : resolve())));
  }

  subscribe(filter: string): Promise<void> {
    if (this.filters.has(filter)) return Promise.resolve();
    const deliver = ({ topic, payload }: AedesPublishPacket, done: () => void): void => {
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
      for (const listener of [...this.messages]) listener({ topic, payload: bytes });
      queueMicrotask(done);
    };
    this.filters.set(filter, deliver);
    return new Promise((resolve) => this.aedes.subscribe(filter, deliver, resolve));
  }

  onMessage(listener: (message: Incoming) => void): () => void {
    this.messages.add(listener);
    return () => void this.messages.delete(listener);
  }

  /** It is there from the beginning to the end. */
  onState(_listener: (connected: boolean) => void): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const [filter, deliver] of this.filters) this.aedes.unsubscribe(filter, deliver, () => undefined);
    this.filters.clear();
  }
}
