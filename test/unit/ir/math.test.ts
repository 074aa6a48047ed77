import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cos32, erf32, exp32, log32, mod32, pow32, roundEven, sin32, tanh32 } from '../../../sdk/ir/math.ts';
import { sample } from '../../../sdk/ir/ops/lib/cases.ts';

const ULP = 2 ** -23;

/** erf in f64: its series near 0, the continued fraction of erfc beyond. */
function erf(x: number): number {
  const a = Math.abs(x);
  let r = 0;
  if (a < 3) {
    for (let n = 0, t = a; n < 100; n++, t *= -(a * a) / n) r += t / (2 * n + 1);
    r *= 2 / Math.sqrt(Math.PI);
  } else {
    let c = 0;
    for (let k = 60; k > 0; k--) c = k / 2 / (a + c);
    r = 1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + c);
  }
  return Math.sign(x) * r;
}

/** Largest relative error on 50,000 points. */
function worst(fn: (x: number) => number, exact: (x: number) => number, lo: number, hi: number): number {
  let most = 0;
  for (const x of sample([50_000], 3, lo, hi).data) {
    const e = exact(x);
    most = Math.max(most, Math.abs(fn(x) - e) / Math.max(Math.abs(e), 1e-30));
  }
  return most;
}

test('exp, log, tanh, sin and cos are within two units in the last place', () => {
  assert.ok(worst(exp32, Math.exp, -87, 88.7) < ULP);
  assert.ok(worst(log32, Math.log, 1e-30, 100) < ULP);
  assert.ok(worst(log32, Math.log, 0.5, 2) < ULP);
  assert.ok(worst(tanh32, Math.tanh, -10, 10) < 2 * ULP);
  assert.ok(worst(tanh32, Math.tanh, -0.7, 0.7) < 2 * ULP);
  assert.ok(worst(sin32, Math.sin, -3.1, 3.1) < 2 * ULP);
  assert.ok(worst(cos32, Math.cos, -1.5, 1.5) < 2 * ULP);
});

test('erf and pow are within 1e-6', () => {
  assert.ok(worst(erf32, erf, -5, 5) < 1e-6);
  assert.ok(
    worst(
      (x) => pow32(x, 2.5),
      (x) => x ** 2.5,
      1e-3,
      1e3,
    ) < 1e-6,
  );
  assert.ok(
    worst(
      (y) => pow32(Math.fround(3.7), y),
      (y) => Math.fround(3.7) ** y,
      -60,
      60,
    ) < 1e-6,
  );
});

test('sin and cos keep their absolute accuracy over many periods', () => {
  for (const x of sample([20_000], 5, -8000, 8000).data) {
    assert.ok(Math.abs(sin32(x) - Math.sin(x)) < 2 * ULP);
    assert.ok(Math.abs(cos32(x) - Math.cos(x)) < 2 * ULP);
  }
});

test('the ends of the ranges', () => {
  assert.is(exp32(89), Number.POSITIVE_INFINITY);
  assert.is(exp32(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
  assert.is(exp32(-105), 0);
  assert.is(exp32(-100), 27 * 2 ** -149);
  assert.ok(Number.isNaN(exp32(Number.NaN)));
  assert.is(log32(0), Number.NEGATIVE_INFINITY);
  assert.ok(Number.isNaN(log32(-1)));
  assert.ok(Math.abs(log32(2 ** -140) / (-140 * Math.LN2) - 1) < ULP);
  assert.is(tanh32(50), 1);
  assert.is(tanh32(-50), -1);
  assert.is(erf32(10), 1);
});

test('pow: signs, zeros and exact powers', () => {
  assert.is(pow32(-2, 3), -8);
  assert.is(pow32(-2, 2), 4);
  assert.ok(Number.isNaN(pow32(-8, 1 / 3)));
  assert.is(pow32(0, -1), Number.POSITIVE_INFINITY);
  assert.is(pow32(0, 3), 0);
  assert.is(pow32(Number.NaN, 0), 1);
  assert.is(pow32(2, 127), 2 ** 127);
  assert.is(pow32(2, -140), 2 ** -140);
  assert.is(pow32(1e30, 5), Number.POSITIVE_INFINITY);
});

test('rounding goes to even and keeps the sign of zero', () => {
  assert.equal([-2.5, -1.5, 0.5, 1.5, 2.5, 8388609, 4194304.5].map(roundEven), [-2, -2, 0, 2, 2, 8388609, 4194304]);
  assert.ok(Object.is(roundEven(-0.4), -0));
});

test('mod has the sign of the dividend', () => {
  assert.equal([mod32(7, 3), mod32(-7, 3), mod32(7, -3)], [1, -1, 1]);
});

test.run();
