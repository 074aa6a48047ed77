import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNumber } from '../../../../../targets/wasm/cc/numbers.ts';
import { show } from '../../../../support/c-tree.ts';

const shown = (text: string): string | undefined => {
  const e = parseNumber(text);
  return e && show(e);
};

test('ints have the first type that holds them', () => {
  const cases = {
    '0': '0:i32',
    '2147483647': '2147483647:i32',
    '2147483648': '2147483648:i64',
    '0x7fffffff': '2147483647:i32',
    '0xfffff000': '4294963200:u32',
    '4294967295u': '4294967295:u32',
    '0xffffffffffffffff': '18446744073709551615:u64',
    '1ll': '1:i64',
    '1ull': '1:u64',
    '5l': '5:i32',
    '010': '8:i32',
  };
  for (const [text, tree] of Object.entries(cases)) assert.is(shown(text), tree);
});

test('floats are the nearest to what is written', () => {
  assert.is(shown('1.0f'), '1:f32');
  assert.is(shown('.5f'), '0.5:f32');
  assert.is(shown('1e3'), '1000:f64');
  assert.is(parseNumber('0.1f')?.value, Math.fround(0.1));
  assert.is(parseNumber('5192296858534827628530496329220096.0f')?.value, 2 ** 112);
  assert.is(parseNumber('1e-46f')?.value, 0);
  assert.is(parseNumber('1e40f')?.value, Number.POSITIVE_INFINITY);
});

test('where the nearest double lies between two floats, the number itself decides', () => {
  const above = 1 + 2 ** -23;
  // The double that both of these are rounded to is 1 + 2^-24, halfway.
  assert.is(parseNumber('1.00000005960464478f')?.value, above);
  assert.is(parseNumber('1.00000005960464477f')?.value, 1);
  assert.is(parseNumber('1.000000059604644775390625f')?.value, 1);
  // 2^-150 is half of the least float.
  assert.is(parseNumber('7.006492321624086e-46f')?.value, 2 ** -149);
  assert.is(parseNumber('7.006492321624085e-46f')?.value, 0);
});

test('what is no number of C is none', () => {
  for (const text of ['08', '1f', '1.0q', '0x', '0x1.8p3f', '1e', '1.0.0', '1lul'])
    assert.is(shown(text), undefined, text);
});

test.run();
