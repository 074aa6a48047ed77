// timeout: 180
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initKeys } from '../../sdk/app/keys.ts';
import { enrolDevice } from '../../sdk/device/service/enrol.ts';
import { readAgentConfig } from '../../sdk/device/service/main.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { CLI } from '../support/cli-process.ts';
import { codeOf } from '../support/fake-model.ts';
import { type Answer, TestController } from '../support/fleet/running.ts';

/** A one-time token of a controller with certificates. */
function invite(controller: TestController, ca: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${controller.token}`, 'content-type': 'application/json' };
    const options = { method: 'POST', ca, headers, signal: AbortSignal.timeout(60_000) };
    const asked = request(`${controller.running.url}/v1/enrolments`, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve((JSON.parse(text) as Answer).token));
    });
    asked.on('error', reject);
    asked.end('{}');
  });
}

test('a device makes its key, gets a certificate for its token, and connects with it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ew-enrol-'));
  const data = join(folder, 'fleet');
  await initKeys({ folder: data }, { rootKeys: 1, threshold: 1 });
  const controller = await TestController.start({ data, tls: true });
  let agent: AgentProcess | undefined;
  try {
    const ca = await controller.file('authority.crt');
    const file = join(folder, 'agent.json');
    const mqtt = { url: controller.running.brokerUrl, ca: 'fleet/authority.crt', cert: 'own.crt', key: 'own.key' };
    const upstream = { namespace: 'test', root: 'fleet/metadata/1.root.json', mqtt };
    await writeFile(file, JSON.stringify({ device: 'cam', board: 'b', state: 'state', controller: upstream }));
    const config = await readAgentConfig(file);
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, `${await invite(controller, ca)}\n`);
    const { url } = controller.running;
    const wrote = await enrolDevice({ config, url, tokenFile });
    assert.equal(wrote, [join(folder, 'own.key'), join(folder, 'own.crt')]);
    assert.is((await stat(join(folder, 'own.key'))).mode & 0o777, 0o600);
    assert.match(await readFile(join(folder, 'own.crt'), 'utf8'), /BEGIN CERTIFICATE/);
    assert.is(await codeOf(enrolDevice({ config, url, tokenFile })), 'EW5005_ENROLMENT_FAILED');
    agent = new AgentProcess([...CLI, 'agent', '--config', file]);
    await agent.until({ event: 'connected' });
    assert.is(await agent.stop(), 0);
  } finally {
    await agent?.stop('SIGKILL');
    await controller.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
