import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { normalQuantile, studentQuantile, wilson } from '../../../../sdk/fleet/rollout/distributions.ts';

const near = (a: number, b: number, error = 1e-6): void => assert.ok(Math.abs(a - b) < error, `${a}, not ${b}`);

test('quantiles are those of the tables', () => {
  near(normalQuantile(0.975), 1.959963985);
  near(normalQuantile(0.8), 0.841621234);
  near(normalQuantile(1e-4), -3.719016485);
  near(studentQuantile(0.975, 1), 12.7062047, 1e-5);
  near(studentQuantile(0.975, 10), 2.228138852);
  near(studentQuantile(0.9995, 4), 8.610301581, 1e-5);
  near(studentQuantile(0.05, 30), -1.697260887);
  near(studentQuantile(0.995, 1e5), 2.57587, 1e-5);
  assert.is(studentQuantile(0.5, 3) < 1e-9, true);
  assert.throws(() => normalQuantile(1), /no probability/);
});

test("wilson's bounds", () => {
  // Agresti and Coull, 1998: 95 % of both sides, 0.975 of each.
  const { low, high } = wilson(8, 10, 0.975);
  near(low, 0.490162, 1e-5);
  near(high, 0.943318, 1e-5);
  assert.equal(wilson(0, 0, 0.9), { low: 0, high: 1 });
  near(wilson(5, 5, 0.8).low, 0.875918, 1e-4);
});

test.run();
