import type { Tensor } from '../../sdk/index.ts';
import { logSumExp } from './language.ts';
import { type Kept, measureFor } from './measures.ts';
import { argmax, type Evaluation, type Forward, floatsOf, type QualityTask } from './task.ts';

export interface Judgement extends Kept {
  /** Share of counted output rows with the same largest value as the original; of single probabilities, on the same side of a half. */
  readonly agreement: number;
  /** Mean divergence of a counted row from the original's, nats: Kullback-Leibler, summed over classes of their own for sigmoid rows. */
  readonly divergence: number;
}

export interface TaskComparison {
  readonly samples: number;
  /** Predictions that were scored. */
  readonly counted: number;
  readonly original: number;
  /** Standard error of `original`, the samples taken as a random draw. */
  readonly standardError: number;
  readonly models: readonly Judgement[];
}

/** Output rows of one model against the original's. */
interface Rows {
  count: number;
  equal: number;
  divergence: number;
}

/** Runs the original and the models on the same samples, one at a time. `limit` takes samples evenly spread over all of them. */
export async function compareOn(
  task: QualityTask,
  evaluation: Evaluation,
  original: Forward,
  models: readonly Forward[],
  limit = evaluation.count,
  onSample: (done: number, total: number) => void = () => {},
): Promise<TaskComparison> {
  const samples = Math.min(limit, evaluation.count);
  const measure = measureFor(task, evaluation);
  const rows = models.map((): Rows => ({ count: 0, equal: 0, divergence: 0 }));
  for (let s = 0; s < samples; s++) {
    const i = Math.floor((s * evaluation.count) / samples);
    const theirs = await answerOf(evaluation, original, i);
    measure.add(0, i, theirs);
    for (const [m, model] of models.entries()) {
      const ours = await answerOf(evaluation, model, i);
      measure.add(m + 1, i, ours);
      addRows(rows[m]!, task, theirs, ours, (row) => evaluation.counts?.(i, row) ?? true);
    }
    onSample(s + 1, samples);
  }
  return {
    samples,
    counted: measure.counted(),
    original: measure.original(),
    standardError: measure.standardError(),
    models: rows.map((r, m) => ({
      ...measure.kept(m + 1),
      agreement: r.equal / r.count,
      divergence: r.divergence / r.count,
    })),
  };
}

/** A model's answer to one sample: its first output, or what the task makes of several runs. */
async function answerOf(evaluation: Evaluation, model: Forward, index: number): Promise<Tensor> {
  if (evaluation.run) return evaluation.run(model, index);
  return firstOf(await model(await evaluation.inputs(index)));
}

export function firstOf(outputs: Readonly<Record<string, Tensor>>): Tensor {
  const first = Object.values(outputs)[0];
  if (first === undefined) throw new Error('the model has no output');
  return first;
}

function addRows(rows: Rows, task: QualityTask, theirs: Tensor, ours: Tensor, counts: (row: number) => boolean): void {
  const classes = theirs.shape[theirs.shape.length - 1]!;
  const [a, b] = [floatsOf(theirs), floatsOf(ours)];
  if (a.length !== b.length) throw new Error(`${task.id}: outputs of ${a.length} and ${b.length} values`);
  const divergence = task.rows === 'sigmoid' ? divergenceOfSigmoids : divergenceOfSoftmax;
  const answer = (values: Float32Array, at: number): number =>
    classes === 1 ? Number(values[at]! > 0.5) : argmax(values, at, classes);
  for (let row = 0; row < a.length / classes; row++) {
    if (!counts(row)) continue;
    rows.count++;
    rows.equal += Number(answer(a, row * classes) === answer(b, row * classes));
    rows.divergence += divergence(a, b, row * classes, classes);
  }
}

const FLOOR = 1e-12;

/** Of rows that are probabilities or logits. */
function divergenceOfSoftmax(theirs: Float32Array, ours: Float32Array, at: number, classes: number): number {
  const [p, q] = [logProbabilities(theirs, at, classes), logProbabilities(ours, at, classes)];
  let sum = 0;
  for (let c = 0; c < classes; c++) sum += Math.exp(p[c]!) * (p[c]! - q[c]!);
  return Math.max(0, sum);
}

function logProbabilities(values: Float32Array, at: number, classes: number): Float64Array {
  let [sum, smallest] = [0, 0];
  for (let c = 0; c < classes; c++) {
    sum += values[at + c]!;
    smallest = Math.min(smallest, values[at + c]!);
  }
  const out = new Float64Array(classes);
  if (smallest >= 0 && Math.abs(sum - 1) < 2e-2) {
    for (let c = 0; c < classes; c++) out[c] = Math.log(Math.max(FLOOR, values[at + c]! / sum));
    return out;
  }
  const norm = logSumExp(values, at, classes);
  for (let c = 0; c < classes; c++) out[c] = values[at + c]! - norm;
  return out;
}

function divergenceOfSigmoids(theirs: Float32Array, ours: Float32Array, at: number, classes: number): number {
  const inside = (p: number): number => Math.min(1 - FLOOR, Math.max(FLOOR, p));
  let sum = 0;
  for (let c = at; c < at + classes; c++) {
    const [p, q] = [inside(theirs[c]!), inside(ours[c]!)];
    sum += p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
  }
  return sum;
}
