import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { floatsToHalves, fromHalf, halvesToFloats, isHalf, toHalf } from '../../../sdk/util/half.ts';

test('every half survives the way to f32 and back', () => {
  for (let h = 0; h < 0x10000; h++) {
    const value = fromHalf(h);
    if (Number.isNaN(value)) {
      assert.ok(Number.isNaN(fromHalf(toHalf(value))));
      continue;
    }
    assert.ok(Object.is(Math.fround(value), value), `half ${h} is not an f32`);
    if (toHalf(value) !== h) assert.unreachable(`half ${h} became ${toHalf(value)}`);
  }
});

test('known values', () => {
  assert.is(toHalf(1), 0x3c00);
  assert.is(toHalf(-2), 0xc000);
  assert.is(toHalf(65504), 0x7bff);
  assert.is(toHalf(2 ** -24), 0x0001);
  assert.is(toHalf(-0), 0x8000);
  assert.is(toHalf(Number.NEGATIVE_INFINITY), 0xfc00);
});

test('rounds to the nearest, ties to even, also across the border to subnormals and infinity', () => {
  for (let h = 0; h < 0x7bff; h++) {
    const low = fromHalf(h);
    const high = fromHalf(h + 1);
    const middle = (low + high) / 2; // exact in f32: one bit more than a half has
    const even = h & 1 ? h + 1 : h;
    if (toHalf(middle) !== even) assert.unreachable(`tie above half ${h}`);
    if (toHalf(middle - (high - low) / 8) !== h || toHalf(middle + (high - low) / 8) !== h + 1)
      assert.unreachable(`near half ${h}`);
  }
  assert.is(toHalf(65519.99), 0x7bff);
  assert.is(toHalf(65520), 0x7c00);
  assert.is(toHalf(2 ** -25), 0);
  assert.is(toHalf(2 ** -25 * 1.001), 1);
});

test('arrays and the test for exactness', () => {
  assert.equal([...halvesToFloats(floatsToHalves(Float32Array.of(0.5, -3, 1e-7)))], [0.5, -3, fromHalf(toHalf(1e-7))]);
  assert.ok(isHalf(0.5) && isHalf(-0) && isHalf(Number.NaN));
  assert.not(isHalf(0.1) || isHalf(70000));
});

test.run();
