import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  coarse,
  coarsen,
  coarseningError,
  codeCounts,
  fittingPoints,
  largestCodes,
  MAX_PLANES,
  pointOf,
  pointsOf,
  refinementOrder,
} from '../../../sdk/util/nested.ts';
import { normalCodes } from '../../support/codes.ts';

const ALL = Int8Array.from({ length: 256 }, (_, i) => i - 128);

test('coarse values nest, are symmetric, and a digit brings each back', () => {
  for (const q of ALL) {
    assert.is(coarse(q, 0), q);
    assert.is(coarse(-q, 1), 0 - coarse(q, 1));
    assert.is(coarse(coarse(q, 1), 1), coarse(q, 2));
    assert.ok(Math.abs(q - 3 * coarse(q, 1)) <= 1);
    assert.ok(Math.abs(q - 9 * coarse(q, 2)) <= 4);
  }
});

test('points are symmetric, no larger than the codes there are, and of no more bits than what they stand for', () => {
  for (const [sd, limit] of [
    [1, 3],
    [3, 7],
    [3, 15],
    [12, 63],
    [40, 127],
  ] as const) {
    const codes = normalCodes(16, 200, sd, limit);
    const largest = codes.reduce((most, q) => Math.max(most, Math.abs(q)), 0);
    for (const level of [1, 2]) {
      const points = pointsOf(codeCounts(codes), level);
      const back = coarsen(codes, points);
      back.forEach((p, i) => {
        const q = codes[i]!;
        assert.is(p, pointOf(coarse(q, level), points));
        assert.ok(Math.abs(p) <= largest);
        // Stands for q and others; with q in the middle of them it is q's neighbour.
        if (p !== 0) assert.ok(32 - Math.clz32(Math.abs(p)) <= 32 - Math.clz32(Math.abs(q)), `${p} for ${q}`);
      });
      const mean = back.reduce((sum, p, i) => sum + p - codes[i]!, 0) / codes.length;
      assert.ok(Math.abs(mean) < 0.1, `mean error ${mean} at level ${level}`);
    }
  }
});

test('no receiver of a part has larger codes than are known beforehand, whatever the points', () => {
  for (const limit of [7, 63, 127]) {
    const codes = normalCodes(16, 200, limit / 4, limit);
    const largest = largestCodes(codes);
    assert.ok(largest.some((p, i) => Math.abs(p) > Math.abs(codes[i]!)));
    assert.ok(largest.every((p, i) => Math.sign(p) === Math.sign(codes[i]!)));
    for (let level = 0; level <= MAX_PLANES; level++)
      for (const fits of [
        () => true,
        (coarse: Int8Array) => coarse.every((q, i) => Math.abs(q) <= Math.abs(codes[i]!)),
      ])
        coarsen(codes, fittingPoints(codes, level, fits)).forEach((p, i) => {
          assert.ok(Math.abs(p) <= Math.abs(largest[i]!), `${p} for ${codes[i]} at level ${level}`);
        });
  }
});

test('the error of a level is that of its codes, and grows with the level', () => {
  const codes = normalCodes(8, 500, 3);
  const counts = codeCounts(codes);
  const errors = [1, 2].map((level) => {
    const points = pointsOf(counts, level);
    const back = coarsen(codes, points);
    const error = coarseningError(counts, points);
    assert.is(
      error,
      codes.reduce((sum, q, i) => sum + (q - back[i]!) ** 2, 0),
    );
    return error;
  });
  assert.ok(errors[0]! > 0.5 * codes.length && errors[0]! < 0.7 * codes.length);
  assert.ok(errors[1]! > errors[0]!);
});

test('points that do not fit move to the smallest codes, the fewest that do', () => {
  const codes = normalCodes(8, 500, 5);
  const largest = (c: Int8Array): number => c.reduce((most, q) => Math.max(most, q), 0);
  const sum = (c: Int8Array): number => c.reduce((s, q) => s + Math.abs(q), 0);
  const free = pointsOf(codeCounts(codes), 1);
  assert.equal(
    fittingPoints(codes, 1, () => true),
    free,
  );
  const some = fittingPoints(codes, 1, (c) => sum(c) < sum(coarsen(codes, free)));
  assert.ok(some.inner > 1 && some.inner <= coarse(largest(codes), 1));
  const all = fittingPoints(codes, 1, () => false);
  assert.is(all.inner, 1);
  coarsen(codes, all).forEach((p, i) => {
    assert.ok(Math.abs(p) <= Math.abs(codes[i]!));
  });
});

test('refinements come by their worth for their bytes, those of one layer in order', () => {
  const codes = normalCodes(8, 500, 4);
  const points = [1, 2].map((level) => pointsOf(codeCounts(codes), level));
  const order = refinementOrder([
    { codes, gain: 1, bytes: [100, 100], points },
    { codes, gain: 10, bytes: [100, 100], points },
    { codes, gain: 0, bytes: [100], points: points.slice(0, 1) },
    { codes, gain: 1, bytes: [50], points: points.slice(0, 1) },
  ]);
  assert.equal(
    order.map(({ item, level }) => `${item}${level}`),
    ['11', '10', '01', '30', '00', '20'],
  );
  assert.equal(refinementOrder([]), []);
});

test.run();
