import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodePatch, encodePatch } from '../../../../sdk/bundle/delta/patch.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { Rng } from '../../../../sdk/util/rng.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const lines = (change: (i: number) => string): Uint8Array =>
  text(Array.from({ length: 400 }, (_, i) => `"w${i}": { "offset": ${change(i)}, "dtype": "f32" },\n`).join(''));

const CASES: Readonly<Record<string, readonly [Uint8Array, Uint8Array]>> = {
  'nothing to nothing': [text(''), text('')],
  'nothing to something': [text(''), text('abc')],
  'something to nothing': [text('abc'), text('')],
  'the same': [lines(String), lines(String)],
  'numbers that differ': [lines(String), lines((i) => String(i * 3))],
  'something in the middle': [
    lines(String),
    text(new TextDecoder().decode(lines(String)).replace('"w200"', '"new one"')),
  ],
  'halves swapped': [text('abcdefghijkl'.repeat(9) + 'x'.repeat(99)), text('x'.repeat(99) + 'abcdefghijkl'.repeat(9))],
};

for (const [name, [old, now]] of Object.entries(CASES)) {
  test(`patch: ${name}`, () => {
    assert.equal(decodePatch(encodePatch(old, now), old, now.length), now);
  });
}

test('what is there already takes next to nothing', () => {
  const [old, now] = CASES['something in the middle']!;
  assert.ok(encodePatch(old, now).length < 60);
});

test('random bytes are not made much longer', () => {
  const rng = new Rng(1);
  const bytes = (): Uint8Array => Uint8Array.from({ length: 5000 }, () => rng.below(256));
  assert.ok(encodePatch(bytes(), bytes()).length < 5020);
});

test('a size that is not the right one, and bytes it cannot have come from', () => {
  const [old, now] = CASES['numbers that differ']!;
  const patch = encodePatch(old, now);
  for (const [base, size] of [
    [old, now.length - 1],
    [old, now.length + 1],
    [old.subarray(0, 100), now.length],
  ] as const)
    assert.throws(() => decodePatch(patch, base, size), isEigenError);
});

test.run();
