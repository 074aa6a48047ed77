// timeout: 120
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Preview } from '../../../../../sdk/fleet/rollout/preview.ts';
import type { RolloutEvent } from '../../../../../sdk/fleet/rollout/service.ts';
import type { Summary } from '../../../../../sdk/fleet/rollout/summary.ts';
import { enrolled, obey } from '../../../../support/fleet/enrolled.ts';
import { bytesOfDigest, digestOf } from '../../../../support/fleet/messages.ts';
import { specOf } from '../../../../support/fleet/rollout-simulation.ts';
import { type Answer, TestController } from '../../../../support/fleet/running.ts';
import { until } from '../../../../support/until.ts';

const test = suite<{ controller: TestController }>('rollouts');

test.before(async (context) => {
  context.controller = await TestController.start();
});
test.after(({ controller }) => controller.remove());

const NAMES = ['cam-1', 'cam-2', 'cam-3'];

test('from a plan to the end over the API', async ({ controller }) => {
  const devices = await Promise.all(NAMES.map((name) => enrolled(controller, name)));
  try {
    for (const device of devices) obey(device);
    const listed = async () => (await controller.ask('GET', '/v1/devices?board=pi-5')).body.devices;
    await until('three devices are known', async () => (await listed()).length === 3);
    const spec = specOf({
      name: 'kws@2',
      query: 'tag.site = lab',
      waves: [{ count: 1 }, { share: 1 }],
      variants: [{ sha256: digestOf('model'), board: 'pi-5' }],
      gate: { success: { least: 0.5 } },
    });
    const plan = await controller.ask<Preview>('POST', '/v1/rollouts/plan', spec);
    assert.equal(
      plan.body.waves.map((w) => w.devices.length),
      [1, 2],
    );
    assert.equal(plan.body.warnings, []);

    const made = await controller.ask<Summary>('POST', '/v1/rollouts', spec);
    assert.equal([made.status, made.body.id, made.body.phase], [201, 'kws@2', 'DRAFT']);
    const path = '/v1/rollouts/kws%402';
    const started = await controller.ask<Summary>('POST', `${path}/actions`, { action: 'start' });
    assert.is(started.body.phase, 'CANARY');
    const shown = async () => (await controller.ask<Summary>('GET', path)).body;
    await until('the rollout is done', async () => (await shown()).phase === 'DONE', { saw: shown });
    assert.equal(
      (await shown()).waves.map((w) => w.committed),
      [1, 2],
    );
    const { body } = await controller.ask<{ events: RolloutEvent[] }>('GET', `${path}/events`);
    assert.is(body.events.filter((e) => e.decision.kind === 'offer').length, 3);
    assert.equal(
      devices.map((d) => d.heard[0]?.target),
      devices.map(() => bytesOfDigest('model')),
    );
    const again = await controller.ask('POST', `${path}/actions`, { action: 'start' });
    assert.equal([again.status, again.body.error.code], [409, 'EW7301_ROLLOUT_STATE']);
  } finally {
    await Promise.all(devices.map((d) => d.transport.close()));
  }
});

test('roles: who makes a rollout does not approve it, and who only looks does neither', async ({ controller }) => {
  const token = async (role: string) => (await controller.ask('POST', '/v1/tokens', { name: role, role })).body.secret;
  const [operator, approver, viewer] = [await token('operator'), await token('approver'), await token('viewer')];
  const spec = specOf({ name: 'asked', approval: true, waves: [{ share: 1 }], gate: { success: { least: 0.2 } } });
  const status = async (path: string, body: unknown, secret: string): Promise<number> =>
    (await controller.ask('POST', path, body, secret)).status;
  assert.is(await status('/v1/rollouts', spec, viewer), 403);
  assert.is(await status('/v1/rollouts', spec, approver), 403);
  assert.is(await status('/v1/rollouts', spec, operator), 201);
  assert.is(await status('/v1/rollouts/asked/actions', { action: 'start' }, operator), 409);
  assert.is(await status('/v1/rollouts/asked/approve', {}, operator), 403);
  assert.is(await status('/v1/rollouts/asked/approve', {}, approver), 200);
  assert.is(await status('/v1/rollouts/asked/actions', { action: 'start' }, viewer), 403);
  assert.is(await status('/v1/rollouts/asked/actions', { action: 'fly' }, operator), 400);
  assert.is(await status('/v1/rollouts/none/actions', { action: 'start' }, operator), 404);
  const wrong = await controller.ask<Answer>('POST', '/v1/rollouts', { ...spec, query: 'bord = 1' }, operator);
  assert.match(wrong.body.error.message, /query: query, character 1: 'bord' is no fact/);
  const agent = await controller.ask<Answer>('POST', '/v1/rollouts/plan', { ...spec, kind: 'agent' }, viewer);
  assert.match(agent.body.error.message, /kind: [0-9a-f]{64} is listed as no agent/);
  const audit = await controller.ask('GET', '/v1/audit');
  const actions = audit.body.entries.map((e) => e.action).filter((a) => a.startsWith('rollout-'));
  assert.equal(actions.slice(0, 2), ['rollout-approve', 'rollout-create']);
});

test.run();
