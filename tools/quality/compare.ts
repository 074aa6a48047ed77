import type { Tensor } from '../../sdk/index.ts';
import { bootstrapRatio } from '../../sdk/util/stats.ts';
import { logSumExp } from './language.ts';
import { argmax, type Evaluation, floatsOf, type QualityTask } from './task.ts';

/** A model to be judged: inputs of one sample in, the output that the metric reads out. */
export type Forward = (inputs: Readonly<Record<string, Tensor>>) => Promise<Tensor>;

export interface Judgement {
  /** The metric of this model. */
  readonly score: number;
  /** Kept of the original's quality: ratio of shares, or original's perplexity / ours. With the 95 % interval of a paired bootstrap over samples. */
  readonly retention: number;
  readonly low: number;
  readonly high: number;
  /** Share of counted output rows with the same largest value as the original. */
  readonly agreement: number;
  /** Mean divergence of a counted row from the original's, nats: Kullback-Leibler, summed over classes of their own for sigmoid rows. */
  readonly divergence: number;
}

export interface TaskComparison {
  readonly samples: number;
  /** Sum of the weights: predictions that were scored. */
  readonly counted: number;
  readonly original: number;
  /** Standard error of `original`, the samples taken as a random draw. */
  readonly standardError: number;
  readonly models: readonly Judgement[];
}

const SEED = 20240607;

/** Sums of one model over the samples. */
interface Sums {
  readonly score: Float64Array;
  rows: number;
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
): Promise<TaskComparison> {
  const samples = Math.min(limit, evaluation.count);
  const [base, weight] = [new Float64Array(samples), new Float64Array(samples)];
  const sums = models.map((): Sums => ({ score: new Float64Array(samples), rows: 0, equal: 0, divergence: 0 }));
  for (let s = 0; s < samples; s++) {
    const i = Math.floor((s * evaluation.count) / samples);
    const inputs = await evaluation.inputs(i);
    const theirs = await original(inputs);
    [base[s], weight[s]] = evaluation.score(i, theirs) as [number, number];
    for (const [m, model] of models.entries()) {
      const ours = await model(inputs);
      sums[m]!.score[s] = evaluation.score(i, ours)[0];
      addRows(sums[m]!, task, theirs, ours, (row) => evaluation.counts?.(i, row) ?? true);
    }
  }
  const total = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
  const scoreOf = (values: Float64Array): number =>
    task.measure === 'share' ? total(values) / total(weight) : Math.exp(total(values) / total(weight));
  return {
    samples,
    counted: total(weight),
    original: scoreOf(base),
    standardError: standardErrorOf(base, weight) * (task.measure === 'share' ? 1 : scoreOf(base)),
    models: sums.map((m) => ({
      score: scoreOf(m.score),
      ...retentionOf(task, base, m.score, weight),
      agreement: m.equal / m.rows,
      divergence: m.divergence / m.rows,
    })),
  };
}

/** Of a ratio of sums (linearised; Cochran 1977, section 2.11). */
function standardErrorOf(sums: Float64Array, weights: Float64Array): number {
  const weight = weights.reduce((a, b) => a + b, 0);
  const ratio = sums.reduce((a, b) => a + b, 0) / weight;
  return Math.sqrt(sums.reduce((total, s, i) => total + (s - ratio * weights[i]!) ** 2, 0)) / weight;
}

function retentionOf(
  task: QualityTask,
  base: Float64Array,
  ours: Float64Array,
  weight: Float64Array,
): Pick<Judgement, 'retention' | 'low' | 'high'> {
  const total = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
  if (task.measure === 'share') return { retention: total(ours) / total(base), ...bootstrapRatio(ours, base, SEED) };
  const saved = base.map((loss, i) => loss - ours[i]!);
  const { low, high } = bootstrapRatio(saved, weight, SEED);
  return { retention: Math.exp(total(saved) / total(weight)), low: Math.exp(low), high: Math.exp(high) };
}

function addRows(sums: Sums, task: QualityTask, theirs: Tensor, ours: Tensor, counts: (row: number) => boolean): void {
  const classes = theirs.shape[theirs.shape.length - 1]!;
  const [a, b] = [floatsOf(theirs), floatsOf(ours)];
  if (a.length !== b.length) throw new Error(`${task.id}: outputs of ${a.length} and ${b.length} values`);
  const divergence = task.rows === 'sigmoid' ? divergenceOfSigmoids : divergenceOfSoftmax;
  for (let row = 0; row < a.length / classes; row++) {
    if (!counts(row)) continue;
    sums.rows++;
    sums.equal += Number(argmax(a, row * classes, classes) === argmax(b, row * classes, classes));
    sums.divergence += divergence(a, b, row * classes, classes);
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
