import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EigenError } from '../../sdk/util/errors.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../../sdk/wire/cbor.ts';
import { decodeMessage, encodeMessage } from '../../sdk/wire/protocol/messages.ts';
import { CHANNELS } from '../../sdk/wire/protocol/topics.ts';
import { EVERY_MESSAGE } from '../support/messages.ts';

const refusal = (e: unknown): boolean =>
  e instanceof EigenError && (e.code === 'EW6006_MESSAGE_INVALID' || e.code === 'EW6007_MESSAGE_VERSION');

const text = fc.string({ unit: 'binary', maxLength: 12 });
const values: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    text,
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      text.filter((key) => !(key in {})),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value;

test('cbor: any value comes back, in whatever order its keys were', () => {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = encodeCbor(value);
      const back = decodeCbor(bytes);
      assert.equal(encodeCbor(back), bytes);
      assert.equal(structuredClone(back), structuredClone(value === 0 ? 0 : value));
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('cbor: bytes that decode are those that the value encodes to', () => {
  let decoded = 0;
  fc.assert(
    fc.property(values, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 2 }), (value, changes) => {
      const bytes = encodeCbor(value);
      for (const [at, to] of changes) bytes[at % bytes.length] = to;
      let back: CborValue;
      try {
        back = decodeCbor(bytes);
      } catch (e) {
        assert.ok(refusal(e), String(e));
        return;
      }
      decoded++;
      assert.equal(encodeCbor(back), bytes);
    }),
    { seed: 2, numRuns: 3000 },
  );
  assert.ok(decoded > 500);
});

test('messages: changed, cut or random bytes are refused or are another message, nothing else', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...EVERY_MESSAGE), changes, fc.nat(), ({ channel, message }, list, cut) => {
      const bytes = encodeMessage(channel, message);
      for (const [at, to] of list) bytes[at % bytes.length] = to;
      const sent = cut % 4 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes;
      try {
        assert.equal(encodeMessage(channel, decodeMessage(channel, sent)), sent);
      } catch (e) {
        if (!refusal(e)) throw e;
      }
    }),
    { seed: 3, numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...CHANNELS), fc.uint8Array({ maxLength: 200 }), (channel, bytes) => {
      assert.throws(() => decodeMessage(channel, bytes), refusal);
    }),
    { seed: 4, numRuns: 2000 },
  );
});

test.run();
