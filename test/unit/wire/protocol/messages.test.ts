import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { type CborMap, decodeCbor, encodeCbor } from '../../../../sdk/wire/cbor.ts';
import { decodeMessage, encodeMessage, MAX_PIECE, type Message } from '../../../../sdk/wire/protocol/messages.ts';
import { CHANNELS, type Channel } from '../../../../sdk/wire/protocol/topics.ts';
import { cddlMatcher } from '../../../support/cddl.ts';
import { EVERY_MESSAGE, MESSAGES } from '../../../support/messages.ts';

const cddl = cddlMatcher(readFileSync(new URL('../../../../sdk/wire/protocol/messages.cddl', import.meta.url), 'utf8'));
const RULES: Readonly<Record<Channel, string>> = {
  up: 'up',
  dn: 'down',
  st: 'presence',
  rq: 'request',
  ch: 'delivery',
};

const refused =
  (code: string) =>
  (e: unknown): boolean =>
    isEigenError(e) && e.code === code;

/** What a decoder of the schema says to a value, whatever it is. */
function accepts(channel: Channel, value: CborMap): boolean {
  try {
    decodeMessage(channel, encodeCbor(value));
    return true;
  } catch (e) {
    assert.ok(isEigenError(e), String(e));
    return false;
  }
}

test('messages are decoded as they are encoded', () => {
  for (const { channel, message } of EVERY_MESSAGE)
    assert.equal(decodeMessage(channel, encodeMessage(channel, message)), message);
});

test('every message is what the CDDL file says, on its own channel only', () => {
  for (const { channel, message } of EVERY_MESSAGE) {
    const value = decodeCbor(encodeMessage(channel, message)) as CborMap;
    for (const other of CHANNELS) {
      assert.is(cddl(RULES[other], value), other === channel, `${message.type} on ${other}`);
      assert.is(accepts(other, value), other === channel, `${message.type} on ${other}`);
    }
    assert.ok(cddl('message', value));
  }
});

/** Values near the limits of every kind of member. */
const ODD: readonly CborMap[string][] = [
  0,
  1,
  32,
  33,
  -1,
  2 ** 53 - 1,
  0.5,
  null,
  true,
  '',
  'x',
  'x'.repeat(128),
  'x'.repeat(129),
  'ü'.repeat(64),
  'ü'.repeat(65),
  'x'.repeat(256),
  'x'.repeat(257),
  'install',
  'a\0b',
  new Uint8Array(0),
  new Uint8Array(31),
  new Uint8Array(32),
  new Uint8Array(33),
  new Uint8Array(4096),
  new Uint8Array(4097),
  [],
  [new Uint8Array(32)],
  [1],
  {},
  { root: 1 },
  { a: 1.5 },
  { a: 'b' },
  { 'a\0b': 1.5 },
];

test('schema and CDDL file refuse the same changes of every member', () => {
  for (const { channel, message } of EVERY_MESSAGE) {
    const value = decodeCbor(encodeMessage(channel, message)) as CborMap;
    const changed = [...Object.keys(value), 'extra'].flatMap((key) => {
      const { [key]: _, ...without } = value;
      return [without, ...ODD.map((odd) => ({ ...value, [key]: odd }))];
    });
    for (const other of changed) {
      const size = encodeCbor(other).length;
      if (size > 3000 && channel !== 'ch' && channel !== 'rq') continue;
      assert.is(accepts(channel, other), cddl(RULES[channel], other), `${message.type}: ${JSON.stringify(other)}`);
    }
  }
});

test('golden encodings', () => {
  const hex = (channel: Channel, index: number): string =>
    Buffer.from(encodeMessage(channel, MESSAGES[channel][index] as Message<Channel>)).toString('hex');
  assert.is(hex('st', 0), 'a5617601637265760864747970656870726573656e63656565706f636803666f6e6c696e65f5');
  assert.is(
    hex('dn', 0),
    `a561760163726576086474797065676465736972656466616374696f6e67696e7374616c6c66746172676574${'5820'}${'03'.repeat(32)}`,
  );
  assert.is(
    hex('rq', 0),
    `a761760162696405${'64'}626c6f625820${'03'.repeat(32)}6466726f6d1064747970656e726571756573742d6368756e6b73666269746d617042ff036663726564697408`,
  );
  assert.is(
    hex('ch', 0),
    `a561760164626c6f625820${'03'.repeat(32)}6474797065656368756e6b6562797465734301020365696e64657811`,
  );
});

test('another version is refused as such, whatever else is in it', () => {
  for (const { channel } of EVERY_MESSAGE)
    assert.throws(() => decodeMessage(channel, encodeCbor({ v: 2, kind: [1] })), refused('EW6007_MESSAGE_VERSION'));
  assert.throws(() => decodeMessage('up', encodeCbor({ v: 'x' })), refused('EW6006_MESSAGE_INVALID'));
  assert.throws(() => decodeMessage('up', encodeCbor(7)), refused('EW6006_MESSAGE_INVALID'));
});

test('sizes are limited on both sides, by channel', () => {
  const blob = new Uint8Array(32);
  const bytes = new Uint8Array(MAX_PIECE);
  assert.ok(encodeMessage('ch', { type: 'chunk', blob, index: 2 ** 40, bytes }).length < MAX_PIECE + 1024);
  assert.throws(() => encodeMessage('ch', { type: 'chunk', blob, index: 0, bytes: new Uint8Array(MAX_PIECE + 1) }));
  assert.throws(() => decodeMessage('dn', new Uint8Array(5000)), refused('EW6006_MESSAGE_INVALID'));
  const metrics = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`metric-number-${i}`, i]));
  assert.throws(
    () => encodeMessage('up', { type: 'health', epoch: 0, seq: 0, running: blob, runs: 1, failures: 0, metrics }),
    (e: unknown) => e instanceof RangeError,
  );
});

test('members that are undefined do not travel', () => {
  const [, short] = MESSAGES.up;
  assert.equal(encodeMessage('up', { ...short!, profile: undefined } as Message<'up'>), encodeMessage('up', short!));
});

test.run();
