import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inspectPath, type Tensor } from '../../../sdk/index.ts';
import { onnxModel } from '../../../sdk/testing/index.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { compareOn } from '../../../tools/quality/compare.ts';
import { originalParameters } from '../../../tools/quality/parameters.ts';
import { decodePng } from '../../../tools/quality/png.ts';
import { argmax, type Evaluation, type Forward, floatsOf, type QualityTask } from '../../../tools/quality/task.ts';
import { builtModels } from '../../../tools/speed/built.ts';

const near = (got: number, expected: number): void =>
  assert.ok(Math.abs(got - expected) < 1e-6, `${got}, expected ${expected}`);

const LABELS = [0, 1, 1, 0];
const row = (values: readonly number[]): Tensor => tensor('f32', [1, values.length], values);

function taskOf(measure: QualityTask['measure'], score: NonNullable<Evaluation['score']>): [QualityTask, Evaluation] {
  const evaluation: Evaluation = { count: LABELS.length, inputs: async (i) => ({ i: row([i]) }), score };
  const task: QualityTask = {
    id: 'small',
    model: '',
    metric: measure,
    measure,
    rows: 'softmax',
    published: { score: 1, samples: LABELS.length },
    calibration: async () => '',
    evaluation: async () => evaluation,
  };
  return [task, evaluation];
}

const indexOf = (inputs: Readonly<Record<string, Tensor>>): number => Number(inputs.i!.data[0]);

test('shares: retention, agreement and divergence against the original', async () => {
  const [task, evaluation] = taskOf('share', (i, output) => [Number(argmax(floatsOf(output), 0, 2) === LABELS[i]), 1]);
  const right: Forward = async (inputs) => ({ y: row(LABELS[indexOf(inputs)] ? [0.2, 0.8] : [0.8, 0.2]) });
  const always: Forward = async () => ({ y: row([0.8, 0.2]) });
  const result = await compareOn(task, evaluation, right, [right, always]);
  assert.is(result.original, 1);
  assert.is(result.samples, 4);
  near(result.models[0]!.divergence, 0);
  assert.is(result.models[0]!.agreement, 1);
  assert.equal([result.models[1]!.retention, result.models[1]!.agreement], [0.5, 0.5]);
  // Two of four rows: 0.2 ln(0.2 / 0.8) + 0.8 ln(0.8 / 0.2).
  near(result.models[1]!.divergence, (0.6 * Math.log(4)) / 2);
  assert.ok(result.models[1]!.low < 0.5 && result.models[1]!.high > 0.5);
});

test('perplexity: logits, and quality is the ratio of perplexities', async () => {
  const [task, evaluation] = taskOf('perplexity', (i, output) => {
    const logits = floatsOf(output);
    return [Math.log(Math.exp(logits[0]!) + Math.exp(logits[1]!)) - logits[LABELS[i]!]!, 1];
  });
  const sharp: Forward = async (inputs) => ({
    y: row(LABELS[indexOf(inputs)] ? [-1, Math.log(3) - 1] : [Math.log(3) - 1, -1]),
  });
  const flat: Forward = async () => ({ y: row([5, 5]) });
  const result = await compareOn(task, evaluation, sharp, [flat]);
  near(result.original, 4 / 3);
  near(result.models[0]!.score, 2);
  near(result.models[0]!.retention, 2 / 3);
});

test('area under the curve: pairs in order over all samples, answers of several runs', async () => {
  // Two sequences of three predictions; one pair of four in each, and some across, is in the wrong order for the second model.
  const labels = [
    [1, 0, 0],
    [1, 1, 0],
  ];
  const [, base] = taskOf('share', () => [0, 0]);
  const runs: number[] = [];
  const evaluation: Evaluation = {
    ...base,
    count: 2,
    labels: (i) => labels[i]!,
    run: async (model, i) => {
      const answers = [];
      for (let t = 0; t < 3; t++) answers.push(floatsOf((await model({ i: row([3 * i + t]) })).y!)[0]!);
      runs.push(i);
      return tensor('f32', [3, 1], answers);
    },
  };
  const [task] = taskOf('auc', () => [0, 0]);
  const of =
    (values: readonly number[]): Forward =>
    async (inputs) => ({ y: row([values[indexOf(inputs)]!]) });
  const right = of([0.9, 0.1, 0.2, 0.8, 0.7, 0.3]);
  const worse = of([0.25, 0.1, 0.2, 0.8, 0.3, 0.3]);
  const result = await compareOn({ ...task, rows: 'sigmoid' }, evaluation, right, [right, worse]);
  assert.equal(runs, [0, 0, 0, 1, 1, 1]);
  assert.equal([result.samples, result.counted, result.original], [2, 6, 1]);
  assert.equal([result.models[0]!.retention, result.models[0]!.agreement, result.models[0]!.divergence], [1, 1, 0]);
  // Of nine pairs one is wrong (0.25 below 0.3) and one a tie.
  near(result.models[1]!.score, 7.5 / 9);
  near(result.models[1]!.agreement, 4 / 6);
  assert.ok(result.models[1]!.low <= 7.5 / 9 && result.models[1]!.high <= 1);
});

test('a limit takes samples spread over all', async () => {
  const seen: number[] = [];
  const [task, evaluation] = taskOf('share', (i) => {
    seen.push(i);
    return [1, 1];
  });
  await compareOn(task, evaluation, async () => ({ y: row([1, 0]) }), [], 2);
  assert.equal(seen, [0, 2]);
});

test('parameters of a file: initializers and weights in constant nodes, f32 only', () => {
  const file = onnxModel({
    inputs: [{ name: 'x', shape: [1, 2] }],
    outputs: [{ name: 'y' }],
    initializers: { w: tensor('f32', [2, 3]), shape: tensor('i64', [2], [1, 3]) },
    nodes: [
      { op: 'Constant', inputs: [], outputs: ['b'], attrs: { value: { tensor: tensor('f32', [3]) } } },
      { op: 'Gemm', inputs: ['x', 'w', 'b'], outputs: ['y'] },
    ],
  });
  assert.is(originalParameters(file), 9);
});

/** A PNG of which only what the decoder reads is right: the checksums are zero. */
function png(width: number, height: number, colour: number, raw: readonly number[]): Uint8Array {
  const chunk = (kind: string, body: Uint8Array): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, Buffer.from(kind, 'latin1'), body, Buffer.alloc(4)]);
  };
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, colour, 0, 0, 0]);
  return Buffer.concat([
    Buffer.alloc(8),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.from(raw))),
    chunk('IEND', new Uint8Array()),
  ]);
}

test('PNG: every filter, grey and RGB, others refused', () => {
  const grey = png(2, 5, 0, [0, 10, 20, 1, 10, 10, 2, 5, 5, 3, 10, 10, 4, 1, 2]);
  const pixels = [10, 20, 10, 20, 15, 25, 17, 31, 18, 33];
  assert.equal(
    [...decodePng(grey).rgb],
    pixels.flatMap((v) => [v, v, v]),
  );
  assert.equal([...decodePng(png(1, 2, 2, [0, 1, 2, 3, 2, 1, 1, 1])).rgb], [1, 2, 3, 2, 3, 4]);
  assert.throws(() => decodePng(png(1, 1, 6, [0, 1, 2, 3, 4])), /colour type 6/);
});

test('the built models of the speed benchmark can be read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'eigenweights-built-'));
  try {
    for (const model of await builtModels(folder)) assert.is((await inspectPath(model)).kind, 'model');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
