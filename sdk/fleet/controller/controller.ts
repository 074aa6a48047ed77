import type { Transport } from '../../transport/index.ts';
import type { Clock } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import { decodeMessage } from '../../wire/protocol/messages.ts';
import { deviceTopic, everyDevice, parseTopic, shardOf } from '../../wire/protocol/topics.ts';
import { type Database, isRefusedValue } from '../database/index.ts';
import { encodeDesired, giveUpLate, takeDue } from '../desired/publish.ts';
import { BEAT, LeaseLost, Leases } from '../leases/leases.ts';
import type { Logger } from '../log.ts';
import { changesOf, type Heard } from '../registry/change.ts';
import { storeChanges } from '../registry/store.ts';
import { Inbox } from './inbox.ts';
import type { Metrics } from './metrics.ts';
import { Overheard, type Said } from './overheard.ts';
import { Periodic } from './periodic.ts';
import { surveyShards } from './survey.ts';

/** Work beside the devices' that one controller at a time does: rollouts, clearing away. */
export interface FleetTask {
  /** Also of the lease that it runs under. */
  readonly name: string;
  /** Milliseconds between the end of one run and the next. */
  readonly every: number;
  run(work: TaskWork): Promise<void>;
}

export interface TaskWork {
  readonly database: Database;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** To be called first in every transaction that writes. @throws LeaseLost when another controller does this work now. */
  fence(db: Database): Promise<void>;
}

export interface ControllerParts {
  readonly database: Database;
  readonly transport: Transport;
  readonly namespace: string;
  /** Different from that of any other controller that ever was. */
  readonly id: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly tasks?: readonly FleetTask[];
  /** How many requests of devices wait that fetch what they were told about. */
  readonly queue?: () => number;
}

export const SHARDS: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** What devices say on their way to the controller. */
const CHANNELS = ['up', 'st'] as const;

/** Desired states published in one go, and milliseconds between two looks for some that are due again: new ones are published at once. */
const MOST_PUBLISHED = 500;
const PUBLISH_EVERY = 1000;
/** Until the next of them go: devices fetch what they are told about, and not all at once. */
const NEXT_PUBLISHED = 500;
const SWEEP_EVERY = 5000;
/** Tasks rest at least so many times as long as they have worked. */
const TASK_REST = 2;
/** Nobody else is told while so many requests of those that were told before wait. */
const CROWDED = 256;
/** Publishes that wait for the broker at a time. */
const AT_A_TIME = 32;

/**
 * One of the controllers of a fleet: writes down what the devices of its shards say, and publishes what they are to be. Everything that counts
 * is in the database; where a controller dies, another goes on from there. Each hears all devices, so that nothing is lost between two that
 * write for one.
 */
export class Controller {
  readonly leases: Leases;
  private readonly parts: ControllerParts;
  private readonly inbox: Inbox;
  private readonly overheard: Overheard;
  private readonly periodic: Periodic[];
  private shards: readonly string[] = [];
  private unlisten: (() => void)[] = [];

  constructor(parts: ControllerParts) {
    this.parts = parts;
    const { database, id, tasks = [] } = parts;
    this.leases = new Leases(database, { id, names: [...SHARDS, ...tasks.map((t) => t.name)] });
    this.inbox = new Inbox(parts.clock, (heard) => this.write(heard));
    this.overheard = new Overheard(parts.clock);
    this.periodic = [
      this.every('beat', BEAT, () => this.beat()),
      this.every('publish', PUBLISH_EVERY, () => this.publish()),
      this.every('sweep', SWEEP_EVERY, () => this.sweep()),
      ...tasks.map((task) => this.every(task.name, task.every, () => this.work(task), TASK_REST)),
    ];
  }

  /** Takes its share of the work; returns when it has it. @throws EigenError EW7103_LINK_REFUSED when it may not hear devices. */
  async start(): Promise<void> {
    const { transport, namespace } = this.parts;
    this.unlisten = [
      transport.onMessage(({ topic, payload }) => this.hear(topic, payload)),
      transport.onState((connected) => {
        this.parts.metrics.connected.set(connected ? 1 : 0);
        this.parts.log.info(connected ? 'broker-connected' : 'broker-lost');
      }),
    ];
    this.parts.metrics.connected.set(transport.connected ? 1 : 0);
    for (const channel of CHANNELS) await transport.subscribe(everyDevice(namespace, channel), 1);
    await this.beat();
    for (const work of this.periodic) work.start();
  }

  /** Writes what it has heard and gives its work to the others. The transport and the database are its owner's to close. */
  async stop(): Promise<void> {
    for (const stop of this.unlisten) stop();
    await Promise.all(this.periodic.map((work) => work.stop()));
    await this.inbox.close();
    await this.leases.release();
    this.shards = [];
  }

  /** Looks at once for what is to be published: after a decision. */
  publishSoon(): void {
    this.periodic[1]!.soon();
  }

  /** Whether it does its work: it holds some, and the broker is there. */
  get ready(): boolean {
    return this.shards.length > 0 && this.parts.transport.connected;
  }

  private every(name: string, milliseconds: number, run: () => Promise<void>, times = 0): Periodic {
    const { clock, metrics, log } = this.parts;
    return new Periodic({
      clock,
      milliseconds,
      times,
      run: async () => {
        const from = clock.monotonic();
        try {
          await run();
        } catch (error) {
          if (error instanceof LeaseLost) return metrics.lost.inc();
          metrics.taskFailed.inc({ task: name });
          log.error('task-failed', { task: name, error });
        } finally {
          metrics.taskSeconds.observe({ task: name }, (clock.monotonic() - from) / 1000);
        }
      },
    });
  }

  private hear(topic: string, payload: Uint8Array): void {
    // Of the blob server; or nobody's state any more, whose retained message was cleared.
    if (topic.endsWith('/rq') || payload.length === 0) return;
    this.understand(topic, () => {
      const { namespace, device, channel } = parseTopic(topic);
      if (namespace !== this.parts.namespace || (channel !== 'up' && channel !== 'st')) return;
      const said: Said = { device, shard: shardOf(device), channel, at: this.parts.clock.now(), payload };
      if (this.leases.holds(said.shard)) this.take(said);
      else this.overheard.add(said);
    });
  }

  private take({ device, channel, at, payload }: Said): void {
    const message = decodeMessage(channel, payload);
    this.parts.metrics.messages.inc({ type: message.type });
    this.inbox.add({ device, at, message });
  }

  /** What is not as the protocol has it is counted and left. */
  private understand(whose: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isEigenError(error)) throw error;
      this.parts.metrics.refused.inc({ code: error.code });
      this.parts.log.warn('message-refused', { topic: whose.slice(0, 128), error });
    }
  }

  /** Writes for the shards that are still this controller's; what is of others is theirs to hear. */
  private async write(heard: readonly Heard[]): Promise<void> {
    const { database, metrics, clock } = this.parts;
    const from = clock.monotonic();
    const mine = heard.filter((h) => this.leases.holds(shardOf(h.device)));
    const changes = changesOf(mine);
    if (changes.length === 0) return;
    try {
      const stored = await database.transaction(async (db) => {
        await this.leases.fence(
          db,
          changes.map((c) => shardOf(c.device)),
        );
        return storeChanges(db, changes);
      });
      metrics.appeared.inc(stored.appeared);
      if (stored.due > 0) this.publishSoon();
      for (const { outcome, attack } of stored.reports) {
        metrics.reports.inc({ outcome });
        if (attack) metrics.attacks.inc({ attack });
      }
    } catch (error) {
      if (isRefusedValue(error)) return this.writeApart(mine, error);
      if (!(error instanceof LeaseLost)) {
        this.parts.log.error('write-failed', { messages: mine.length, error });
        throw error;
      }
      metrics.lost.inc();
      await this.beat();
      return this.write(mine);
    } finally {
      metrics.batches.observe((clock.monotonic() - from) / 1000);
      metrics.batchSizes.observe(mine.length);
    }
  }

  /** What the database refuses it refuses for ever, and all that is written with it: the others are written without it. */
  private async writeApart(heard: readonly Heard[], error: unknown): Promise<void> {
    const half = heard.length >> 1;
    if (half > 0) {
      await this.write(heard.slice(0, half));
      return this.write(heard.slice(half));
    }
    this.parts.metrics.unwritable.inc();
    this.parts.log.error('message-unwritable', { device: heard[0]!.device, type: heard[0]!.message.type, error });
  }

  private async beat(): Promise<void> {
    const { metrics, log } = this.parts;
    const taken = await this.leases.beat();
    this.shards = SHARDS.filter((shard) => this.leases.holds(shard));
    metrics.leases.set(this.leases.size);
    if (taken.length === 0) return;
    metrics.taken.inc(taken.length);
    log.info('leases-taken', { taken: taken.length, held: this.leases.size });
    for (const said of this.overheard.take(new Set(taken))) this.understand(said.device, () => this.take(said));
  }

  private async publish(): Promise<void> {
    const { database, transport, namespace, clock, random, metrics } = this.parts;
    if (this.shards.length === 0 || !transport.connected) return;
    if ((this.parts.queue?.() ?? 0) > CROWDED) {
      clock.after(NEXT_PUBLISHED, () => this.publishSoon());
      return;
    }
    const due = await database.transaction(async (db) => {
      await this.leases.fence(db, this.shards);
      return takeDue(db, this.shards, MOST_PUBLISHED, { now: clock.now(), random });
    });
    if (due.looked === MOST_PUBLISHED) clock.after(NEXT_PUBLISHED, () => this.publishSoon());
    const send = async (): Promise<void> => {
      for (let one = due.online.shift(); one; one = due.online.shift()) {
        const topic = deviceTopic({ namespace, device: one.device, channel: 'dn' });
        metrics.published.inc({ repeated: String(one.repeated) });
        await transport.publish(topic, encodeDesired(one.message), { qos: 1 }).catch((error: unknown) => {
          metrics.publishFailed.inc();
          this.parts.log.warn('publish-failed', { device: one.device, error });
        });
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, send));
  }

  /** Sees to what nobody said: devices that did not end, messages that could not be written. */
  private async sweep(): Promise<void> {
    const { database, clock, metrics, log } = this.parts;
    this.inbox.retry();
    if (this.shards.length === 0) return;
    const late = await database.transaction(async (db) => {
      await this.leases.fence(db, this.shards);
      return giveUpLate(db, this.shards, clock.now());
    });
    metrics.stalled.inc(late.length);
    for (const { device, key } of late) log.warn('stalled', { device, key });
    metrics.waiting.set(this.inbox.size);
    metrics.dropped.set(this.inbox.dropped);
    await surveyShards(database, this.shards, clock.now(), metrics);
  }

  private async work({ name, run }: FleetTask): Promise<void> {
    const { database, clock } = this.parts;
    if (!this.leases.holds(name)) return;
    await run({ database, now: clock.now(), fence: (db) => this.leases.fence(db, [name]) });
  }
}
