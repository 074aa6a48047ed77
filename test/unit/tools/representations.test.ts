import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Rng } from '../../../sdk/util/rng.ts';
import {
  BIT_PRICE,
  closest,
  Density,
  fittedLevels,
  type Levels,
  wholeSteps,
} from '../../../tools/representations/levels.ts';

const rng = new Rng(3);
const values = Float64Array.from({ length: 20000 }, () => 3.5 * rng.normal());
const density = new Density();
for (const v of values) density.add(v, 1);

/** Bits a value, and the mean squared error. */
function measured(levels: Levels): { bits: number; error: number } {
  const counts = new Float64Array(levels.values.length);
  let error = 0;
  for (const v of values) {
    const i = closest(levels, v);
    counts[i]!++;
    error += (v - levels.values[i]!) ** 2 / values.length;
  }
  const bits = counts.reduce((sum, n) => (n > 0 ? sum - (n / values.length) * Math.log2(n / values.length) : sum), 0);
  return { bits, error };
}

test('whole steps err by a twelfth', () => {
  const { levels, entropy } = wholeSteps(density);
  const { bits, error } = measured(levels);
  assert.ok(Math.abs(error - 1 / 12) < 2e-3 && Math.abs(bits - entropy) < 0.01, `${bits} bits, ${error}`);
});

test('few levels of one width err as the best quantizer of a normal distribution does', () => {
  const levels = fittedLevels(density, 8, 0);
  assert.is(levels.values.length, 8);
  // Max 1960: 0.03454 of the variance; outermost levels stay at the outermost values, which costs some.
  const { error } = measured(levels);
  assert.ok(error > 0.0345 * 3.5 ** 2 && error < 0.06 * 3.5 ** 2, `${error}`);
});

test('levels of any number gain next to nothing over whole steps when they are entropy-coded', () => {
  const whole = measured(wholeSteps(density).levels);
  const fitted = measured(fittedLevels(density, 128, BIT_PRICE));
  // A bit more is a quarter of the error.
  const gain = whole.bits - fitted.bits + 0.5 * Math.log2(whole.error / fitted.error);
  assert.ok(gain > -0.01 && gain < 0.02, `${gain} bits`);
});

test.run();
