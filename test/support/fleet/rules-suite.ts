import * as assert from 'uvu/assert';
import { CONTROLLER } from '../../../sdk/fleet/broker/rules.ts';
import { connectMqtt, type Incoming, type MqttOptions, type Transport } from '../../../sdk/transport/index.ts';
import { CHANNELS, type Channel, deviceTopic, everyDevice } from '../../../sdk/wire/protocol/topics.ts';
import type { GuardedBroker } from '../guarded-broker.ts';
import { until } from '../until.ts';
import { NAMESPACE } from './controller-suite.ts';

/** Devices that the broker has to know. */
export const RULED = ['mine', 'other'];

const topic = (device: string, channel: Channel): string => deviceTopic({ namespace: NAMESPACE, device, channel });

/** What `mine` tries to say: as somebody else, and as its controller. */
const FORGED: readonly (readonly [string, Channel])[] = [
  ...CHANNELS.map((c) => ['other', c] as const),
  ['mine', 'dn'],
  ['mine', 'ch'],
];
/** And to hear. */
const OVERHEARD = [
  ...['#', `ew1/${NAMESPACE}/#`, '+/+/+/+/+'],
  // By which some brokers deliver.
  ...['$MQTT/#', '$MQTT/sub/#', '$MQTT/sub/+', '$share/mine/#', '$SYS/#'],
  ...CHANNELS.map((c) => everyDevice(NAMESPACE, c)),
  ...CHANNELS.map((c) => topic('other', c)),
];

type Login = Promise<Pick<MqttOptions, 'tls'>>;

/** Who is on a broker. */
class People {
  readonly all: Transport[] = [];
  private readonly broker: GuardedBroker;

  constructor(broker: GuardedBroker) {
    this.broker = broker;
  }

  async connect(clientId: string, login: Login, more: Partial<MqttOptions> = {}): Promise<Transport> {
    const url = `mqtts://127.0.0.1:${this.broker.port}`;
    const transport = connectMqtt({ url, clientId, random: () => 0.05, ...(await login), ...more });
    this.all.push(transport);
    return transport;
  }

  async connected(name: string, clientId = name): Promise<Transport> {
    const transport = await this.connect(clientId, this.broker.login(name));
    await until(`${name} is connected`, () => transport.connected);
    return transport;
  }
}

/** That a device reads and writes what is its own, and nothing that is of another: by what arrives, whatever the broker answers. */
export async function checkRules(broker: GuardedBroker): Promise<void> {
  const people = new People(broker);
  try {
    const controller = await people.connected(CONTROLLER, 'controller-1');
    const other = await people.connected('other');
    const [heard, theirs] = [listen(controller), listen(other)];
    for (const channel of ['up', 'st', 'rq'] as const) await controller.subscribe(everyDevice(NAMESPACE, channel), 1);
    for (const channel of ['dn', 'ch'] as const)
      await other.subscribe(topic('other', channel), channel === 'dn' ? 1 : 0);
    await checkOwn(other, controller, heard, theirs);
    /** Returns when both have heard each other: so would have then who should not. */
    const say = async (words: string): Promise<void> => {
      await controller.publish(topic('other', 'dn'), text(words), { qos: 1 });
      await other.publish(topic('other', 'up'), text(words), { qos: 1 });
      const arrived = (): boolean => [heard, theirs].every((h) => h.at(-1)?.endsWith(` ${words}`));
      await until('messages arrive', arrived, { saw: () => [heard, theirs] });
    };
    // A broker may end the connection of who tries: each try has one of its own.
    for (const [device, channel] of FORGED) {
      const mine = await people.connected('mine');
      await mine.publish(topic(device, channel), text('forged')).catch(() => undefined);
      await mine.close();
    }
    await say('last');
    const forged = [...heard, ...theirs].filter((h) => h.endsWith('forged'));
    assert.equal(forged, [], 'nobody hears what was forged');
    for (const filter of OVERHEARD) {
      const mine = await people.connected('mine');
      const mines = listen(mine);
      await mine.subscribe(filter, 0).catch(() => undefined);
      await say(filter);
      await mine.close();
      assert.equal(mines, [], `${filter} lets nobody hear what is of another`);
    }
    await checkStrangers(people, broker);
  } finally {
    await Promise.all(people.all.map((t) => t.close()));
  }
}

/** A device and its controller hear each other. */
async function checkOwn(other: Transport, controller: Transport, heard: string[], theirs: string[]): Promise<void> {
  for (const channel of ['up', 'st', 'rq'] as const)
    await other.publish(topic('other', channel), text('own'), { qos: 1, retain: channel === 'st' });
  for (const channel of ['dn', 'ch'] as const)
    await controller.publish(topic('other', channel), text('own'), { qos: channel === 'dn' ? 1 : 0 });
  await until('a device and its controller hear each other', () => heard.length === 3 && theirs.length === 2, {
    saw: () => [heard, theirs],
  });
}

/** Who has no certificate, or one of another authority, is not let in. */
async function checkStrangers(people: People, broker: GuardedBroker): Promise<void> {
  const { tls } = await broker.login('mine');
  for (const login of [await broker.forgedLogin('mine'), { tls: { ca: tls.ca! } }]) {
    let refused = 0;
    const stranger = await people.connect('mine', Promise.resolve(login), { onProblem: () => refused++ });
    await until('a stranger is refused', () => refused > 0);
    assert.not.ok(stranger.connected);
    await stranger.close();
  }
}

function listen(transport: Transport): string[] {
  const heard: string[] = [];
  transport.onMessage((m: Incoming) => void heard.push(`${m.topic} ${new TextDecoder().decode(m.payload)}`));
  return heard;
}

function text(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}
