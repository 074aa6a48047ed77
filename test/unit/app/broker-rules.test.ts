// timeout: 120
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BrokerRulesRequest, brokerRules, enrolledDevices } from '../../../sdk/app/broker-rules.ts';
import { FleetClient } from '../../../sdk/app/fleet-client.ts';
import { codeOf } from '../../support/fake-model.ts';
import { TestController } from '../../support/fleet/running.ts';

const nobody = async (): Promise<string[]> => {
  throw new Error('nobody is asked');
};

test('a name that a device could enrol under is no name for controllers', async () => {
  const rules = (more: Partial<BrokerRulesRequest>) =>
    codeOf(brokerRules({ kind: 'mosquitto', namespace: 'lab', devices: nobody, ...more }));
  assert.is(await rules({ controller: 'admin' }), 'EW1001_USAGE');
  assert.is(await rules({ controller: 'a.b\ntopic readwrite #' }), 'EW1001_USAGE');
  assert.is(await rules({ namespace: 'a/b' }), 'EW1001_USAGE');
  const { rules: text, devices } = await brokerRules({
    ...{ kind: 'mosquitto', namespace: 'lab', controller: 'fleet.admin', devices: nobody },
  });
  assert.match(text, /^user fleet\.admin\n/);
  assert.is(devices, undefined);
});

test('devices are those that have enrolled, without who was revoked', async () => {
  const controller = await TestController.start();
  try {
    for (const device of ['a', 'b', 'c']) await controller.enrol(device);
    await controller.ask('POST', '/v1/devices/b/revoke');
    const client = await FleetClient.open({ data: controller.folder }, {});
    const { rules, devices } = await brokerRules({
      ...{ kind: 'nats', namespace: 'test', devices: () => enrolledDevices(client) },
    });
    assert.is(devices, 2);
    assert.equal(rules.match(/CN=\w+"/g), ['CN=a"', 'CN=c"']);
  } finally {
    await controller.remove();
  }
});

test.run();
