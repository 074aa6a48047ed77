import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Rights } from '../../../../sdk/fleet/broker/rights.ts';
import { deviceTopic, everyDevice, shardOf } from '../../../../sdk/wire/protocol/topics.ts';

const rights = new Rights('lab', 'cam');
const own = (channel: 'up' | 'dn' | 'st' | 'rq' | 'ch'): string =>
  deviceTopic({ namespace: 'lab', device: 'cam', channel });

test('a device says what is its own to say', () => {
  const may = (topic: string, qos = 1, retain = false): boolean =>
    rights.publishProblem(topic, { qos, retain }) === undefined;
  assert.equal(
    ['up', 'st', 'rq', 'dn', 'ch'].map((c) => may(own(c as 'up'))),
    [true, true, true, false, false],
  );
  assert.ok(may(own('st'), 1, true));
  assert.not.ok(may(own('up'), 1, true), 'nothing else stays');
  assert.not.ok(may(own('up'), 2), 'the protocol has no QoS 2');
  for (const topic of [
    own('up').replace('cam', 'cam2'),
    own('up').replace('/lab/', '/other/'),
    `${own('up')}/more`,
    own('up').replace(`/${shardOf('cam')}/`, '/zz/'),
    `ew1/lab/all/${'a'.repeat(64)}`,
    '$SYS/broker',
    '',
  ])
    assert.not.ok(may(topic), topic);
});

test('a device hears what is for it', () => {
  const may = (filter: string): boolean => rights.subscribeProblem(filter) === undefined;
  assert.equal(
    ['up', 'st', 'rq', 'dn', 'ch'].map((c) => may(own(c as 'up'))),
    [false, true, false, true, true],
  );
  for (const filter of ['#', '+/+/+/+/dn', everyDevice('lab', 'dn'), `ew1/lab/${shardOf('cam')}/+/dn`, 'ew1/lab/all/+'])
    assert.not.ok(may(filter), filter);
});

test.run();
