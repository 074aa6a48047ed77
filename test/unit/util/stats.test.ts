import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scaleFromLog8 } from '../../../sdk/util/log8.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { bootstrapRatio, entropyBits, maxAbs, rms } from '../../../sdk/util/stats.ts';

test('rng: the same seed, the same numbers; another seed, others', () => {
  const draw = (seed: number): number[] => {
    const r = new Rng(seed);
    return Array.from({ length: 8 }, () => r.next());
  };
  assert.equal(draw(1), draw(1));
  assert.not.equal(draw(1), draw(2));
  const r = new Rng(5);
  let sum = 0;
  let square = 0;
  for (let i = 0; i < 20000; i++) {
    const v = r.normal();
    sum += v;
    square += v * v;
  }
  assert.ok(Math.abs(sum / 20000) < 0.03 && Math.abs(square / 20000 - 1) < 0.05);
  assert.equal(
    [...new Rng(3).permutation(50)].sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

test('rng: strata are ascending, distinct, and one from each part', () => {
  const picked = new Rng(4).strata(103, 10);
  picked.forEach((v, i) => {
    assert.ok(v >= Math.floor((i * 103) / 10) && v < Math.floor(((i + 1) * 103) / 10));
  });
  assert.equal([...new Rng(4).strata(3, 10)], [0, 1, 2]);
});

test('entropy, rms, largest magnitude', () => {
  assert.is(entropyBits(Int8Array.of(0, 1, 2, 3)), 2);
  assert.is(entropyBits(Int8Array.of(5, 5, 5)), 0);
  assert.is(rms([3, 4], 0, 2), Math.sqrt(12.5));
  assert.is(maxAbs([1, -7, 3]), 7);
});

test('bootstrap interval holds the ratio and shrinks with more pairs', () => {
  const pairs = (n: number): { low: number; high: number } => {
    const rng = new Rng(9);
    const a = Array.from({ length: n }, () => (rng.uniform() < 0.9 ? 1 : 0));
    return bootstrapRatio(
      a,
      a.map(() => 1),
      1,
    );
  };
  const [few, many] = [pairs(50), pairs(2000)];
  assert.ok(few.low < 0.9 && few.high > 0.85 && many.low < 0.9 && many.high > 0.9 - 0.02);
  assert.ok(many.high - many.low < few.high - few.low);
  assert.equal(pairs(50), few);
});

test('the log8 table is 2^(j/8) in f32', () => {
  for (let e = -24; e <= 24; e++) {
    const want = 2 ** (e / 8);
    assert.ok(Math.abs(scaleFromLog8(1, e) - want) <= want * 2 ** -24, `exponent ${e}`);
  }
});

test.run();
