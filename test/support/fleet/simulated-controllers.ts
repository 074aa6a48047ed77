import type { Counter, Gauge } from 'prom-client';
import { Controller, type ControllerParts } from '../../../sdk/fleet/controller/controller.ts';
import { Metrics } from '../../../sdk/fleet/controller/metrics.ts';
import type { Database } from '../../../sdk/fleet/database/index.ts';
import type { Heard } from '../../../sdk/fleet/registry/change.ts';
import { MemoryBroker, type MemoryTransport } from '../../../sdk/testing/memory-broker.ts';
import { SimulatedClock } from '../../../sdk/testing/simulated-clock.ts';
import type { Transport } from '../../../sdk/transport/index.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../sdk/wire/protocol/messages.ts';
import { type Channel, deviceTopic, parseTopic, shardOf } from '../../../sdk/wire/protocol/topics.ts';
import { until } from '../until.ts';

export const NAMESPACE = 'test';

/** A controller whose time passes when a test says so: one whose time stands still has died, or is slow. */
export interface TestedController {
  readonly controller: Controller;
  readonly clock: SimulatedClock;
  readonly transport: MemoryTransport;
  readonly metrics: Metrics;
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** Shards that it thinks are its own. */
  readonly held: number;
  /** Name of a device in one of them. */
  deviceOf(): string;
}

/** Controllers of one database on one network, and what devices say there. */
export class World {
  /** Of the network. */
  readonly clock = new SimulatedClock();
  readonly broker = new MemoryBroker(this.clock);
  private readonly database: Database;
  private readonly devices = this.broker.connect('devices');
  private readonly heard: { readonly device: string; readonly message: Message<'dn'> }[] = [];

  constructor(database: Database) {
    this.database = database;
    this.devices.onMessage(({ topic, payload }) =>
      this.heard.push({ device: parseTopic(topic).device, message: decodeMessage('dn', payload) }),
    );
    void this.devices.subscribe(`ew1/${NAMESPACE}/+/+/dn`, 1);
  }

  /** One that has started. */
  async controller(
    id: string,
    more: Partial<ControllerParts> = {},
    over: (transport: Transport) => Transport = (transport) => transport,
  ): Promise<TestedController> {
    const [clock, metrics] = [new SimulatedClock(), new Metrics()];
    const transport = this.broker.connect(`controller-${id}`);
    const lines: Record<string, unknown>[] = [];
    const line = (event: string, fields?: object): void => void lines.push({ event, ...fields });
    await this.clock.pass(1);
    const controller = new Controller({
      ...{ database: this.database, transport: over(transport), namespace: NAMESPACE, id, clock, metrics },
      random: () => 0.5,
      log: { info: line, warn: line, error: line },
      ...more,
    });
    await controller.start();
    const holds = (device: string): boolean => controller.leases.holds(shardOf(device));
    return {
      ...{ controller, clock, transport, metrics, lines },
      get held() {
        return shards().filter((shard) => controller.leases.holds(shard)).length;
      },
      deviceOf: () => Array.from({ length: 1000 }, (_, i) => `d${i}`).find(holds)!,
    };
  }

  /** A device says something, and everybody who is connected has heard it. */
  async say(message: Heard['message'], device: string, namespace = NAMESPACE): Promise<void> {
    const channel = message.type === 'presence' ? 'st' : 'up';
    await this.send(deviceTopic({ namespace, device, channel }), message);
  }

  /** On any topic. */
  async send(topic: string, message: Heard['message']): Promise<void> {
    const bytes = message.type === 'presence' ? encodeMessage('st', message) : encodeMessage('up', message);
    await this.sendTo(topic, bytes);
  }

  async sendBytes(device: string, channel: Channel, bytes: Uint8Array): Promise<void> {
    await this.sendTo(this.topic(device, channel), bytes);
  }

  topic(device: string, channel: Channel): string {
    return deviceTopic({ namespace: NAMESPACE, device, channel });
  }

  /** What a device was told. */
  told(device: string): Message<'dn'>[] {
    return this.heard.filter((h) => h.device === device).map((h) => h.message);
  }

  /** Waits until a device has been told something. */
  async hears(device: string): Promise<void> {
    await until(`${device} is told something`, async () => {
      await this.clock.pass(1);
      return this.told(device).length > 0;
    });
  }

  private async sendTo(topic: string, bytes: Uint8Array): Promise<void> {
    await this.devices.publish(topic, bytes);
    await this.clock.pass(1);
  }
}

const shards = (): string[] => Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** The sum over the labels of a metric, or over those that have these. */
export async function totalOf(
  metric: Counter<string> | Gauge<string>,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const { values } = await metric.get();
  const wanted = values.filter((v) => Object.entries(labels).every(([name, value]) => v.labels[name] === value));
  return wanted.reduce((sum, v) => sum + v.value, 0);
}
