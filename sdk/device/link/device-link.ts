import { Listeners } from '../../transport/listeners.ts';
import { type Incoming, notConnected, type Transport, type Will } from '../../transport/transport.ts';
import { type Clock, pause } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import { decodeMessage, encodeMessage, type Message } from '../../wire/protocol/messages.ts';
import { type Channel, deviceTopic } from '../../wire/protocol/topics.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { type Desired, LinkState } from './link-state.ts';

type Up<Type extends Message<'up'>['type']> = Extract<Message<'up'>, { type: Type }>;

/** What a message says, without what the link knows. */
export type Birth = Omit<Up<'birth'>, 'type' | 'epoch' | 'rev'>;
export type Status = Omit<Up<'status'>, 'type' | 'epoch' | 'seq' | 'rev'>;
export type Report = Omit<Up<'report'>, 'type' | 'epoch' | 'seq' | 'rev'>;
export type Health = Omit<Up<'health'>, 'type' | 'epoch' | 'seq'>;

export interface DeviceLinkParts {
  /** Both stand in topics. */
  readonly namespace: string;
  readonly device: string;
  /** Where the link keeps its state, in a folder of its own right below the state folder. */
  readonly fs: DeviceFileSystem;
  readonly folder: string;
  /** Connects, and asks for the will before every connection. */
  connect(will: () => Promise<Will>): Transport;
  /** What the device is and has at present. */
  birth(): Promise<Birth>;
  readonly clock: Clock;
}

/** Times that a report is sent after the broker has taken it, each with a birth: the broker may lose it. */
const REPEATS = 2;
/** Reports that are repeated. */
const MOST_REPORTS = 8;

/** How long leaving may take, milliseconds. */
const MOST_GOODBYE = 2000;

interface Kept {
  readonly payload: Uint8Array;
  left: number;
}

/**
 * A device's side of the update protocol. With every connection it says what it is (birth) and that it is there (presence, which the
 * broker takes back when the connection goes); from then on it hears what it is to be. It says state, not events: what is lost is made
 * good by the next birth.
 */
export class DeviceLink {
  readonly transport: Transport;
  private readonly parts: DeviceLinkParts;
  private readonly state: LinkState;
  private readonly listeners = new Listeners<Desired>();
  /** Of the present or the next connection. */
  private epoch = 0;
  private seq = 0;
  /** The newest that was not sent. */
  private readonly unsent = new Map<'status' | 'health', Uint8Array>();
  private readonly reports: Kept[] = [];
  /** The last report, and of which revision it was. */
  private last: { readonly rev: number; readonly payload: Uint8Array } | undefined;
  private greeting: Promise<void> = Promise.resolve();

  private constructor(parts: DeviceLinkParts, state: LinkState) {
    this.parts = parts;
    this.state = state;
    this.transport = parts.connect(() => this.will());
    this.transport.onMessage((message) => this.hear(message));
    this.transport.onState((connected) => {
      if (connected) this.greeting = this.greet();
    });
  }

  /** Begins to connect. @throws RangeError for names that cannot stand in a topic. */
  static async open(parts: DeviceLinkParts): Promise<DeviceLink> {
    const link = new DeviceLink(parts, await LinkState.open(parts.fs, parts.folder));
    await link.transport.subscribe(link.topic('dn'), 1);
    return link;
  }

  /** What was last wanted of the device, also before it was started. */
  get desired(): Desired | undefined {
    return this.state.desired;
  }

  /** Hears what is wanted when that changes; what is returned ends it. */
  onDesired(listener: (desired: Desired) => void): () => void {
    return this.listeners.add(listener);
  }

  /** Says again what the device is, and its last reports: now and then, and when something of it has changed. Where there is no connection, the next one does. */
  async announce(): Promise<void> {
    if (this.transport.connected) await this.greet();
  }

  /** Says what the device is doing; of several that could not be sent the newest counts. */
  async status(status: Status): Promise<void> {
    await this.sayNewest('status', { type: 'status', ...this.next(), rev: this.rev, ...status });
  }

  async health(health: Health): Promise<void> {
    await this.sayNewest('health', { type: 'health', ...this.next(), ...health });
  }

  /**
   * Says how an update ended. Returns when the broker has it; the next births repeat it.
   * @throws EigenError EW7101_NOT_CONNECTED, EW7102_LINK_FULL: say it again later.
   */
  async report(report: Report): Promise<void> {
    if (!this.transport.connected) throw notConnected();
    const payload = encodeMessage('up', { type: 'report', ...this.next(), rev: this.rev, ...report });
    await this.send('up', payload);
    this.last = { rev: this.rev, payload };
    this.reports.push({ payload, left: REPEATS });
    if (this.reports.length > MOST_REPORTS) this.reports.shift();
  }

  /** Says that the device leaves, and ends the connection; a broker that does not take it finds out by itself. */
  async close(): Promise<void> {
    const said = this.greeting.then(() => this.sendPresence(false)).catch(() => undefined);
    const finished = new AbortController();
    await Promise.race([said, pause(this.parts.clock, MOST_GOODBYE, finished.signal)]);
    finished.abort();
    await this.transport.close();
  }

  private get rev(): number {
    return this.state.desired?.rev ?? 0;
  }

  private next(): { readonly epoch: number; readonly seq: number } {
    return { epoch: this.epoch, seq: this.seq++ };
  }

  /** Every connection has an epoch of its own, so that a will that comes late ends no later one. */
  private async will(): Promise<Will> {
    this.epoch = await this.state.nextEpoch();
    this.seq = 0;
    return { topic: this.topic('st'), payload: this.presence(false) };
  }

  private presence(online: boolean): Uint8Array {
    return encodeMessage('st', { type: 'presence', epoch: this.epoch, online, rev: this.rev });
  }

  private async sendPresence(online: boolean): Promise<void> {
    await this.transport.publish(this.topic('st'), this.presence(online), { qos: 1, retain: true });
  }

  /** What fails here fails because the connection is gone: the next one begins anew. */
  private async greet(): Promise<void> {
    const { epoch } = this;
    try {
      const facts = await this.parts.birth();
      if (epoch !== this.epoch) return;
      await this.sendPresence(true);
      await this.send('up', encodeMessage('up', { type: 'birth', epoch, rev: this.rev, ...facts }));
      for (const [kind, payload] of [...this.unsent]) await this.sendNewest(kind, payload);
      for (const report of [...this.reports]) {
        await this.send('up', report.payload);
        if (--report.left <= 0) this.reports.splice(this.reports.indexOf(report), 1);
      }
    } catch (e) {
      if (!isEigenError(e)) throw e;
    }
  }

  private async sayNewest(kind: 'status' | 'health', message: Message<'up'>): Promise<void> {
    const payload = encodeMessage('up', message);
    this.unsent.set(kind, payload);
    if (!this.transport.connected) return;
    await this.sendNewest(kind, payload).catch((e) => {
      if (!isEigenError(e)) throw e;
    });
  }

  private async sendNewest(kind: 'status' | 'health', payload: Uint8Array): Promise<void> {
    await this.send('up', payload);
    if (this.unsent.get(kind) === payload) this.unsent.delete(kind);
  }

  private send(channel: Channel, payload: Uint8Array): Promise<void> {
    return this.transport.publish(this.topic(channel), payload, { qos: 1 });
  }

  private hear({ topic, payload }: Incoming): void {
    if (topic !== this.topic('dn')) return;
    let desired: Desired;
    try {
      desired = decodeMessage('dn', payload);
    } catch (e) {
      // Whoever may write there may write nonsense.
      if (isEigenError(e)) return;
      throw e;
    }
    // Whoever wants again what the device knows asks what became of it.
    if (desired.rev === this.state.desired?.rev) return void this.answer();
    // What comes late says nothing new.
    if (this.state.desired && desired.rev < this.state.desired.rev) return;
    const copy = { ...desired, target: desired.target.slice() };
    void this.state.setDesired(copy);
    this.listeners.tell(copy);
  }

  /** Says again how it ended; while it has not, what the device is. */
  private async answer(): Promise<void> {
    const { last } = this;
    if (last?.rev !== this.rev) return this.announce();
    await this.send('up', last.payload).catch((e) => {
      if (!isEigenError(e)) throw e;
    });
  }

  private topic(channel: Channel): string {
    const { namespace, device } = this.parts;
    return deviceTopic({ namespace, device, channel });
  }
}
