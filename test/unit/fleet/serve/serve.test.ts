// timeout: 120
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sha256 } from '../../../../sdk/util/hash.ts';
import type { Message } from '../../../../sdk/wire/protocol/messages.ts';
import { birth, bytesOfDigest, digestOf } from '../../../support/fleet/messages.ts';
import { TestController, TestDevice } from '../../../support/fleet/running.ts';
import { until } from '../../../support/until.ts';

const test = suite<{ controller: TestController }>('serve');

test.before(async (context) => {
  context.controller = await TestController.start();
});
test.after(({ controller }) => controller.remove());

test('a device enrols, is told what to be, and reports; all of it is in the audit log', async ({ controller }) => {
  const invited = await controller.ask('POST', '/v1/enrolments', { tags: { site: 'lab' }, hours: 1 });
  assert.is(invited.status, 201);
  const enrolled = await controller.ask('POST', '/v1/enrol', { token: invited.body.token, device: 'cam-1' }, '');
  assert.is(enrolled.status, 201);
  assert.is(enrolled.body.broker, controller.running.brokerUrl);
  const again = await controller.ask('POST', '/v1/enrol', { token: invited.body.token, device: 'cam-2' }, '');
  assert.equal([again.status, again.body.error.code], [401, 'EW6201_TOKEN_REFUSED']);

  const device = new TestDevice(controller.running.brokerUrl, 'cam-1', enrolled.body.password);
  try {
    await device.connect();
    await device.presence(1, true);
    await device.say(birth('cam-1', 1).message as Message<'up'>);
    const shown = async () => (await controller.ask('GET', '/v1/devices/cam-1')).body;
    await until('its birth is known', async () => (await shown()).device.board === 'pi-5');
    const { online, tags, desired } = (await shown()).device;
    assert.equal({ online, tags, desired }, { online: true, tags: { site: 'lab' }, desired: null });

    const request = { key: 'try', devices: ['cam-1'], action: 'install', target: digestOf('model') };
    const first = await controller.ask('POST', '/v1/desired', request);
    const second = await controller.ask('POST', '/v1/desired', request);
    assert.equal([first.status, first.body.decided.length, second.body.decided.length], [202, 1, 0]);
    await until('the device hears', () => device.heard.length > 0);
    assert.equal(device.heard, [{ type: 'desired', rev: 1, action: 'install', target: bytesOfDigest('model') }]);
    await device.say({
      type: 'report',
      epoch: 1,
      seq: 1,
      rev: 1,
      outcome: 'committed',
      received: 10,
      running: bytesOfDigest('model'),
    });
    await until('its report is known', async () => (await shown()).device.desired?.state === 'committed');
    assert.is((await shown()).reports[0]?.outcome, 'committed');
  } finally {
    await device.transport.close();
  }
  const audit = await controller.ask('GET', '/v1/audit');
  assert.equal(
    audit.body.entries.map((e) => e.action),
    ['desired', 'device-enrol', 'enrolment-create', 'token-create'],
  );
  assert.equal((await controller.ask('GET', '/v1/audit/verify')).body, { entries: 4, problems: [] });
});

test('nobody says or hears what is of another device', async ({ controller }) => {
  const [mine, other] = [await controller.enrol('mine'), await controller.enrol('other')];
  const refusals = (): string[] =>
    controller.lines.filter((l) => l.event === 'broker-refused').map((l) => String(l.why));
  const spoken = async (topic: string, retain = false): Promise<void> => {
    const device = new TestDevice(controller.running.brokerUrl, 'mine', mine);
    const before = refusals().length;
    await device.connect();
    device.transport.publish(topic, new Uint8Array(1), { qos: 0, retain }).catch(() => undefined);
    await until('the broker says what it refused', () => refusals().length > before);
    await device.transport.close();
  };
  const target = new TestDevice(controller.running.brokerUrl, 'other', other);
  await target.connect();
  await spoken(target.topic('up'));
  await spoken(target.topic('dn'));
  await spoken(target.topic('st'), true);
  const own = new TestDevice(controller.running.brokerUrl, 'mine', mine);
  await spoken(own.topic('dn'));
  await spoken(own.topic('up'), true);
  await own.connect();
  for (const filter of [target.topic('dn'), `${own.topic('dn').slice(0, -7)}+/dn`, '#', '$SYS/#']) {
    const refused = await own.transport.subscribe(filter, 0).catch((e: Error) => e);
    assert.match(String(refused), /does not grant/, filter);
  }
  await own.transport.close();
  await target.transport.close();

  const impostor = new TestDevice(controller.running.brokerUrl, 'mine', other);
  await until('an impostor is refused', () => impostor.problems.length > 0);
  await impostor.transport.close();
  await controller.ask('POST', '/v1/devices/mine/revoke');
  const revoked = new TestDevice(controller.running.brokerUrl, 'mine', mine);
  await until('who was revoked is refused', () => revoked.problems.length > 0);
  assert.not.ok(revoked.transport.connected);
  await revoked.transport.close();
});

test('tokens do what their roles may', async ({ controller }) => {
  const tokenOf = async (role: string): Promise<string> =>
    (await controller.ask('POST', '/v1/tokens', { name: role, role })).body.secret;
  const [viewer, operator, approver] = [await tokenOf('viewer'), await tokenOf('operator'), await tokenOf('approver')];
  const statuses = async (token: string): Promise<number[]> => [
    (await controller.ask('GET', '/v1/fleet', undefined, token)).status,
    (await controller.ask('POST', '/v1/enrolments', {}, token)).status,
    (await controller.ask('GET', '/v1/tokens', undefined, token)).status,
  ];
  assert.equal(await statuses(viewer), [200, 403, 403]);
  assert.equal(await statuses(operator), [200, 201, 403]);
  assert.equal(await statuses(approver), [200, 403, 403]);
  assert.equal(await statuses('nonsense'), [401, 401, 401]);
  const { tokens } = (await controller.ask('GET', '/v1/tokens')).body;
  const id = tokens.find((t) => t.role === 'viewer')?.id;
  assert.is((await controller.ask('DELETE', `/v1/tokens/${id}`)).status, 200);
  assert.equal(await statuses(viewer), [401, 401, 401]);
  assert.not.match(JSON.stringify(tokens), /ewt_/);
});

test('requests that are wrong are told what is wrong', async ({ controller }) => {
  const wrong = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const { status, body: answer } = await controller.ask(method, path, body);
    return [status, answer.error.code, answer.error.message];
  };
  const target = digestOf('x');
  assert.equal(await wrong('POST', '/v1/desired', { key: 'k', devices: ['a'], action: 'explode', target }), [
    400,
    'EW2101_REQUEST_INVALID',
    'body: action: Invalid type: Expected ("install" | "pause" | "abort") but received "explode"',
  ]);
  assert.equal((await wrong('GET', '/v1/devices?limit=x')) as unknown[], [
    400,
    'EW2101_REQUEST_INVALID',
    'query: limit: must be a whole number',
  ]);
  assert.equal(((await wrong('GET', '/v1/devices/nobody')) as unknown[])[0], 404);
  assert.equal(((await wrong('GET', '/v2')) as unknown[])[0], 404);
});

test('it says how it is: health, metrics, the document of its API', async ({ controller }) => {
  assert.equal((await controller.ask('GET', '/healthz')).body, { alive: true });
  assert.equal((await controller.ask('GET', '/readyz')).body, { ready: true, database: true, work: true });
  const { body } = await controller.ask<string>('GET', '/metrics');
  const series = String(body)
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  assert.ok(series.length >= 40, `${series.length} series`);
  const names = new Set(series.map((line) => /^eigenweights_\w+/.exec(line)?.[0]));
  assert.ok(names.size >= 20, `${names.size} of our own`);
  const document = (await controller.ask('GET', '/v1/openapi.json', undefined, '')).body;
  assert.is(document.openapi, '3.1.0');
  assert.ok(document.paths['/v1/devices/{name}']?.patch?.requestBody);
});

test('secrets are for their owner, and one folder has one controller', async ({ controller }) => {
  for (const name of ['admin.token', 'audit.key', 'url'])
    assert.is((await stat(join(controller.folder, name))).mode & 0o077, 0, name);
  const text = JSON.stringify(controller.lines);
  assert.not.match(text, new RegExp(`${controller.token}|ewe_|ewt_`));
  const rows = await controller.running.fleet.database.query<{ hash: string }>(
    `select hash from api_tokens where name = 'first'`,
  );
  assert.equal(rows, [{ hash: sha256(controller.token) }]);
});

test.run();
