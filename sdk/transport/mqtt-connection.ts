import type { MqttClient } from 'mqtt';
import { type Clock, pause } from '../util/clock.ts';
import { notConnected } from './transport.ts';

/** How long a polite end may take, milliseconds. */
const MOST_GOODBYE = 2000;

/** One connection: an MqttClient that does not come back, and what fails when it goes. */
export class MqttConnection {
  readonly client: MqttClient;
  /** Why it went. */
  ended: Error | undefined;
  private readonly pending = new Set<(e: Error) => void>();

  constructor(client: MqttClient) {
    this.client = client;
    client.on('error', (e) => this.end(e));
    client.on('close', () => this.end(notConnected('the connection is gone')));
  }

  end(why: Error): void {
    this.ended ??= why;
    for (const fail of this.pending) fail(this.ended);
    this.pending.clear();
  }

  /** What work gives, or why the connection went before it did. */
  async during<T>(work: (done: (result: T) => void, fail: (e: Error) => void) => void): Promise<T> {
    if (this.ended) throw this.ended;
    let fail: (e: Error) => void = () => undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        fail = reject;
        this.pending.add(fail);
        work(resolve, reject);
      });
    } finally {
      this.pending.delete(fail);
    }
  }

  /** Where nothing is wrong, what is written goes out first. */
  async close(clock: Clock): Promise<void> {
    const ended = new Promise<void>((resolve) => this.client.end(!this.client.connected, {}, () => resolve()));
    const finished = new AbortController();
    await Promise.race([ended, pause(clock, MOST_GOODBYE, finished.signal)]);
    finished.abort();
    this.client.end(true);
    this.client.removeAllListeners();
    this.client.on('error', () => undefined);
  }
}
