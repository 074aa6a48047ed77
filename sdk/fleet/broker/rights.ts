import { CHANNELS, type Channel, deviceTopic } from '../../wire/protocol/topics.ts';

/** What a device says, and what it hears: of its own topics only. */
export const SAYS: readonly Channel[] = ['up', 'st', 'rq'];
export const HEARS: readonly Channel[] = ['dn', 'ch', 'st'];
/** What a controller hears and says, of all devices. */
export const CONTROLLER_HEARS: readonly Channel[] = ['up', 'st', 'rq'];
export const CONTROLLER_SAYS: readonly Channel[] = ['dn', 'ch'];

/** What one device may do on a broker. */
export class Rights {
  readonly device: string;
  /** Its topics without their last level. */
  private readonly own: string;

  constructor(namespace: string, device: string) {
    this.device = device;
    this.own = deviceTopic({ namespace, device, channel: 'up' }).slice(0, -'up'.length);
  }

  /** Why it may not publish this; undefined when it may. */
  publishProblem(topic: string, { qos, retain }: { qos: number; retain: boolean }): string | undefined {
    const channel = this.channelOf(topic);
    if (!channel || !SAYS.includes(channel)) return `${this.device} may not publish on '${topic.slice(0, 128)}'`;
    if (retain && channel !== 'st') return `${this.device} may not leave anything on '${topic}'`;
    return qos > 1 ? `the protocol has no QoS ${qos}` : undefined;
  }

  /** Why it may not subscribe to this; undefined when it may. */
  subscribeProblem(filter: string): string | undefined {
    const channel = this.channelOf(filter);
    if (channel && HEARS.includes(channel)) return undefined;
    return `${this.device} may not subscribe to '${filter.slice(0, 128)}'`;
  }

  private channelOf(topic: string): Channel | undefined {
    return topic.startsWith(this.own) ? CHANNELS.find((c) => c === topic.slice(this.own.length)) : undefined;
  }
}
