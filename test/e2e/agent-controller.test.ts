// timeout: 420
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initKeys } from '../../sdk/app/keys.ts';
import { publishBundle } from '../../sdk/app/publish.ts';
import { connectModel } from '../../sdk/device/client/socket-client.ts';
import { probeHost } from '../../sdk/device/probe.ts';
import { profileDigest } from '../../sdk/device/profile-digest.ts';
import { AGENT_FAMILY } from '../../sdk/wire/assignment.ts';
import { AgentFolder } from '../support/agent-process.ts';
import { four } from '../support/fake-model.ts';
import { TestController } from '../support/fleet/running.ts';
import { bundleOf } from '../support/scale-bundle.ts';
import { until } from '../support/until.ts';

const BOARD = 'raspberry-pi-5';
const NAME = 'camera-1';

interface World {
  readonly controller: TestController;
  /** Folder of the controller. */
  readonly data: string;
  readonly device: AgentFolder;
  /** Lists a bundle as one that devices may run; its SHA-256. */
  publish(factor: number, claimed?: number): Promise<string>;
  /** Wants a bundle on the device. */
  want(target: string): Promise<void>;
  /** How the device reported what was wanted last. */
  ended(...states: readonly string[]): Promise<Ended>;
}

interface Ended {
  readonly state: string;
  readonly code: string | null;
  readonly reason: string | null;
}

/** A controller and an agent with the keys, certificates and passwords that they have in the field. */
async function inFleet(work: (world: World) => Promise<void>, http = false): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'ew-fleet-'));
  await initKeys({ folder: data }, { rootKeys: 1, threshold: 1 });
  const terms = { limits: { p95Milliseconds: 1000 }, shadowInputs: 0, probation: { milliseconds: 100 } };
  const controller = await TestController.start({ data, terms });
  const password = await controller.enrol(NAME);
  const device = await AgentFolder.make();
  await writeFile(join(device.path, 'password'), `${password}\n`);
  await writeFile(join(device.path, 'root.json'), await readFile(join(data, 'metadata/1.root.json')));
  device.configure({
    device: NAME,
    board: BOARD,
    folder: undefined,
    exchangeSeconds: 1,
    controller: {
      namespace: 'test',
      root: 'root.json',
      mqtt: { url: controller.running.brokerUrl, passwordFile: 'password' },
      ...(http ? { http: { url: controller.running.url } } : {}),
    },
  });
  let orders = 0;
  const world: World = {
    controller,
    data,
    device,
    async publish(factor, claimed) {
      const bundle = join(data, `${factor}.ewb`);
      await writeFile(bundle, await bundleOf(factor, claimed));
      return (await publishBundle({ folder: data, bundle, family: 'scale' })).sha256;
    },
    async want(target) {
      const order = { key: `order-${++orders}`, devices: [NAME], action: 'install', target };
      assert.is((await controller.ask('POST', '/v1/desired', order)).status, 202);
    },
    async ended(...states) {
      const shown = async () => (await controller.ask<DeviceAnswer>('GET', `/v1/devices/${NAME}`)).body.device;
      const is = async (): Promise<boolean> => states.includes((await shown()).desired?.state ?? '');
      await until(`the device reports one of ${states}`, is, { saw: shown });
      return (await shown()).desired!;
    },
  };
  try {
    await work(world);
  } finally {
    await device.remove();
    await controller.stop();
    await rm(data, { recursive: true, force: true });
  }
}

interface DeviceAnswer {
  readonly device: {
    readonly online: boolean;
    readonly running: string | null;
    readonly self: string | null;
    readonly profile: string | null;
    readonly desired: Ended | null;
  };
  /** The newest first. */
  readonly reports: readonly { readonly attack?: string | null }[];
}

for (const http of [false, true])
  test(`a model is signed, assigned, fetched ${http ? 'over HTTP' : 'over MQTT'}, and reported`, async () => {
    await inFleet(async ({ controller, device, publish, want, ended }) => {
      const [three, five] = [await publish(3), await publish(5)];
      const agent = device.start();
      await agent.until({ event: 'connected' });
      await want(three);
      await ended('committed');
      const model = await connectModel(device.socket);
      assert.is((await model.run(four(2))).outputs.y!.data[0], 6);
      await want(five);
      await ended('committed');
      assert.is((await model.run(four(2))).outputs.y!.data[0], 10);
      await model.measure({ right: 1 });
      await model.close();
      const shown = async () => (await controller.ask<DeviceAnswer>('GET', `/v1/devices/${NAME}`)).body.device;
      const known = async (): Promise<boolean> => (await shown()).online && (await shown()).running === five;
      await until('the controller knows what runs', known, { saw: shown });
      assert.is(await agent.stop(), 0);
      // What it was told is known without a network.
      const again = device.start();
      await again.until({ event: 'serving', model: five });
      assert.is(await again.stop(), 0);
    }, http);
  });

test('a new agent is signed and assigned like a model, and takes the place of the old one', async () => {
  await inFleet(async ({ controller, data, device, publish, want, ended }) => {
    const agent = device.start({ flags: ['--supervise'] });
    await want(await publish(3));
    await ended('committed');
    const bundle = join(data, 'agent-2.cjs');
    await writeFile(bundle, `${await readFile(device.file, 'utf8')}\n// Another one.\n`);
    const { sha256 } = await publishBundle({ folder: data, bundle, family: AGENT_FAMILY, board: BOARD });
    await want(sha256);
    await agent.until({ event: 'started', agent: sha256 });
    await ended('committed');
    const model = await connectModel(device.socket);
    assert.is((await model.run(four(2))).outputs.y!.data[0], 6);
    await model.close();
    const { body } = await controller.ask<DeviceAnswer>('GET', `/v1/devices/${NAME}`);
    assert.not.equal(body.device.running, sha256);
    assert.equal([body.device.self, body.device.profile], [sha256, profileDigest(probeHost())]);
    assert.is(await agent.stop(), 0);
  });
});

test('a model that does not pass on the device is reported, and the one before runs on', async () => {
  await inFleet(async ({ device, publish, want, ended }) => {
    const [three, wrong] = [await publish(3), await publish(7, 5)];
    const agent = device.start();
    await want(three);
    await ended('committed');
    await want(wrong);
    const { code, reason } = await ended('refused', 'failed', 'rolled-back');
    assert.is(code, 'EW6004_SELF_TEST_FAILED');
    assert.match(reason!, /golden/);
    const model = await connectModel(device.socket);
    assert.is((await model.run(four(2))).outputs.y!.data[0], 6);
    await model.close();
    assert.is(await agent.stop(), 0);
  });
});

/** What somebody does to a file of metadata who has no key, and what a device calls it. */
const TAMPERED: readonly { readonly attack: string; readonly change: (now: Buffer, old: Buffer) => Buffer }[] = [
  { attack: 'rollback', change: (_, old) => old },
  { attack: 'arbitrary-installation', change: (now) => Buffer.from(now.toString().replace(/"sig":"../, '"sig":"00')) },
  {
    attack: 'malformed-metadata',
    change: (now) => Buffer.from(now.toString().replace('"expires":"2', '"expires":"x')),
  },
  { attack: 'withheld', change: () => Buffer.alloc(0) },
  { attack: 'endless-data', change: (now) => Buffer.concat([now, Buffer.alloc(100_000, ' ')]) },
];

test('metadata that somebody changed on the way is refused and named, and the model runs on', async () => {
  await inFleet(async ({ controller, device, publish, want, ended }) => {
    const timestamp = join(controller.folder, 'metadata/timestamp.json');
    const old = await readFile(timestamp);
    const [three, five] = [await publish(3), await publish(5)];
    const now = await readFile(timestamp);
    const agent = device.start();
    await want(three);
    await ended('committed');
    const model = await connectModel(device.socket);
    for (const { attack, change } of TAMPERED) {
      await writeFile(timestamp, change(now, old));
      await want(five);
      await ended('refused');
      const { body } = await controller.ask<DeviceAnswer>('GET', `/v1/devices/${NAME}`);
      assert.is(body.reports[0]?.attack, attack);
      assert.is((await model.run(four(2))).outputs.y!.data[0], 6);
    }
    await writeFile(timestamp, now);
    await want(five);
    await ended('committed');
    assert.is((await model.run(four(2))).outputs.y!.data[0], 10);
    await model.close();
    assert.is(await agent.stop(), 0);
  });
});

test.run();
