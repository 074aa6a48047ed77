// timeout: 120
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../../sdk/cli/app.ts';
import { COMMANDS } from '../../sdk/cli/commands/index.ts';
import { fakeIo } from '../support/cli-io.ts';
import { enrolled } from '../support/fleet/enrolled.ts';
import { TestController } from '../support/fleet/running.ts';
import { until } from '../support/until.ts';

const test = suite<{ controller: TestController }>('devices');

test.before(async (context) => {
  context.controller = await TestController.start();
});
test.after(({ controller }) => controller.remove());

test('devices are found, looked at, tagged, shut out and forgotten', async ({ controller }) => {
  const line = async (...words: string[]) => {
    const io = fakeIo({ cwd: controller.folder });
    const code = await runCli(['devices', ...words, '--data', controller.folder], COMMANDS, io);
    return { code, out: io.out(), err: io.err() };
  };
  const device = await enrolled(controller, 'cam-1');
  await device.say({
    ...{ type: 'status', epoch: 1, seq: 0, rev: 0, step: 'preflight', done: 0, total: 0 },
    why: 'power: 0 in ac, at least 1 is needed',
  });
  const waits = async (): Promise<boolean> => (await line('list')).out.includes('preflight: power: 0 in ac');
  await until('what the device waits for is listed', waits);
  assert.match((await line('list', '--tag', 'site=lab', '--board', 'pi-5')).out, /cam-1 +pi-5 +yes/);
  assert.match((await line('list', '--state', 'failed')).out, /no such device/);
  assert.is((await line('list', '--tag', 'a=b', '--tag', 'c=d')).code, 2);
  assert.match((await line('show', 'cam-1')).out, /tags +site=lab/);
  assert.match((await line('tag', 'cam-1', '--tag', 'site=berlin')).out, /tags +site=berlin/);
  assert.match((await line('show', 'nobody')).err, /there is no device 'nobody'/);
  assert.match((await line('show')).err, /say which/);
  assert.match((await line('revoke', 'cam-1')).out, /let in no more/);
  assert.match((await line('list')).out, /cam-1 +pi-5 +revoked/);
  await device.transport.close();
  assert.is((await line('remove', 'cam-1')).code, 0);
  assert.match((await line('list')).out, /no such device/);
});

test.run();
