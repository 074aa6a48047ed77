import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import {
  decodeChanges,
  decodeDifferences,
  encodeChanges,
  encodeDifferences,
  ordered,
} from '../../../sdk/wire/differences.ts';
import { normalCodes } from '../../support/codes.ts';

const damaged = (e: unknown): boolean => isEigenError(e) && e.code === 'EW6002_BUNDLE_TAMPERED';

test('the extremes of both types', () => {
  const codes = [Int8Array.of(-128, 127, 0, -1), Int8Array.of(127, -128, 0, 1)] as const;
  assert.equal(decodeDifferences(encodeDifferences(...codes, 2), codes[0], 2), codes[1]);
  assert.equal(decodeChanges(encodeChanges(...codes), codes[0]), codes[1]);
  const low = -(2 ** 31);
  const ints = [Int32Array.of(low, 2 ** 31 - 1, 0, low, 5), Int32Array.of(2 ** 31 - 1, low, low, 0, 5)] as const;
  assert.equal(decodeDifferences(encodeDifferences(...ints, 5), ints[0], 5), ints[1]);
  assert.equal(decodeChanges(encodeChanges(...ints), ints[0]), ints[1]);
});

test('nothing at all', () => {
  const none = new Int8Array(0);
  assert.equal(decodeDifferences(encodeDifferences(none, none, 0), none, 0), none);
  assert.equal(decodeChanges(encodeChanges(none, none), none), none);
});

test('floats in order', () => {
  const values = Float32Array.of(Number.NEGATIVE_INFINITY, -3, -1e-40, -0, 0, 1e-40, 2, Number.POSITIVE_INFINITY);
  const integers = ordered(new Int32Array(values.buffer));
  integers.forEach((v, i) => {
    if (i > 0) assert.ok(v > integers[i - 1]!, `${values[i]}`);
  });
  assert.equal(ordered(integers), new Int32Array(values.buffer));
});

/** Bits of the entropy of b given a, by their frequencies. */
function conditionalBits(a: Int8Array, b: Int8Array): number {
  const pairs = new Map<number, number>();
  const singles = new Map<number, number>();
  a.forEach((x, i) => {
    const pair = 256 * x + b[i]!;
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
    singles.set(x, (singles.get(x) ?? 0) + 1);
  });
  let bits = 0;
  for (const n of pairs.values()) bits -= n * Math.log2(n);
  for (const n of singles.values()) bits += n * Math.log2(n);
  return bits;
}

test('a larger step costs what the old codes do not tell', () => {
  const old = normalCodes(128, 256, 4, 31, 1);
  const now = old.map((q) => Math.round(q * 0.7));
  assert.ok(Math.abs(conditionalBits(old, now)) < 1e-6);
  assert.ok(encodeDifferences(old, now, 256).length < 0.02 * old.length);
});

test('near the entropy', () => {
  const old = normalCodes(256, 256, 4, 31, 1);
  const rng = new Rng(3);
  for (const share of [0.02, 0.2]) {
    const now = old.map((q) => (rng.uniform() < share ? q + (rng.uniform() < 0.5 ? 1 : -1) : q));
    // Every change is as likely everywhere, one way or the other.
    const floor = (-old.length * (share * Math.log2(share / 2) + (1 - share) * Math.log2(1 - share))) / 8;
    // Models have to be learnt: 65,536 codes are few for small shares.
    const most = share < 0.1 ? 1.08 : 1.01;
    assert.ok(encodeDifferences(old, now, 256).length < most * floor);
    assert.ok(encodeChanges(old, now).length < 1.12 * floor);
  }
});

test('rows or columns that moved are cheaper than the same changes anywhere', () => {
  const old = normalCodes(128, 128, 4, 31, 1);
  const column = old.map((q, i) => (i % 128 < 26 ? q + 1 : q));
  assert.ok(encodeDifferences(old, column, 128).length < 500);
});

test('other old values, cut off and extended bytes', () => {
  const old = normalCodes(16, 64, 4, 31, 1);
  const now = old.map((q, i) => (i % 9 === 0 ? q + 1 : q));
  const coded = encodeDifferences(old, now, 64);
  assert.throws(() => decodeDifferences(coded.subarray(0, -1), old, 64), damaged);
  assert.throws(() => decodeDifferences(Uint8Array.of(...coded, 0), old, 64), damaged);
  assert.throws(() => decodeDifferences(Uint8Array.of(9, ...coded.subarray(1)), old, 64), damaged);
  assert.throws(() => decodeDifferences(new Uint8Array(0), old, 64), damaged);
  assert.throws(() => decodeChanges(encodeChanges(old, now), old.subarray(0, 100)), damaged);
  const top = Int8Array.of(127, 127, 127);
  assert.throws(() => decodeChanges(encodeChanges(Int8Array.of(1, 1, 1), Int8Array.of(2, 2, 2)), top), damaged);
});

test.run();
