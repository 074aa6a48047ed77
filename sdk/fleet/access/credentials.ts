import { type Clock, pause } from '../../util/clock.ts';
import { isTopicName } from '../../wire/protocol/topics.ts';
import type { Login } from '../broker/broker.ts';
import type { Database } from '../database/index.ts';
import { hashOfSecret, sameHash } from './secrets.ts';

interface Row {
  readonly device: string;
  readonly kind: string;
  readonly hash: string;
}

/** Between two queries, milliseconds. */
const COLLECT = 25;

/**
 * Who a device is, by what it was given when it enrolled. All that ask while one query runs, and shortly after, are answered by the next: ten
 * thousand devices that come back together are some dozens of queries.
 */
export class Credentials {
  private readonly database: Database;
  private readonly clock: Clock;
  private asking = new Map<string, ((row: Row | undefined) => void)[]>();
  private failing: ((e: unknown) => void)[] = [];
  private running = false;

  constructor(database: Database, clock: Clock) {
    this.database = database;
    this.clock = clock;
  }

  /** The device's name, or undefined when it is not known, its credentials were revoked, or they are others. */
  async login({ certificate, username, password }: Login): Promise<string | undefined> {
    const [device, kind, hash] = certificate
      ? [certificate.commonName, 'certificate', certificate.sha256]
      : [username, 'password', password && hashOfSecret(password)];
    if (device === undefined || hash === undefined || !isTopicName(device)) return undefined;
    const row = await this.find(device);
    return row?.kind === kind && sameHash(row.hash, hash) ? device : undefined;
  }

  private find(device: string): Promise<Row | undefined> {
    return new Promise((resolve, reject) => {
      const others = this.asking.get(device);
      if (others) others.push(resolve);
      else this.asking.set(device, [resolve]);
      this.failing.push(reject);
      if (!this.running) void this.answer();
    });
  }

  private async answer(): Promise<void> {
    this.running = true;
    while (this.asking.size > 0) {
      const { asking, failing } = this;
      this.asking = new Map();
      this.failing = [];
      try {
        const rows = await this.database.query<Row>(
          `select device, kind, hash from credentials
           where revoked is null and device in (select jsonb_array_elements_text($1::jsonb))`,
          [JSON.stringify([...asking.keys()])],
        );
        const found = new Map(rows.map((row) => [row.device, row]));
        for (const [device, resolves] of asking) for (const resolve of resolves) resolve(found.get(device));
      } catch (e) {
        for (const reject of failing) reject(e);
      }
      await pause(this.clock, COLLECT);
    }
    this.running = false;
  }
}
