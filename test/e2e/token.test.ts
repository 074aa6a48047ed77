// timeout: 120
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../../sdk/cli/app.ts';
import { COMMANDS } from '../../sdk/cli/commands/index.ts';
import { fakeIo } from '../support/cli-io.ts';
import { TestController } from '../support/fleet/running.ts';

const test = suite<{ controller: TestController }>('token');

test.before(async (context) => {
  context.controller = await TestController.start();
});
test.after(({ controller }) => controller.remove());

async function line({ folder }: TestController, ...words: string[]) {
  const io = fakeIo({ cwd: folder });
  const code = await runCli(['token', ...words], COMMANDS, io);
  return { code, out: io.out(), err: io.err() };
}

test('a token is told once, opens what its role may, and nothing once it is revoked', async ({ controller }) => {
  const made = await line(
    controller,
    'create',
    'ci',
    '--role',
    'viewer',
    '--days',
    '2',
    '--data',
    controller.folder,
    '--json',
  );
  assert.is(made.code, 0, made.err);
  const { id, secret, role, expires, created } = JSON.parse(made.out).data;
  assert.is(role, 'viewer');
  assert.is(expires - created, 2 * 86_400_000);
  const file = join(controller.folder, 'viewer.token');
  await writeFile(file, `${secret}\n`);
  const by = ['--url', controller.running.url, '--token-file', file];
  assert.is((await controller.ask('GET', '/v1/fleet', undefined, secret)).status, 200);
  const refused = await line(controller, 'list', ...by);
  assert.match(refused.err, /viewer 'ci' may not do this: it takes admin/);

  const list = await line(controller, 'list', '--data', controller.folder);
  assert.match(list.out, new RegExp(`${id} +viewer .* ci\n`));
  assert.not.match(list.out + JSON.stringify(controller.lines), new RegExp(secret));
  const audit = await controller.ask('GET', '/v1/audit');
  assert.not.match(JSON.stringify(audit.body), new RegExp(secret));

  assert.is((await line(controller, 'revoke', id, '--data', controller.folder)).code, 0);
  assert.is((await controller.ask('GET', '/v1/fleet', undefined, secret)).status, 401);
  assert.match((await line(controller, 'list', '--data', controller.folder)).out, new RegExp(`${id} .*revoked 20`));
});

test('what is missing or unknown is said', async ({ controller }) => {
  const data = ['--data', controller.folder];
  assert.match((await line(controller, 'create', 'ci', ...data)).err, /say what its holder may do/);
  assert.match((await line(controller, 'create', ...data)).err, /say what it is called/);
  assert.match((await line(controller, 'create', 'ci', '--role', 'king', ...data)).err, /king/);
  assert.match((await line(controller, 'revoke', 'abc', ...data)).err, /there is no token 'abc'/);
});

test.run();
