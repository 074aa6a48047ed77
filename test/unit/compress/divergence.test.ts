import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { referenceOf, type Score, scoreOf, scoresOf, withBaselines } from '../../../sdk/compress/divergence.ts';
import type { Evaluation } from '../../../sdk/compress/evaluate.ts';
import { gateOf } from '../../../sdk/compress/gate.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';

const y = (shape: number[], data: number[]) => ({ y: tensor('f32', shape, data) });

test('divergence of probabilities and logits is the Kullback-Leibler one', () => {
  const p = [0.5, 0.25, 0.25];
  const q = [0.25, 0.25, 0.5];
  const want = 0.5 * Math.log(2) + 0.25 * Math.log(0.5);
  for (const kind of ['probabilities', 'logits'] as const) {
    const of = (v: number[]): number[] => (kind === 'logits' ? v.map((x) => Math.log(x) + 3) : v);
    const s = scoreOf(referenceOf([{ name: 'y', kind }], y([1, 3], of(p)), 1), y([1, 3], of(q)));
    assert.ok(Math.abs(s.divergence - want) < 1e-6);
    assert.is(s.agreeing, 0);
    assert.ok(Math.abs(s.kept / s.full - 0.5) < 1e-6);
  }
});

test('equal outputs have no divergence, of any kind', () => {
  for (const kind of ['probabilities', 'logits', 'sigmoid', 'squared'] as const) {
    const out = y([2, 2], [0.3, 0.7, 0.9, 0.1]);
    const s = scoreOf(referenceOf([{ name: 'y', kind }], out, 1), out);
    assert.ok(Math.abs(s.divergence) < 1e-9, kind);
    assert.ok(Math.abs(s.agreeing / s.rows - 1) < 1e-9 && Math.abs(s.kept / s.full - 1) < 1e-9, kind);
  }
});

test('of many sigmoid classes, knowing only which are rare keeps nothing', () => {
  const classes = 20;
  const answers = Array.from({ length: classes }, (_, k) =>
    y(
      [1, classes],
      Array.from({ length: classes }, (_v, c) => (c === k ? 0.9 : 0.01)),
    ),
  );
  const references = withBaselines(answers.map((a) => referenceOf([{ name: 'y', kind: 'sigmoid' }], a, 1)));
  const kept = (outputs: (k: number) => { y: Tensor<'f32'> }): number => {
    const scores = references.map((r, k) => scoreOf(r, outputs(k)));
    const sum = (f: (s: Score) => number): number => scores.reduce((total, s) => total + f(s), 0);
    return sum((s) => s.kept) / sum((s) => s.full);
  };
  assert.ok(Math.abs(kept((k) => answers[k]!) - 1) < 1e-6);
  const mean = y([1, classes], new Array<number>(classes).fill((0.9 + 19 * 0.01) / classes));
  assert.ok(kept(() => mean) < 1e-6);
  assert.ok(kept((k) => answers[(k + 1) % classes]!) === 0);
});

test('of single values, what is explained of their variance over all samples', () => {
  const answers = [0.01, 0.5, 0.9, 0.02].map((v) => y([1, 1], [v]));
  const references = withBaselines(answers.map((a) => referenceOf([{ name: 'y', kind: 'squared' }], a, 1)));
  const off = [0.02, 0.5, 0.9, 0.02].map((v) => y([1, 1], [v]));
  const scores = references.map((r, k) => scoreOf(r, off[k]!));
  const mean = (0.01 + 0.5 + 0.9 + 0.02) / 4;
  const variance = [0.01, 0.5, 0.9, 0.02].reduce((sum, v) => sum + (v - mean) ** 2, 0);
  const kept = scores.reduce((sum, s) => sum + s.kept, 0) / scores.reduce((sum, s) => sum + s.full, 0);
  assert.ok(Math.abs(kept - (1 - 0.01 ** 2 / variance)) < 1e-6, `${kept}`);
});

const score = { divergence: 0.01, rows: 1, agreeing: 1, kept: 0.99, full: 1 };
const scores = Array.from({ length: 30 }, (_, i) => (i < 3 ? { ...score, kept: 0.7, agreeing: 0 } : score));
const evaluation: Evaluation = { samples: 30, scores, measure: { kind: 'score' }, changes: [], metric: undefined };

test('gate: point, interval and a metric of the caller', () => {
  const g = gateOf(evaluation, 0.95, 1);
  assert.ok(g.low < g.quality && g.quality < g.high && g.passed);
  assert.is(g.agreement, 0.9);
  const metric = scores.map(() => ({ compressed: 1, original: 2 }));
  assert.is(gateOf({ ...evaluation, metric }, 0.95, 1).quality, 0.5);
});

test('gate: passed with the whole interval, uncertain with the point alone, else failed', () => {
  const { quality, low } = gateOf(evaluation, 0, 1);
  const verdict = (minQuality: number): string => gateOf(evaluation, minQuality, 1).verdict;
  assert.equal([low, (low + quality) / 2, quality + 1e-6].map(verdict), ['passed', 'uncertain', 'failed']);
});

test('gate: texts keep their likelihood', () => {
  const g = gateOf({ ...evaluation, measure: { kind: 'likelihood' } }, 0.95, 1);
  assert.ok(Math.abs(g.quality - Math.exp(-0.01)) < 1e-9 && g.low === g.quality);
});

test('scores of blocks of rows sum to that of the sample', () => {
  const p = y(
    [8, 2],
    [9, 1, 7, 3, 4, 6, 2, 8, 9, 1, 7, 3, 4, 6, 2, 8].map((v) => v / 10),
  );
  const q = y(
    [8, 2],
    [8, 2, 4, 6, 3, 7, 3, 7, 8, 2, 4, 6, 3, 7, 3, 7].map((v) => v / 10),
  );
  const reference = referenceOf([{ name: 'y', kind: 'probabilities' }], p, 1);
  const blocks = scoresOf(reference, q, 4);
  assert.equal(
    blocks.map((b) => b.rows),
    [2, 2, 2, 2],
  );
  const whole = scoreOf(reference, q);
  for (const key of ['divergence', 'agreeing', 'kept', 'full'] as const)
    assert.ok(Math.abs(blocks.reduce((sum, b) => sum + b[key], 0) - whole[key]) < 1e-9, key);
  // More blocks than rows: those without any are left out.
  assert.is(scoresOf(reference, q, 20).length, 8);
});

test.run();
