import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../../../sdk/wire/cbor.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

/** RFC 8949, appendix A: those of its examples that are deterministic and of the types used here. */
const EXAMPLES: readonly (readonly [CborValue, string])[] = [
  [0, '00'],
  [1, '01'],
  [10, '0a'],
  [23, '17'],
  [24, '1818'],
  [25, '1819'],
  [100, '1864'],
  [1000, '1903e8'],
  [1000000, '1a000f4240'],
  [1000000000000, '1b000000e8d4a51000'],
  [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
  [-1, '20'],
  [-10, '29'],
  [-100, '3863'],
  [-1000, '3903e7'],
  [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
  [1.1, 'fb3ff199999999999a'],
  [1.5, 'f93e00'],
  [3.4028234663852886e38, 'fa7f7fffff'],
  [1.0e300, 'fb7e37e43c8800759c'],
  [2 ** -24, 'f90001'],
  [0.00006103515625, 'f90400'],
  [-4.1, 'fbc010666666666666'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  [bytesOf(''), '40'],
  [bytesOf('01020304'), '4401020304'],
  ['', '60'],
  ['a', '6161'],
  ['IETF', '6449455446'],
  ['"\\', '62225c'],
  ['\u00fc', '62c3bc'],
  ['\u6c34', '63e6b0b4'],
  ['\ud800\udd51', '64f0908591'],
  [[], '80'],
  [[1, 2, 3], '83010203'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [Array.from({ length: 25 }, (_, i) => i + 1), '98190102030405060708090a0b0c0d0e0f101112131415161718181819'],
  [{}, 'a0'],
  [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
  [['a', { b: 'c' }], '826161a161626163'],
];

test('the examples of RFC 8949', () => {
  for (const [value, encoded] of EXAMPLES) {
    assert.is(hex(encodeCbor(value)), encoded);
    assert.is(hex(encodeCbor(decodeCbor(bytesOf(encoded)))), encoded);
  }
});

test('keys are sorted by their encodings, shorter ones first', () => {
  assert.is(hex(encodeCbor({ aa: 1, b: 2, c: 3 })), 'a3616202616303626161' + '01');
  assert.equal(Object.keys(decodeCbor(bytesOf('a361620261630362616101')) as object), ['b', 'c', 'aa']);
});

test('minus zero is zero', () => {
  assert.is(hex(encodeCbor(-0)), '00');
});

const REFUSED: readonly (readonly [what: string, encoded: string])[] = [
  ['nothing', ''],
  ['more than one value', '0000'],
  ['a number longer than it need be', '1817'],
  ['16 bits for 8', '1900ff'],
  ['64 bits for 32', '1b00000000ffffffff'],
  ['an integer of 64 bits', '1bffffffffffffffff'],
  ['a negative integer beyond 53 bits', '3b001fffffffffffff'],
  ['a float that is an integer', 'f93c00'],
  ['minus zero', 'f98000'],
  ['infinity', 'f97c00'],
  ['not a number', 'f97e00'],
  ['a single that is a half', 'fa3fc00000'],
  ['a double that is a single', 'fb47efffffe0000000'],
  ['an indefinite text', '7f6161ff'],
  ['an indefinite array', '9f01ff'],
  ['a break', 'ff'],
  ['undefined', 'f7'],
  ['a simple value of two bytes', 'f818'],
  ['a tag', 'c074323031332d30332d32315432303a30343a30305a'],
  ['a reserved length', '1c'],
  ['a text that is not UTF-8', '62c328'],
  ['half of a surrogate pair', '63eda080'],
  ['keys out of order', 'a2616201616102'],
  ['a key twice', 'a2616101616102'],
  ['a key that is a number', 'a10102'],
  ['a key that objects have', `a1${hex(encodeCbor('constructor'))}01`],
  ['__proto__', `a1${hex(encodeCbor('__proto__'))}01`],
  ['an array that is cut off', '8301'],
  ['an array of 2^52 items', '9b0010000000000000'],
  ['a map of 2^32 - 1 members', 'baffffffff6161'],
  ['a byte string that is cut off', '5803aabb'],
  ['nine arrays in each other', '8181818181818181818100'],
];

for (const [what, encoded] of REFUSED) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => decodeCbor(bytesOf(encoded)),
      (e: unknown) => isEigenError(e) && e.code === 'EW6006_MESSAGE_INVALID',
    );
  });
}

test('what has no encoding is not encoded', () => {
  let deep: CborValue = 1;
  for (let i = 0; i < 10; i++) deep = [deep];
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', new Map(), 1n, undefined, deep, { toString: 1 }])
    assert.throws(
      () => encodeCbor(value as CborValue),
      (e: unknown) => e instanceof TypeError,
    );
});

test.run();
