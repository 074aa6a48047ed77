import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareMetric, type Measured } from '../../../../sdk/fleet/rollout/compare.ts';
import { Rng } from '../../../../sdk/util/rng.ts';

const error = { low: 0.01, high: 0.01 };
const accuracy = { name: 'accuracy', better: 'higher' as const };

/** Devices that differ much, and all change by `change` with little noise. */
function group(rng: Rng, count: number, change: number): Measured[] {
  return Array.from({ length: count }, () => {
    const before = 0.8 + 0.1 * rng.normal();
    return { before, after: before + change + 0.01 * rng.normal() };
  });
}

test('what is particular to devices and what happens to all cancels', () => {
  const rng = new Rng(1);
  const c = compareMetric(accuracy, group(rng, 10, -0.14), group(rng, 12, -0.1), error)!;
  assert.ok(c.low > 0.03 && c.loss > 0.04 && c.high < 0.08, JSON.stringify(c));
  assert.equal(c.devices, { treated: 10, control: 12 });
});

test('bounds are wrong about as often as they say', () => {
  const rng = new Rng(2);
  let [low, high] = [0, 0];
  for (let i = 0; i < 2000; i++) {
    const c = compareMetric(accuracy, group(rng, 4, 0), group(rng, 9, 0), { low: 0.05, high: 0.05 })!;
    if (c.low > 0) low++;
    if (c.high < 0) high++;
  }
  assert.ok(low > 50 && low < 150 && high > 50 && high < 150, `${low} and ${high} of 2000`);
});

test('lower may be better; failures are shares of runs', () => {
  const at = (...values: number[]): Measured[] => values.map((after) => ({ after }));
  const time = { name: 'p95', better: 'lower' as const };
  const c = compareMetric(time, at(11, 11.1, 10.9), at(10, 10.1, 9.9), error)!;
  assert.ok(Math.abs(c.loss - 0.1) < 1e-9 && c.high > c.loss);
  const failures = { name: 'failures', better: 'lower' as const };
  const f = compareMetric(failures, at(0.02, 0.02, 0.02), at(0, 0, 0), error)!;
  assert.equal([f.loss, f.low, f.high], [0.02, 0.02, 0.02]);
  assert.is(compareMetric(failures, at(0, 0, 0), at(0, 0, 0), error)!.loss, 0);
});

test('of few devices nothing is said', () => {
  const rng = new Rng(3);
  assert.is(compareMetric(accuracy, group(rng, 2, 0), group(rng, 9, 0), error), undefined);
  assert.is(compareMetric(accuracy, group(rng, 9, 0), [], error), undefined);
});

test.run();
