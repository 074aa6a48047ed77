/** A reshape of a transposed tensor, taken through to its base, gives the same elements. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { reshaped, transposed } from '../../sdk/ir/ops/lib/arrays.ts';
import { sample } from '../../sdk/ir/ops/lib/cases.ts';
import { compose, isFree, reshapeThrough } from '../../sdk/ir/passes/lib/perm.ts';
import { sizeOf, toNumbers } from '../../sdk/util/tensor.ts';

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 });

/** A shape, a permutation of its axes, and another shape of the same size. */
const problems = shapes.chain((base) =>
  fc.record({
    base: fc.constant(base),
    perm: fc.shuffledSubarray(
      base.map((_, i) => i),
      { minLength: base.length, maxLength: base.length },
    ),
    cuts: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
  }),
);

/** Merges neighbouring axes (or splits off ones) as the bits say. */
function remodel(shape: readonly number[], cuts: readonly boolean[]): number[] {
  const out: number[] = [];
  shape.forEach((d, i) => {
    if (cuts[i] && out.length > 0) out[out.length - 1]! *= d;
    else out.push(d);
    if (cuts[i + 6]) out.push(1);
  });
  return out;
}

test('reshapeThrough', () => {
  let pushed = 0;
  fc.assert(
    fc.property(problems, ({ base, perm, cuts }) => {
      const x = sample(base);
      const view = transposed(x, perm);
      const shape = remodel(view.shape, cuts);
      const through = reshapeThrough(base, perm, shape);
      if (!through) return;
      pushed++;
      assert.is(sizeOf(through.shape), sizeOf(shape));
      const y = transposed(reshaped(x, through.shape), through.perm);
      assert.equal(y.shape, shape);
      assert.equal(toNumbers(y), toNumbers(view));
    }),
    { numRuns: 1000, seed: 5 },
  );
  assert.ok(pushed > 200, `only ${pushed} of 1000 could be pushed`);
});

test('a free transposition leaves the bytes alone, and only such a one does', () => {
  fc.assert(
    fc.property(problems, ({ base, perm }) => {
      const x = sample(base);
      const moved = toNumbers(transposed(x, perm)).some((v, i) => v !== x.data[i]);
      assert.is(isFree(base, perm), !moved);
    }),
    { numRuns: 500, seed: 6 },
  );
});

test('composed permutations are one after the other', () => {
  const x = sample([2, 3, 4, 5]);
  const [p, q] = [
    [2, 0, 3, 1],
    [1, 3, 0, 2],
  ];
  assert.equal(transposed(transposed(x, p), q), transposed(x, compose(p, q)));
});

test.run();
