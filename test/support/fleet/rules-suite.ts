import * as assert from 'uvu/assert';
import { CONTROLLER } from '../../../sdk/fleet/broker/rules.ts';
import { connectMqtt, type Incoming, type Transport } from '../../../sdk/transport/index.ts';
import { CHANNELS, type Channel, deviceTopic, everyDevice } from '../../../sdk/wire/protocol/topics.ts';
import type { GuardedBroker } from '../guarded-broker.ts';
import { until } from '../until.ts';
import { NAMESPACE } from './controller-suite.ts';

/** Devices that the broker has to know. */
export const RULED = ['mine', 'other'];

const topic = (device: string, channel: Channel): string => deviceTopic({ namespace: NAMESPACE, device, channel });
const everything = ['#', `ew1/${NAMESPACE}/#`, ...CHANNELS.map((c) => everyDevice(NAMESPACE, c))];

/** That a device reads and writes what is its own, and nothing that is of another: by what arrives, whatever the broker answers. */
export async function checkRules(broker: GuardedBroker): Promise<void> {
  const all: Transport[] = [];
  const connect = async (name: string, clientId = name, login = broker.login(name)): Promise<Transport> => {
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const transport = connectMqtt({ url, clientId, random: () => 0.05, ...(await login) });
    all.push(transport);
    return transport;
  };
  const connected = async (name: string, clientId?: string): Promise<Transport> => {
    const transport = await connect(name, clientId);
    await until(`${name} is connected`, () => transport.connected);
    return transport;
  };
  try {
    const controller = await connected(CONTROLLER, 'controller-1');
    const other = await connected('other');
    const [heard, theirs] = [listen(controller), listen(other)];
    for (const channel of ['up', 'st', 'rq'] as const) await controller.subscribe(everyDevice(NAMESPACE, channel), 1);
    for (const channel of ['dn', 'ch'] as const)
      await other.subscribe(topic('other', channel), channel === 'dn' ? 1 : 0);
    await checkOwn(other, controller, heard, theirs);

    // A broker may end the connection of who tries: each has one of its own.
    for (const [device, channel] of [...CHANNELS.map((c) => ['other', c]), ['mine', 'dn'], ['mine', 'ch']] as [
      string,
      Channel,
    ][]) {
      const mine = await connected('mine');
      await mine.publish(topic(device, channel), text('forged')).catch(() => undefined);
      await mine.close();
    }
    const eavesdropping = await connected('mine');
    const mines = listen(eavesdropping);
    for (const filter of [...everything, ...CHANNELS.map((c) => topic('other', c))])
      await eavesdropping.subscribe(filter, 0).catch(() => undefined);
    // What comes after it shows that it did not come.
    await controller.publish(topic('other', 'dn'), text('last'), { qos: 1 });
    await other.publish(topic('other', 'up'), text('last'), { qos: 1 });
    await until('the last messages arrive', () => [heard, theirs].every((h) => h.at(-1)?.endsWith(' last') ?? false), {
      saw: () => [heard, theirs],
    });
    const forged = [...heard, ...theirs, ...mines].filter((h) => h.endsWith('forged'));
    assert.equal(forged, [], 'nothing is heard that was forged');
    assert.equal(mines, [], 'and nothing by who has no right to');
    await checkStrangers((login) => connect('mine', 'mine', login), broker);
  } finally {
    await Promise.all(all.map((t) => t.close()));
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
async function checkStrangers(
  connect: (login: Promise<object>) => Promise<Transport>,
  broker: GuardedBroker,
): Promise<void> {
  const { tls } = await broker.login('mine');
  const strangers = [
    await connect(broker.forgedLogin('mine')),
    await connect(Promise.resolve({ tls: { ca: tls.ca } })),
  ];
  await new Promise((resume) => setTimeout(resume, 1000));
  assert.equal(
    strangers.map((s) => s.connected),
    [false, false],
    'strangers are not let in',
  );
}

function listen(transport: Transport): string[] {
  const heard: string[] = [];
  transport.onMessage((m: Incoming) => void heard.push(`${m.topic} ${new TextDecoder().decode(m.payload)}`));
  return heard;
}

function text(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}
