import type { Database } from '../../../sdk/fleet/database/index.ts';
import { changesOf, type Heard } from '../../../sdk/fleet/registry/change.ts';
import { storeChanges } from '../../../sdk/fleet/registry/store.ts';
import type { Message } from '../../../sdk/wire/protocol/messages.ts';

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** Devices that exist as what they say to the registry. */
export class StoredFleet {
  readonly database: Database;
  readonly running = new Map<string, string>();
  now = 1_000_000;
  private seq = 0;

  constructor(database: Database) {
    this.database = database;
  }

  async say(device: string, message: Message<'up'>): Promise<void> {
    await this.hear([{ device, at: this.now, message }]);
  }

  async hear(heard: readonly Heard[]): Promise<void> {
    await this.database.transaction((db) => storeChanges(db, changesOf(heard)));
  }

  async born(names: readonly string[], board: string, running: string): Promise<void> {
    const metadata = { root: 1, timestamp: 1, snapshot: 1, targets: 1 };
    const message = { type: 'birth', epoch: 1, rev: 0, agent: '1', board, metadata } as const;
    for (const name of names) this.running.set(name, running);
    await this.hear(
      names.map((device) => ({ device, at: this.now, message: { ...message, slots: [], running: bytes(running) } })),
    );
  }

  /** Everybody who was told something says how that ended. */
  async answer(
    behaviour: (device: string, target: string) => 'committed' | 'rolled-back' | 'refused' | 'failed',
  ): Promise<number> {
    const told = await this.database.query<{ device: string; rev: number; target: string }>(
      "select device, rev, target from desired where state in ('pending', 'delivered') and action = 'install' order by device",
    );
    const heard = told.map(({ device, rev, target }): Heard => {
      const outcome = behaviour(device, target);
      if (outcome === 'committed') this.running.set(device, target);
      const running = bytes(this.running.get(device)!);
      return {
        device,
        at: this.now,
        message: { type: 'report', epoch: 1, seq: this.seq++, rev, outcome, running, received: 0 },
      };
    });
    if (heard.length > 0) await this.hear(heard);
    return heard.length;
  }

  /** What every device measures now. */
  async measure(metrics: (device: string, running: string) => Readonly<Record<string, number>>): Promise<void> {
    const heard = [...this.running].map(([device, running]): Heard => {
      const own = { runs: 100, failures: 0, metrics: metrics(device, running) };
      return {
        device,
        at: this.now,
        message: { type: 'health', epoch: 1, seq: this.seq++, running: bytes(running), ...own },
      };
    });
    await this.hear(heard);
  }
}
