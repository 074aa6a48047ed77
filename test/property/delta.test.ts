import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePatch, encodePatch } from '../../sdk/bundle/delta/patch.ts';
import { bytesSource, decodeIndex, encodeIndex, indexBundle, makeDelta } from '../../sdk/bundle/index.ts';
import { EigenError, isEigenError } from '../../sdk/util/errors.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { BitDecoder, BitEncoder } from '../../sdk/wire/bit-coder.ts';
import { decodeChanges, decodeDifferences, encodeChanges, encodeDifferences } from '../../sdk/wire/differences.ts';
import { corrupted, outcomeOf } from '../support/corruption.ts';
import { openState, stateBundle } from '../support/trained-bundles.ts';

const damaged = (e: unknown): boolean => e instanceof EigenError && e.code === 'EW6002_BUNDLE_TAMPERED';

test('bits: what is coded is decoded, however likely it was', () => {
  const bits = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.integer({ min: 0, max: 99 })), { maxLength: 3000 });
  fc.assert(
    fc.property(bits, fc.integer({ min: 0, max: 100 }), (list, limit) => {
      const encoder = new BitEncoder(3);
      for (const [model, v] of list) {
        if (model < 3) encoder.bit(model, v < limit ? 1 : 0);
        else encoder.even(v & 1);
      }
      const bytes = encoder.finish();
      const decoder = new BitDecoder(bytes, 3);
      for (const [model, v] of list) {
        if (model < 3) assert.is(decoder.bit(model), v < limit ? 1 : 0);
        else assert.is(decoder.even(), v & 1);
      }
      decoder.finish();
    }),
    { seed: 1, numRuns: 200 },
  );
});

const matrices = fc.integer({ min: 1, max: 20 }).chain((cols) => {
  const codes = fc.integer({ min: -128, max: 127 });
  const ints = fc.oneof(fc.integer(), fc.integer({ min: -9, max: 9 }));
  const pairs = <T>(value: fc.Arbitrary<T>) => fc.array(fc.tuple(value, value, fc.boolean()), { maxLength: 20 * cols });
  return fc.oneof(
    pairs(codes).map((p) => ({
      cols,
      old: Int8Array.from(p, ([a]) => a),
      now: Int8Array.from(p, ([a, b, same]) => (same ? a : b)),
    })),
    pairs(ints).map((p) => ({
      cols,
      old: Int32Array.from(p, ([a]) => a),
      now: Int32Array.from(p, ([a, b, same]) => (same ? a : b)),
    })),
  );
});

test('differences and changes: the new values come back, of any old ones', () => {
  fc.assert(
    fc.property(matrices, ({ cols, old, now }) => {
      assert.equal(decodeDifferences(encodeDifferences(old, now, cols), old, cols), now);
      assert.equal(decodeChanges(encodeChanges(old, now), old), now);
    }),
    { seed: 2, numRuns: 400 },
  );
});

test('differences and changes: random bytes are refused or decoded, nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), matrices, (bytes, { cols, old }) => {
      for (const decode of [() => decodeDifferences(bytes, old, cols), () => decodeChanges(bytes, old)])
        try {
          decode();
        } catch (e) {
          assert.ok(damaged(e), String(e));
        }
    }),
    { seed: 3, numRuns: 2000 },
  );
});

test('patch: the new bytes come back, random patches are refused or make something of the right size', () => {
  const bytes = fc.array(fc.constantFrom('abcdefgh', 'ijklmnopqrst', '\0', 'u', 'vw'), { maxLength: 60 });
  const texts = bytes.map((words) => new TextEncoder().encode(words.join('')));
  fc.assert(
    fc.property(
      texts,
      texts,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
      (old, now, changes) => {
        const patch = encodePatch(old, now);
        assert.equal(decodePatch(patch, old, now.length), now);
        for (const [at, to] of changes) patch[at % patch.length] = to;
        try {
          assert.is(decodePatch(patch, old, now.length).length, now.length);
        } catch (e) {
          assert.ok(isEigenError(e), String(e));
        }
      },
    ),
    { seed: 4, numRuns: 500 },
  );
});

test('corrupted deltas are refused, with the right checksum too', async () => {
  const rng = new Rng(5);
  let refused = 0;
  for (const state of [1, 2] as const) {
    const [old, wanted, now] = [stateBundle(0, 24), stateBundle(state, 24), openState(state, 24)];
    const { bytes: delta } = makeDelta(openState(0, 24), now);
    for (let i = 0; i < 400; i++) {
      const { bytes, how } = corrupted(delta, rng);
      if (Buffer.compare(bytes, delta) === 0) continue;
      try {
        if ((await outcomeOf(bytes, { old, now, wanted })) === 'refused') refused++;
      } catch (e) {
        throw new Error(`state ${state}, ${how}`, { cause: e });
      }
    }
  }
  assert.ok(refused > 780, `${refused}`);
});

test('an index with changed bytes is refused or names other chunks', async () => {
  const index = await indexBundle(bytesSource(stateBundle(1, 64)));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 }), (changes) => {
      const bytes = encodeIndex(index);
      for (const [at, to] of changes) bytes[at % bytes.length] = to;
      try {
        assert.equal(encodeIndex(decodeIndex(bytes, index)), bytes);
      } catch (e) {
        assert.ok(e instanceof EigenError && /^EW60(06|10)/.test(e.code), String(e));
      }
    }),
    { seed: 6, numRuns: 1000 },
  );
});

test.run();
