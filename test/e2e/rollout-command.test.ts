// timeout: 180
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../../sdk/cli/app.ts';
import { COMMANDS } from '../../sdk/cli/commands/index.ts';
import { fakeIo } from '../support/cli-io.ts';
import { enrolled, obey } from '../support/fleet/enrolled.ts';
import { digestOf } from '../support/fleet/messages.ts';
import { TestController, type TestDevice } from '../support/fleet/running.ts';
import { until } from '../support/until.ts';

const test = suite<{ controller: TestController; devices: TestDevice[] }>('rollout');

test.before(async (context) => {
  const controller = await TestController.start();
  const devices = await Promise.all(['cam-1', 'cam-2', 'cam-3', 'cam-4'].map((name) => enrolled(controller, name)));
  const listed = () => controller.ask('GET', '/v1/devices?board=pi-5');
  await until('four devices are known', async () => (await listed()).body.devices.length === 4);
  Object.assign(context, { controller, devices });
});
test.after(async ({ controller, devices }) => {
  await Promise.all(devices.map((d) => d.transport.close()));
  await controller.remove();
});

/** A line of the command, in the controller's data folder. */
async function line(controller: TestController, ...words: string[]) {
  const io = fakeIo({ cwd: controller.folder });
  const code = await runCli(['rollout', ...words, '--data', controller.folder], COMMANDS, io);
  return { code, out: io.out(), err: io.err() };
}

async function describe(controller: TestController, name: string, more: object = {}): Promise<string> {
  const spec = {
    name,
    query: 'tag.site = lab',
    variants: [{ sha256: digestOf('model'), board: 'pi-5' }],
    waves: [{ count: 1 }, { share: 1 }],
    gate: { success: { least: 0.5 }, minExecuted: 1 },
    ...more,
  };
  await writeFile(join(controller.folder, `${name}.json`), JSON.stringify(spec));
  return `${name}.json`;
}

test('plan, start, watch, list, rollback', async ({ controller, devices }) => {
  for (const device of devices) obey(device);
  const file = await describe(controller, 'kws@2');
  const plan = await line(controller, 'plan', file, '--waves', '2,100%', '--control', '1', '--max-errors', '3');
  assert.is(plan.code, 0, plan.err);
  assert.match(plan.out, /canary +2 +cam-\d +pi-5 +[0-9a-f]{8}\n/);
  assert.match(plan.out, /held back +1 /);

  const start = await line(controller, 'start', file);
  assert.match(start.out, /kws@2: CANARY \(canary\), 1 of 1 devices are at it/);
  const watch = await line(controller, 'watch', 'kws@2', '--report', 'page.html');
  assert.is(watch.code, 0, watch.err);
  assert.match(watch.err, /CANARY\n.*cam-\d is to run [0-9a-f]{8}\n.*cam-\d COMMITTED\n.*WAVE 1\n.*DONE\n/s);
  assert.match(watch.out, /kws@2: DONE\n.*wave 1 +3 +3 +0/s);
  assert.match(await readFile(join(controller.folder, 'page.html'), 'utf8'), /Rollout kws@2.*DONE/s);
  assert.match((await line(controller, 'list')).out, /kws@2 +DONE +20/);
  const again = await line(controller, 'start', 'kws@2');
  assert.is(again.code, 7);
  assert.match(again.err, /rollout kws@2 is DONE and cannot be started/);
});

test('a stopped rollout is the verdict of watch; lines of JSON say how it goes', async ({ controller }) => {
  const file = await describe(controller, 'bad', { query: 'tag.site = nowhere' });
  const nobody = await line(controller, 'start', file);
  assert.is(nobody.code, 2);
  assert.match(nobody.err, /query: it finds no device/);
  const wrong = await line(controller, 'plan', file, '--query', 'bord = 1');
  assert.is(wrong.code, 2);
  assert.match(wrong.err, /'bord' is no fact; did you mean board\?/);
  await controller.running.fleet.database.query(
    `update rollouts set phase = 'FAILED', state = state || '{"reason": "too many failed"}' where id = 'kws@2'`,
  );
  const watch = await line(controller, 'watch', 'kws@2', '--json=lines');
  assert.is(watch.code, 7);
  const lines = watch.out
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text));
  assert.equal(lines[0], { event: 'progress', stage: 'wave 1', done: 4, total: 4, note: 'too many failed', t: 0 });
  assert.is(lines.at(-1).error.code, 'EW7302_ROLLOUT_STOPPED');
});

test('words that are missing or wrong are said', async ({ controller }) => {
  assert.match((await line(controller, 'fly')).err, /rollout fly: expected plan or start/);
  assert.match((await line(controller, 'watch')).err, /rollout watch: say which/);
  assert.match((await line(controller, 'watch', 'none')).err, /there is no rollout 'none'/);
  assert.match(
    (await line(controller, 'plan', 'x.json', '--waves', '0')).err,
    /--waves 0: expected a number of devices/,
  );
});

test.run();
