// timeout: 300
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initKeys } from '../../sdk/app/keys.ts';
import { enrolDevice } from '../../sdk/device/service/enrol.ts';
import { readAgentConfig } from '../../sdk/device/service/main.ts';
import { certificatesIn } from '../../sdk/fleet/serve/certificates.ts';
import { DataFolder } from '../../sdk/fleet/serve/folder.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { BROKERS, BrokerProcess } from '../support/broker-process.ts';
import { CLI, cli } from '../support/cli-process.ts';
import { TestController } from '../support/fleet/running.ts';
import { until } from '../support/until.ts';

test('mosquitto with the rules that the command writes: a device enrols and is seen by its controller', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ew-external-'));
  const data = join(folder, 'fleet');
  const ending: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    await initKeys({ folder: data }, { rootKeys: 1, threshold: 1 });
    // The authority is there before the controller: the broker is to know it.
    const opened = await DataFolder.open(data);
    const { authority, server } = await certificatesIn(opened, ['127.0.0.1'], Date.now());
    await opened.close();
    const written = cli(folder, 'broker-rules', 'mosquitto', '--namespace', 'test');
    assert.is(written.status, 0, written.stderr);
    const guard = { rules: written.stdout, ca: authority.certificate, cert: server.certificate, key: server.key };
    const broker = await BrokerProcess.start(BROKERS.find((b) => b.rules === 'mosquitto')!, guard);
    if (!broker) return skip('mosquitto', 'mosquitto is not installed: apt install mosquitto');
    ending.push(() => broker.stop());
    const external = { url: `mqtts://127.0.0.1:${broker.port}`, ca: Buffer.from(authority.certificate) };
    const controller = await TestController.start({ data, tls: true, broker: external });
    ending.push(() => controller.stop());
    assert.ok(controller.running.controller.ready, JSON.stringify(controller.lines));

    const { secret } = await controller.running.fleet.enrolment.invite({}, Date.now(), 600_000);
    await writeFile(join(folder, 'token'), secret);
    const mqtt = { url: external.url, ca: 'fleet/authority.crt', cert: 'own.crt', key: 'own.key' };
    const upstream = { namespace: 'test', root: 'fleet/metadata/1.root.json', mqtt };
    const file = join(folder, 'agent.json');
    await writeFile(file, JSON.stringify({ device: 'cam', board: 'b', state: 'state', controller: upstream }));
    const config = await readAgentConfig(file);
    await enrolDevice({ config, url: controller.running.url, tokenFile: join(folder, 'token') });
    const agent = new AgentProcess([...CLI, 'agent', '--config', file]);
    ending.push(() => agent.stop('SIGKILL'));
    await agent.until({ event: 'connected' });
    const seen = () => controller.running.fleet.database.query('select name, board, closed from devices');
    const there = async (): Promise<boolean> => JSON.stringify(await seen()).includes('"board":"b","closed":false');
    await until('the controller sees the device', there, { saw: seen });
    assert.is(await agent.stop(), 0);
    assert.match(await readFile(join(folder, 'own.crt'), 'utf8'), /BEGIN CERTIFICATE/);
  } finally {
    for (let end = ending.pop(); end; end = ending.pop()) await end();
  }
});

test.run();
