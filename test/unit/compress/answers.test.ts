import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { answerOf, changeOf, expectedScore } from '../../../sdk/compress/answers.ts';
import { referenceOf } from '../../../sdk/compress/divergence.ts';
import type { OutputKind } from '../../../sdk/compress/outputs.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { tensor } from '../../../sdk/util/tensor.ts';

const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-6, `${a} ${b}`);

function softmax(logits: readonly number[]): Float32Array {
  const e = logits.map(Math.exp);
  const sum = e.reduce((a, b) => a + b, 0);
  return Float32Array.from(e, (v) => v / sum);
}

test('no change keeps everything; a change counts with what it would do to other answers too', () => {
  const answers = [Float32Array.of(0.7, 0.3), Float32Array.of(0.55, 0.45)];
  const same = expectedScore(
    answers,
    answers.map((p) => changeOf(p, p)),
    1,
  );
  assert.equal([same.quality, same.low, same.high], [1, 1, 1]);
  // Odds of 7 to 3 become 6 to 4: not another answer, but it would be one where odds are 55 to 45.
  const change = changeOf(answers[0]!, Float32Array.of(0.6, 0.4));
  near(expectedScore(answers, [change], 1).quality, (0.7 + 0.45) / (0.7 + 0.55));
  // Of two changes, one of them none, half of that is lost.
  near(expectedScore(answers, [change, new Float32Array(2)], 1).quality, (0.7 + 0.5) / (0.7 + 0.55));
});

interface Pair {
  readonly p: Float32Array;
  readonly q: Float32Array;
}

const CLASSES = 10;

function countedOf(samples: readonly Pair[]): number {
  let [kept, full] = [0, 0];
  for (const { p, q } of samples) {
    kept += p[q.indexOf(Math.max(...q))]!;
    full += Math.max(...p);
  }
  return kept / full;
}

/** Squared errors of ours and of counting, and how often our interval holds the truth: changes of 30 samples, answers of 120. */
function trialsOf(sample: () => Pair): { mine: number; plain: number; bias: number; covered: number } {
  const trials = 60;
  const truth = countedOf(Array.from({ length: 20000 }, sample));
  let [mine, plain, bias, covered] = [0, 0, 0, 0];
  for (let t = 0; t < trials; t++) {
    const samples = Array.from({ length: 120 }, sample);
    const few = samples.slice(0, 30);
    const { quality, low, high } = expectedScore(
      samples.map((s) => s.p),
      few.map((s) => changeOf(s.p, s.q)),
      t,
    );
    mine += (quality - truth) ** 2 / trials;
    plain += (countedOf(few) - truth) ** 2 / trials;
    bias += (quality - truth) / trials;
    covered += Number(low <= truth && truth <= high) / trials;
  }
  return { mine, plain, bias, covered };
}

test('few samples: nearer to what many would say than counting their own answers', () => {
  const rng = new Rng(7);
  const { mine, plain, covered } = trialsOf(() => {
    const logits = Array.from({ length: CLASSES }, () => 2 * rng.normal());
    return { p: softmax(logits), q: softmax(logits.map((v) => v + 0.25 * rng.normal())) };
  });
  assert.ok(mine < 0.75 * plain, `squared errors ${mine} and ${plain}`);
  assert.ok(covered >= 0.85, `${covered} of the intervals hold the truth`);
});

test('changes that take from whatever the answer is, the more the surer it is, are not taken for harmless', () => {
  const rng = new Rng(7);
  const { mine, plain, bias, covered } = trialsOf(() => {
    const logits = Array.from({ length: CLASSES }, () => 2 * rng.normal());
    const most = Math.max(...logits);
    const taken = logits.map((v) => (v === most ? 0.75 * v : v) + 0.2 * rng.normal());
    return { p: softmax(logits), q: softmax(taken) };
  });
  assert.ok(mine < 0.6 * plain, `squared errors ${mine} and ${plain}`);
  assert.ok(Math.abs(bias) < 0.02, `off by ${bias}`);
  assert.ok(covered >= 0.85, `${covered} of the intervals hold the truth`);
});

test('a network that always gives the same answer keeps what that answer is worth', () => {
  const classes = 8;
  const answers = Array.from({ length: 40 }, (_, i) =>
    softmax(Array.from({ length: classes }, (_v, c) => (c === i % classes ? 4 : 0))),
  );
  const stuck = softmax(Array.from({ length: classes }, (_, c) => (c === 0 ? 5 : 0)));
  const { quality, high } = expectedScore(
    answers,
    answers.map((p) => changeOf(p, stuck)),
    1,
  );
  const [right, wrong] = [answers[0]![0]!, answers[1]![0]!];
  near(quality, (right + 7 * wrong) / (8 * right));
  assert.ok(high < 0.4);
});

test('answers: one distribution or one probability a sample', () => {
  const of = (kind: OutputKind, shape: number[], data: number[]): Float32Array | undefined =>
    answerOf(referenceOf([{ name: 'y', kind }], { y: tensor('f32', shape, data) }, 1));
  assert.equal(of('probabilities', [1, 2], [0.25, 0.75]), Float32Array.of(0.25, 0.75));
  assert.equal(of('sigmoid', [1, 1], [0.25]), Float32Array.of(0.75, 0.25));
  assert.is(of('probabilities', [2, 2], [0.25, 0.75, 0.5, 0.5]), undefined);
  assert.is(of('sigmoid', [1, 2], [0.25, 0.75]), undefined);
  assert.is(of('squared', [1, 2], [0.25, 0.75]), undefined);
});

test.run();
