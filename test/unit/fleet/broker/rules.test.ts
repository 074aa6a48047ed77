import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CONTROLLER, rulesOf } from '../../../../sdk/fleet/broker/rules.ts';
import { isTopicName, shardOf } from '../../../../sdk/wire/protocol/topics.ts';

const USERS = { namespace: 'lab', controller: CONTROLLER, devices: ['cam'] };
const SHARD = shardOf('cam');

test('no device can be called as controllers are', () => {
  assert.not.ok(isTopicName(CONTROLLER));
});

test('mosquitto has one rule for all devices', () => {
  assert.is(
    rulesOf.mosquitto(USERS),
    `user eigenweights.controller
topic read ew1/lab/+/+/up
topic read ew1/lab/+/+/st
topic read ew1/lab/+/+/rq
topic write ew1/lab/+/+/dn
topic write ew1/lab/+/+/ch

pattern write ew1/lab/+/%u/up
pattern write ew1/lab/+/%u/st
pattern write ew1/lab/+/%u/rq
pattern read ew1/lab/+/%u/dn
pattern read ew1/lab/+/%u/ch
pattern read ew1/lab/+/%u/st
`,
  );
});

test('NATS has a user for each, by certificate', () => {
  const rules = rulesOf.nats(USERS);
  assert.match(rules, `{ user: "CN=${CONTROLLER}", permissions: {"publish":["ew1.lab.*.*.dn","ew1.lab.*.*.ch"]`);
  assert.match(rules, `{ user: "CN=cam", permissions: {"publish":["ew1.lab.${SHARD}.cam.up"`);
  assert.match(rules, `"subscribe":["ew1.lab.${SHARD}.cam.dn"`);
});

test('RabbitMQ has patterns that match what they are to, and nothing more', () => {
  const { topic_permissions: topics, permissions, users } = JSON.parse(rulesOf.rabbitmq(USERS));
  assert.equal(
    users.map((u: { name: string; password_hash: string }) => [u.name, u.password_hash]),
    [
      [CONTROLLER, ''],
      ['cam', ''],
    ],
  );
  const [controller, cam] = topics.map(({ read, write }: { read: string; write: string }) => [
    new RegExp(read),
    new RegExp(write),
  ]);
  assert.ok(cam[1].test(`ew1.lab.${SHARD}.cam.up`) && cam[0].test(`ew1.lab.${SHARD}.cam.dn`));
  for (const topic of [
    `ew1.lab.${SHARD}.cam2.dn`,
    `ew1.lab.${SHARD}.*.dn`,
    `ew1.lab2.${SHARD}.cam.dn`,
    `ew1.lab.${SHARD}.cam.up`,
  ])
    assert.not.ok(cam[0].test(topic), topic);
  assert.ok(controller[0].test('ew1.lab.*.*.up') && controller[1].test(`ew1.lab.${SHARD}.cam.dn`));
  assert.not.ok(controller[1].test(`ew1.lab.${SHARD}.cam.up`));
  const queue = new RegExp(permissions[1].configure);
  assert.ok(queue.test('mqtt-subscription-camqos1'));
  assert.not.ok(queue.test('mqtt-subscription-cam2qos1') || queue.test('amq.topic'));
});

test.run();
