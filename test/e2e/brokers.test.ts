// timeout: 420
/** What the link needs of a broker, on brokers as they are installed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Birth, ChunkSource, DeviceLink, transportMetadata } from '../../sdk/device/link/index.ts';
import { BlobServer } from '../../sdk/fleet/blobs/index.ts';
import { MemoryDeviceFileSystem } from '../../sdk/testing/memory-device-fs.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { TcpProxy } from '../../sdk/testing/tcp-proxy.ts';
import { connectMqtt } from '../../sdk/transport/index.ts';
import { systemClock } from '../../sdk/util/clock.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { decodeMessage, encodeMessage, type Message } from '../../sdk/wire/protocol/messages.ts';
import { deviceTopic, everyDevice, parseTopic } from '../../sdk/wire/protocol/topics.ts';
import { BROKERS, type BrokerKind, BrokerProcess } from '../support/broker-process.ts';
import { MemoryBlobs, noise } from '../support/link.ts';
import { joined } from '../support/link-bench.ts';
import { transportCases } from '../support/transport-cases.ts';
import { until, within } from '../support/until.ts';

const NAMES = { namespace: 'test', device: 'device-1' };
const BIRTH: Birth = {
  agent: '1',
  board: 'host',
  slots: [],
  metadata: { root: 1, timestamp: 1, snapshot: 1, targets: 1 },
};

/** All of the protocol once: birth, desired state, a blob and metadata with a break in between, report, presence. */
async function updateOver(port: number): Promise<void> {
  const proxy = await TcpProxy.open(port);
  const common = { random: Math.random, clock: systemClock };
  const [server, controller] = ['server', 'controller'].map((clientId) =>
    connectMqtt({ url: `mqtt://127.0.0.1:${port}`, clientId }),
  ) as [ReturnType<typeof connectMqtt>, ReturnType<typeof connectMqtt>];
  const heard: (Message<'up'> | Message<'st'>)[] = [];
  controller.onMessage(({ topic, payload }) => {
    const parsed = parseTopic(topic);
    if (!('channel' in parsed) || (parsed.channel !== 'up' && parsed.channel !== 'st')) return;
    heard.push(decodeMessage(parsed.channel, payload));
  });
  const hears = (what: string, enough: (m: Message<'up'> | Message<'st'>) => boolean): Promise<void> =>
    until(`the controller hears ${what}`, () => heard.some(enough), { saw: () => heard });
  for (const channel of ['up', 'st'] as const) await controller.subscribe(everyDevice('test', channel), 1);
  await until('server and controller are connected', () => server.connected && controller.connected);
  const blobs = new MemoryBlobs();
  const spec = await blobs.add(noise(8_000_000));
  blobs.addMetadata('root', 1, noise(100_000));
  const serving = await BlobServer.start({ transport: server, namespace: 'test', blobs, metadata: blobs });
  const link = await DeviceLink.open({
    ...NAMES,
    fs: new MemoryDeviceFileSystem(),
    folder: 'link',
    connect: (will) =>
      connectMqtt({ url: `mqtt://127.0.0.1:${proxy.port}`, clientId: NAMES.device, will, random: () => 0.05 }),
    birth: async () => BIRTH,
    clock: systemClock,
  });
  await hears('a birth', (m) => m.type === 'birth' && m.epoch === 0);
  const desired = new Promise<number>((resolve) => void link.onDesired((d) => resolve(d.rev)));
  const message = encodeMessage('dn', { type: 'desired', rev: 4, action: 'install', target: new Uint8Array(32) });
  await controller.publish(deviceTopic({ ...NAMES, channel: 'dn' }), message, { qos: 1 });
  assert.is(await within('a desired state', desired), 4);
  const parts = { ...NAMES, ...common, transport: link.transport };
  const metadata = await transportMetadata(parts).fetch('root', undefined, 200_000);
  assert.is(Buffer.compare(metadata!, noise(100_000)), 0);
  const pieces = new Map<number, Uint8Array>();
  for await (const { index, bytes } of new ChunkSource(parts).fetch(
    spec,
    spec.pieces.map((_, i) => i),
  )) {
    pieces.set(index, bytes.slice());
    if (pieces.size === 40) proxy.cut();
  }
  assert.is(sha256(joined(pieces)), spec.sha256);
  await hears('a will', (m) => m.type === 'presence' && m.epoch === 0 && !m.online);
  await hears('another birth', (m) => m.type === 'birth' && m.epoch === 1 && m.rev === 4);
  await link.report({ outcome: 'committed', received: spec.bytes });
  await hears('a report', (m) => m.type === 'report');
  await link.close();
  await hears('that it leaves', (m) => m.type === 'presence' && m.epoch === 1 && !m.online);
  serving.close();
  await Promise.all([server.close(), controller.close(), proxy.close()]);
}

async function casesOf(kind: BrokerKind): Promise<void> {
  const broker = await BrokerProcess.start(kind);
  if (!broker) {
    test(kind.name, () => skip(kind.name, `${kind.name} is not installed`));
    return;
  }
  test.after(() => broker.stop());
  test(`${kind.name}: an update`, () => updateOver(broker.port));
  for (const version of kind.versions)
    transportCases(test, `${kind.name}, MQTT ${version === 4 ? '3.1.1' : version}`, {
      open: async () => {
        const proxy = await TcpProxy.open(broker.port);
        return {
          connect: (clientId, will) =>
            connectMqtt({
              url: `mqtt://127.0.0.1:${proxy.port}`,
              clientId,
              version,
              random: () => 0.05,
              ...(will ? { will } : {}),
            }),
          cut: () => proxy.cut(),
          close: () => proxy.close(),
        };
      },
    });
}

for (const kind of BROKERS) await casesOf(kind);

test.run();
