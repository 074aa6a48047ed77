import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fitTime, timeBy } from '../../../tools/speed/fit.ts';

const sizes = [1e6, 3e6, 1e7, 5e7, 1e8];
const close = (a: number, b: number): void => assert.ok(Math.abs(a / b - 1) < 1e-6, `${a}, expected ${b}`);

test('the terms that times were made of come back', () => {
  const truth = { perMac: 2e-11, perByte: 3e-11, fixed: 5e-6 };
  const work = sizes.map((macs, i) => {
    const size = { macs, bytes: 1e5 * (1 + ((i * 7) % 5)) };
    return { ...size, seconds: timeBy(truth, size) };
  });
  const fitted = fitTime(work);
  close(fitted.perMac, truth.perMac);
  close(fitted.perByte, truth.perByte);
  close(fitted.fixed, truth.fixed);
});

test('no term is below zero', () => {
  // Grows faster than linearly: the best line would start below zero.
  const work = sizes.map((macs) => ({ macs, bytes: 1e5, seconds: macs * 1e-11 * (1 + macs / 1e8) }));
  const { perMac, perByte, fixed } = fitTime(work);
  assert.ok(perMac > 0 && perByte >= 0 && fixed >= 0);
  assert.ok(perByte * 1e5 + fixed < 1e-9);
});

test.run();
