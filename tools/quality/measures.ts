import type { Tensor } from '../../sdk/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { bootstrapRatio } from '../../sdk/util/stats.ts';
import { type Evaluation, floatsOf, type QualityTask } from './task.ts';

/** A model's metric and what of the original's it keeps, with the 95 % interval of a paired bootstrap over samples. */
export interface Kept {
  readonly score: number;
  readonly retention: number;
  readonly low: number;
  readonly high: number;
}

/** Gathers the answers of the original (model 0) and of others to the same samples. */
export interface Measure {
  add(model: number, sample: number, output: Tensor): void;
  /** Predictions that were scored. */
  counted(): number;
  original(): number;
  /** Of `original`, the samples taken as a random draw. */
  standardError(): number;
  kept(model: number): Kept;
}

const SEED = 20240607;

export function measureFor(task: QualityTask, evaluation: Evaluation): Measure {
  return task.measure === 'auc' ? new Ranking(evaluation) : new Sums(task.measure, evaluation);
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Ratios of sums over samples: shares, and perplexities as exp of a mean of -log p. */
class Sums implements Measure {
  private readonly kind: 'share' | 'perplexity';
  private readonly evaluation: Evaluation;
  private readonly sums: number[][] = [];
  private readonly weights: number[] = [];

  constructor(kind: 'share' | 'perplexity', evaluation: Evaluation) {
    this.kind = kind;
    this.evaluation = evaluation;
  }

  add(model: number, sample: number, output: Tensor): void {
    const [sum, weight] = this.evaluation.score!(sample, output);
    this.sums[model] ??= [];
    this.sums[model].push(sum);
    if (model === 0) this.weights.push(weight);
  }

  counted(): number {
    return total(this.weights);
  }

  original(): number {
    return this.scoreOf(0);
  }

  private scoreOf(model: number): number {
    const mean = total(this.sums[model] ?? []) / this.counted();
    return this.kind === 'share' ? mean : Math.exp(mean);
  }

  /** Of a ratio of sums (linearised; Cochran 1977, section 2.11). */
  standardError(): number {
    const sums = this.sums[0]!;
    const ratio = total(sums) / this.counted();
    const squares = total(sums.map((s, i) => (s - ratio * this.weights[i]!) ** 2));
    return (Math.sqrt(squares) / this.counted()) * (this.kind === 'share' ? 1 : this.original());
  }

  kept(model: number): Kept {
    const [base, ours] = [this.sums[0]!, this.sums[model]!];
    const score = this.scoreOf(model);
    if (this.kind === 'share')
      return { score, retention: total(ours) / total(base), ...bootstrapRatio(ours, base, SEED) };
    const saved = base.map((loss, i) => loss - ours[i]!);
    const { low, high } = bootstrapRatio(saved, this.weights, SEED);
    return { score, retention: Math.exp(total(saved) / this.counted()), low: Math.exp(low), high: Math.exp(high) };
  }
}

const ROUNDS = 2000;

/**
 * Area under the ROC curve: the share of pairs of a positive and a negative prediction that are in the right order (Mann-Whitney). A
 * sample is a sequence of predictions with `labels`; samples are resampled as a whole, since predictions of one are not independent.
 */
class Ranking implements Measure {
  private readonly evaluation: Evaluation;
  /** Predictions by model and sample, and the labels of the samples. */
  private readonly scores: Float32Array[][] = [];
  private readonly labels: ArrayLike<number>[] = [];

  constructor(evaluation: Evaluation) {
    this.evaluation = evaluation;
  }

  add(model: number, sample: number, output: Tensor): void {
    this.scores[model] ??= [];
    this.scores[model].push(floatsOf(output));
    if (model === 0) this.labels.push(this.evaluation.labels!(sample));
  }

  counted(): number {
    return this.labels.reduce((n, l) => n + l.length, 0);
  }

  original(): number {
    return areaOf(this.pairs(0), ones(this.labels.length));
  }

  standardError(): number {
    const pairs = this.pairs(0);
    const areas = this.draws().map((weights) => areaOf(pairs, weights));
    const mean = total(areas) / areas.length;
    return Math.sqrt(total(areas.map((a) => (a - mean) ** 2)) / areas.length);
  }

  kept(model: number): Kept {
    const [base, ours] = [this.pairs(0), this.pairs(model)];
    const all = ones(this.labels.length);
    const ratios = this.draws().map((weights) => areaOf(ours, weights) / areaOf(base, weights));
    ratios.sort((a, b) => a - b);
    const at = (share: number): number => ratios[Math.round(share * (ratios.length - 1))]!;
    const score = areaOf(ours, all);
    return { score, retention: score / areaOf(base, all), low: at(0.025), high: at(0.975) };
  }

  /** How often each sample is in a draw with replacement; the same draws for every model. Draws of one class are left out. */
  private draws(): number[][] {
    const rng = new Rng(SEED);
    const n = this.labels.length;
    return Array.from({ length: ROUNDS }, () => {
      const weights = Array<number>(n).fill(0);
      for (let i = 0; i < n; i++) weights[rng.below(n)]!++;
      return weights;
    }).filter((weights) => Number.isFinite(areaOf(this.pairs(0), weights)));
  }

  private readonly known = new Map<number, Pairs>();

  private pairs(model: number): Pairs {
    const pairs = this.known.get(model) ?? pairsOf(this.scores[model]!, this.labels);
    this.known.set(model, pairs);
    return pairs;
  }
}

/** Of positives of sample a and negatives of sample b: those in the right order (ties are half), and all. */
interface Pairs {
  readonly right: readonly (readonly number[])[];
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
}

const ones = (n: number): number[] => Array<number>(n).fill(1);

function pairsOf(scores: readonly Float32Array[], labels: readonly ArrayLike<number>[]): Pairs {
  const of = (positive: boolean): Float32Array[] =>
    scores.map((s, i) => s.filter((_, t) => labels[i]![t]! > 0 === positive).sort());
  const [positives, negatives] = [of(true), of(false)];
  return {
    right: positives.map((p) => negatives.map((n) => inOrder(p, n))),
    positives: positives.map((p) => p.length),
    negatives: negatives.map((n) => n.length),
  };
}

/** Pairs with the first larger, both lists ascending. */
function inOrder(positives: Float32Array, negatives: Float32Array): number {
  let [below, equal, sum] = [0, 0, 0];
  for (const p of positives) {
    while (below < negatives.length && negatives[below]! < p) below++;
    equal = Math.max(equal, below);
    while (equal < negatives.length && negatives[equal]! === p) equal++;
    sum += below + (equal - below) / 2;
  }
  return sum;
}

function areaOf({ right, positives, negatives }: Pairs, weights: readonly number[]): number {
  const sum = right.reduce((s, row, a) => s + weights[a]! * row.reduce((t, v, b) => t + weights[b]! * v, 0), 0);
  const count = (values: readonly number[]): number => values.reduce((s, v, i) => s + weights[i]! * v, 0);
  return sum / (count(positives) * count(negatives));
}
