import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { CHANNELS, deviceTopic, everyDevice, parseTopic, shardOf } from '../../../../sdk/wire/protocol/topics.ts';

test('topics are parsed as they are built', () => {
  for (const channel of CHANNELS) {
    const parts = { namespace: 'lab', device: 'cam-07_a', channel };
    const topic = deviceTopic(parts);
    assert.equal(parseTopic(topic), parts);
    assert.match(topic, /^ew1\/lab\/[0-9a-f]{2}\/cam-07_a\/(up|dn|st|rq|ch)$/);
  }
  assert.is(everyDevice('lab', 'up'), 'ew1/lab/+/+/up');
});

test('the shard is the first byte of SHA-256 of the name', () => {
  // echo -n abc | sha256sum
  assert.is(shardOf('abc'), 'ba');
});

test('names that a broker could take for something else are refused', () => {
  for (const device of ['', 'a.b', 'a/b', '+', '#', '$SYS', 'a b', 'é', 'x'.repeat(65)])
    assert.throws(
      () => deviceTopic({ namespace: 'lab', device, channel: 'up' }),
      (e: unknown) => e instanceof RangeError,
    );
  assert.throws(() => everyDevice('+', 'up'));
});

test('other topics are refused, also a device in a shard of another', () => {
  const topics = [
    '',
    'ew1',
    'ew2/lab/ba/abc/up',
    'ew1/lab/bb/abc/up',
    'ew1/lab/ba/abc/xx',
    'ew1/lab/ba/abc',
    'ew1/lab/ba/abc/up/more',
    'ew1/la.b/ba/abc/up',
    `ew1/lab/all/${'a'.repeat(64)}`,
    'ew1/lab/BA/abc/up',
    `${'/'.repeat(70000)}`,
  ];
  for (const topic of topics)
    assert.throws(
      () => parseTopic(topic),
      (e: unknown) => isEigenError(e) && e.code === 'EW6006_MESSAGE_INVALID' && e.message.length < 300,
    );
});

test.run();
