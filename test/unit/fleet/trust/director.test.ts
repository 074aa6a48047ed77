// timeout: 120
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { initKeys, rotateKeys } from '../../../../sdk/app/keys.ts';
import { HttpFolder } from '../../../../sdk/device/link/http.ts';
import { httpMetadata, transportMetadata } from '../../../../sdk/device/link/metadata-sources.ts';
import type { MetadataSource } from '../../../../sdk/device/trust/source.ts';
import { Trust } from '../../../../sdk/device/trust/trust.ts';
import { MetadataStore, Repository, readKeys } from '../../../../sdk/fleet/trust/index.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { systemClock } from '../../../../sdk/util/clock.ts';
import { birth } from '../../../support/fleet/messages.ts';
import { NAMESPACE, TestController, TestDevice } from '../../../support/fleet/running.ts';
import { listed, pathOf } from '../../../support/trust-world.ts';
import { until } from '../../../support/until.ts';
import { blobOf } from '../../../support/versions.ts';

const BOARD = 'pi-5';

interface Running {
  controller: TestController;
  device: TestDevice;
  trust: Trust;
  mqtt: MetadataSource;
  http: MetadataSource;
  folder: HttpFolder;
}

const test = suite<Running>('director');

/** What the fleet decides for the device. */
async function decide({ controller }: Running, key: string, action: string, version: number): Promise<void> {
  const target = blobOf(version).sha256;
  const { status } = await controller.ask('POST', '/v1/desired', { key, devices: ['cam-1'], action, target });
  assert.is(status, 202);
}

test.before(async (context) => {
  const terms = { limits: { p95Milliseconds: 40 }, shadowInputs: 2, probation: { milliseconds: 5000 } };
  const controller = await TestController.start({ terms });
  const device = new TestDevice(controller.running.brokerUrl, 'cam-1', await controller.enrol('cam-1'));
  await device.connect();
  await device.say(birth('cam-1', 1).message as Parameters<TestDevice['say']>[0]);
  const { transport } = device;
  const parts = { transport, namespace: NAMESPACE, device: 'cam-1', clock: systemClock, random: () => 0 };
  const folder = new HttpFolder({ url: controller.running.url });
  Object.assign(context, { controller, device, folder, mqtt: transportMetadata(parts), http: httpMetadata(folder) });
});

test.after(async ({ controller, device, folder }) => {
  folder.close();
  await device.transport.close();
  await controller.remove();
});

test('a fleet without keys has no metadata', async ({ mqtt, http }) => {
  for (const source of [mqtt, http]) assert.is(await source.fetch('timestamp', undefined, 1000), undefined);
});

test('what the fleet decides is assigned over MQTT and HTTP alike', async (context) => {
  const { controller, mqtt, http } = context;
  await initKeys({ folder: controller.folder }, { rootKeys: 1, threshold: 1 });
  const store = new MetadataStore(`${controller.folder}/metadata`);
  const ring = await readKeys([`${controller.folder}/keys`]);
  const bundles = [1, 2].map((version) => [pathOf(version), listed(version, { board: BOARD })] as const);
  await (await Repository.open(store)).list(Object.fromEntries(bundles), ring);
  await decide(context, 'first', 'install', 1);
  const root = (await store.read('root', 1))!.bytes;
  for (const source of [mqtt, http]) {
    const trust = await Trust.open(new CrashFileSystem(), 'trust', { root, device: 'cam-1', board: BOARD });
    await until('an assignment is signed', async () => (await trust.refresh(source, Date.now())) !== undefined);
    const { blob, release, limits, shadowInputs, probation } = trust.assignment!;
    assert.equal(blob, blobOf(1));
    assert.equal([release, limits.p95Milliseconds, shadowInputs, probation.milliseconds], [1, 40, 2, 5000]);
    context.trust = trust;
  }
});

test('the next decision is the next release; a pause leaves everything as it is', async (context) => {
  const { trust, http } = context;
  await decide(context, 'second', 'install', 2);
  assert.equal((await trust.refresh(http, Date.now()))?.blob, blobOf(2));
  await decide(context, 'third', 'pause', 2);
  assert.is(await trust.refresh(http, Date.now()), undefined);
  await decide(context, 'fourth', 'install', 2);
  assert.is((await trust.refresh(http, Date.now()))?.release, 4);
});

test('what is not listed for the board is not signed, and said', async (context) => {
  const { trust, http, controller } = context;
  await decide(context, 'fifth', 'install', 3);
  assert.is((await trust.refresh(http, Date.now()))?.release, 4);
  assert.ok(controller.lines.some((l) => l.event === 'bundle-unlisted' && l.device === 'cam-1'));
});

test('a director with another key signs anew at once', async (context) => {
  const { trust, http, controller } = context;
  await decide(context, 'sixth', 'install', 1);
  await rotateKeys({ folder: controller.folder }, 'director');
  await until(
    'the new key signs',
    async () => (await trust.refresh(http, Date.now()).catch(() => undefined))?.release === 6,
  );
  assert.is(trust.versions.root, 2);
});

test('a rollout has terms of its own', async (context) => {
  const { trust, http, controller } = context;
  await until(
    'its birth is known',
    async () => (await controller.ask('GET', '/v1/devices/cam-1')).body.device.board === BOARD,
  );
  const spec = {
    ...{ name: 'kws', query: 'all', waves: [{ share: 1 }], variants: [{ sha256: blobOf(2).sha256, board: BOARD }] },
    ...{ limits: { modelBytes: 1e6 }, shadowInputs: 0, probationMilliseconds: 1000 },
  };
  await controller.ask('POST', '/v1/rollouts', spec);
  await controller.ask('POST', '/v1/rollouts/kws/actions', { action: 'start' });
  const assigned = async (release: number): Promise<void> =>
    until(`release ${release} is assigned`, async () => (await trust.refresh(http, Date.now()))?.release === release);
  await assigned(7);
  const { blob, limits, shadowInputs, probation } = trust.assignment!;
  assert.is(blob.sha256, blobOf(2).sha256);
  assert.equal([limits, shadowInputs, probation.milliseconds], [{ modelBytes: 1e6 }, 0, 1000]);
});

test.run();
