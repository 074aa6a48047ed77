// timeout: 120
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FleetClient } from '../../../sdk/app/fleet-client.ts';
import { delegateTo, initKeys } from '../../../sdk/app/keys.ts';
import { type PublishRequest, publishBundle, withdrawBundle } from '../../../sdk/app/publish.ts';
import type { ControllerPlace } from '../../../sdk/app/publish-places.ts';
import { presentTargets, type RemoteFleet } from '../../../sdk/app/remote-metadata.ts';
import { changeTargets } from '../../../sdk/app/remote-targets.ts';
import { packBundle } from '../../../sdk/bundle/index.ts';
import { runCli } from '../../../sdk/cli/app.ts';
import { COMMANDS } from '../../../sdk/cli/commands/index.ts';
import { MetadataStore, readKeys } from '../../../sdk/fleet/trust/index.ts';
import type { EigenError } from '../../../sdk/util/errors.ts';
import { sha256 } from '../../../sdk/util/hash.ts';
import { fakeIo } from '../../support/cli-io.ts';
import { TestController } from '../../support/fleet/running.ts';
import { smallSpec } from '../../support/small-bundle.ts';

const BOARD = 'raspberry-pi-4b';

/** A controller without the keys of targets, and the machine of somebody who has them and nothing else of the fleet. */
interface Scene {
  readonly controller: TestController;
  readonly home: string;
  readonly place: ControllerPlace;
}

const test = suite<Scene>('publishing to a controller elsewhere');

test.before(async (context) => {
  const controller = await TestController.start();
  const home = await mkdtemp(join(tmpdir(), 'eigenweights-home-'));
  await initKeys({ folder: controller.folder }, { rootKeys: 1, threshold: 1 });
  await delegateTo({ folder: controller.folder }, 'team', ['team/*/*']);
  await mkdir(join(home, 'keys'));
  for (const name of await readdir(join(controller.folder, 'keys')))
    if (/^(root|targets|team)-/.test(name))
      await rename(join(controller.folder, 'keys', name), join(home, 'keys', name));
  await writeFile(join(home, 'root.json'), await controller.file('metadata/1.root.json'));
  await writeFile(join(home, 'old.ewb'), packBundle(smallSpec()));
  await writeFile(join(home, 'new.ewb'), packBundle(smallSpec({ toolVersion: '0.2.0' })));
  await writeFile(join(home, 'token'), await tokenOf(controller, 'operator'));
  const place = {
    client: await FleetClient.open({ url: controller.running.url, tokenFile: join(home, 'token') }, {}),
    root: join(home, 'root.json'),
    keys: [join(home, 'keys')],
  };
  Object.assign(context, { controller, home, place } satisfies Scene);
});
test.after(async ({ controller, home }) => {
  await controller.remove();
  await rm(home, { recursive: true, force: true });
});

async function tokenOf(controller: TestController, role: string): Promise<string> {
  return (await controller.ask('POST', '/v1/tokens', { name: role, role })).body.secret;
}

async function listedPaths({ controller }: Scene): Promise<string[]> {
  const { body } = await controller.ask<{ bundles: { path: string }[] }>('GET', '/v1/bundles');
  return body.bundles.map((b) => b.path);
}

async function publications({ controller }: Scene): Promise<number> {
  const { entries } = (await controller.ask('GET', '/v1/audit')).body;
  return entries.filter((e) => e.action === 'targets-publish').length;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (e: EigenError) => e.code,
  );
}

test('a bundle and a delta are brought, listed once however often it is said, and withdrawn', async (scene) => {
  const { controller, home, place } = scene;
  const [old, now] = [join(home, 'old.ewb'), join(home, 'new.ewb')];
  const request: PublishRequest = { ...place, bundle: now, family: 'kws', from: [old] };
  const report = await publishBundle(request);
  assert.is(report.path, `kws/${BOARD}/new.ewb`);
  assert.equal(await listedPaths(scene), [report.path]);
  for (const blob of [report, report.deltas[0]!]) {
    const response = await fetch(`${controller.running.url}/blobs/${blob.sha256}`);
    assert.is(sha256(new Uint8Array(await response.arrayBuffer())), blob.sha256);
  }
  assert.is(report.deltas[0]!.from, sha256(await readFile(old)));
  assert.equal(await publishBundle(request), report);
  assert.is(await publications(scene), 1);
  assert.is((await withdrawBundle(place, report.path)).version, report.version + 1);
  assert.equal(await listedPaths(scene), []);
  assert.is(await codeOf(withdrawBundle(place, report.path)), 'EW8103_ROLES_INVALID');
  assert.is(await publications(scene), 2);
});

test('several may publish at the same time, each role for its own paths', async (scene) => {
  const { home, place } = scene;
  const bundle = join(home, 'new.ewb');
  const before = await publications(scene);
  const names = ['a', 'b', 'c'].map((name) => ({ ...place, bundle, family: 'kws', name }));
  await Promise.all([
    ...names.map((request) => publishBundle(request)),
    publishBundle({ ...place, bundle, family: 'team', role: 'team' }),
  ]);
  const paths = ['kws', 'team'].map((family) => `${family}/${BOARD}/`);
  assert.equal(await listedPaths(scene), [`${paths[0]}a`, `${paths[0]}b`, `${paths[0]}c`, `${paths[1]}new.ewb`]);
  assert.is(await publications(scene), before + 4);
  const foreign = publishBundle({ ...place, bundle, family: 'kws', name: 'd', role: 'team' });
  assert.is(await codeOf(foreign), 'EW8105_TARGETS_REFUSED');
});

test('who cannot sign brings nothing', async (scene) => {
  const { controller, home, place } = scene;
  const bundle = join(home, 'unsigned.ewb');
  await writeFile(bundle, packBundle(smallSpec({ toolVersion: '0.3.0' })));
  const request = { ...place, bundle, family: 'kws' };
  for (const [change, code] of [
    [{ keys: [] }, 'EW8102_SIGNATURES_MISSING'],
    [{ role: 'team' }, 'EW8105_TARGETS_REFUSED'],
    [{ role: 'nobody' }, 'EW8103_ROLES_INVALID'],
    [{ root: join(home, 'none.json') }, 'EW1002_FILE_NOT_FOUND'],
  ] as const)
    assert.is(await codeOf(publishBundle({ ...request, ...change })), code);
  const response = await fetch(`${controller.running.url}/blobs/${sha256(await readFile(bundle))}`);
  assert.is(response.status, 404);
});

test('nothing is signed for a fleet that is not the trusted one, or without the keys; nor taken from who may not', async (scene) => {
  const { controller, home, place } = scene;
  const request = { bundle: join(home, 'old.ewb'), family: 'kws' };
  await initKeys({ folder: join(home, 'other') }, { rootKeys: 1, threshold: 1 });
  const root = join(home, 'other/metadata/1.root.json');
  assert.is(await codeOf(publishBundle({ ...place, ...request, root })), 'EW7006_METADATA_REFUSED');
  assert.is(await codeOf(publishBundle({ ...place, ...request, keys: [] })), 'EW8102_SIGNATURES_MISSING');
  await writeFile(join(home, 'viewer'), await tokenOf(controller, 'viewer'));
  const client = await FleetClient.open({ url: controller.running.url, tokenFile: join(home, 'viewer') }, {});
  assert.is(await codeOf(publishBundle({ ...place, ...request, client })), 'EW6202_NOT_ALLOWED');
  // Nor from a controller that shows what was valid once: it would list again what was withdrawn.
  const metadata = join(controller.folder, 'metadata');
  const [before, name] = [join(home, 'before'), `kws/${BOARD}/old.ewb`];
  await cp(metadata, before, { recursive: true });
  await publishBundle({ ...place, ...request });
  await withdrawBundle(place, name);
  await rename(metadata, join(home, 'after'));
  await rename(before, metadata);
  const old = await publishBundle({ ...place, ...request }).catch((e: EigenError) => e.details?.attack);
  await rename(metadata, before);
  await rename(join(home, 'after'), metadata);
  assert.is(old, 'rollback');
  // What is listed is there: nobody leads devices to what they cannot fetch.
  const missing = { sha256: 'f'.repeat(64), bytes: 1, pieces: [{ bytes: 1, sha256: 'f'.repeat(64) }] };
  const signer = {
    ...{ client: place.client, root: new Uint8Array(await readFile(place.root)), ring: await readKeys(place.keys!) },
    ...{ seen: new MetadataStore(join(home, 'seen')), now: Date.now },
  };
  const listing = changeTargets(signer, 'targets', (targets) => ({
    ...targets,
    [`kws/${BOARD}/x`]: { family: 'kws', board: BOARD, blob: missing },
  }));
  assert.is(await codeOf(listing), 'EW8105_TARGETS_REFUSED');
});

test('what somebody else has seen meanwhile is kept', async ({ controller, home, place }) => {
  const metadata = join(controller.folder, 'metadata');
  await cp(metadata, join(home, 'earlier'), { recursive: true });
  await publishBundle({ ...place, bundle: join(home, 'new.ewb'), family: 'kws', name: 'later' });
  const [earlier, later] = [new MetadataStore(join(home, 'earlier')), new MetadataStore(metadata)];
  const seen = new MetadataStore(join(home, 'seen-by-two'));
  const source: RemoteFleet['source'] = {
    async fetch(role, version) {
      if (role === 'snapshot') await seen.write('timestamp', (await later.read('timestamp'))!.bytes);
      return (await earlier.read(role, version))?.bytes;
    },
  };
  const root = new Uint8Array(await readFile(place.root));
  await presentTargets({ source, root, seen, now: Date.now }, 'targets');
  const versions = await Promise.all([later, seen, earlier].map(async (s) => (await s.read('timestamp'))!.version));
  assert.equal(versions, [versions[0], versions[0], versions[0]! - 1]);
});

test('the commands take an address in place of a folder', async (scene) => {
  const { controller, home } = scene;
  const line = async (...words: string[]) => {
    const io = fakeIo({ cwd: home });
    return { code: await runCli(words, COMMANDS, io), out: io.out(), err: io.err() };
  };
  const { url } = controller.running;
  const flags = ['--key', 'keys', '--root', 'root.json', '--token-file', 'token'];
  const unsafe = await line('publish', 'old.ewb', url, '--family', 'kws', '--token-file', 'token');
  assert.match(unsafe.err, /without --root/);
  const published = await line('publish', 'old.ewb', url, '--family', 'kws', ...flags);
  assert.is(published.code, 0, published.err);
  assert.match(published.out, new RegExp(`kws/${BOARD}/old.ewb`));
  const withdrawn = await line('withdraw', `kws/${BOARD}/old.ewb`, url, ...flags);
  assert.is(withdrawn.code, 0, withdrawn.err);
  assert.not((await listedPaths(scene)).includes(`kws/${BOARD}/old.ewb`));
});

test.run();
