import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gridOf, roundToGrid } from '../../../sdk/util/grid.ts';

test('the grid gives the values back, and is the coarsest one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: -140, max: 60 }),
      (numbers, exponent) => {
        const values = Float32Array.from(numbers, (n) => n * 2 ** exponent + 0);
        const grid = gridOf(values)!;
        assert.equal(
          Float32Array.from(grid.multiples, (m) => m * 2 ** grid.exponent),
          values,
        );
        assert.ok(grid.multiples.every((m) => m === 0) || grid.multiples.some((m) => m % 2 !== 0));
      },
    ),
  );
});

test('there is no grid for what is no multiple of anything', () => {
  for (const v of [Number.NaN, Number.POSITIVE_INFINITY, -0]) assert.is(gridOf(Float32Array.of(1, v)), undefined);
  assert.is(gridOf(Float32Array.of(1e6, 1e-6)), undefined);
  assert.equal(gridOf(new Float32Array(3)), { exponent: 0, multiples: new Int32Array(3) });
});

test('values are rounded to a power of two below the step', () => {
  assert.equal(roundToGrid(Float32Array.of(0.3, -0.1, 1.13), 0.3), Float32Array.of(0.25, 0, 1.25));
  const values = Float32Array.of(0.1);
  assert.is(roundToGrid(values, 0), values);
});

test.run();
