import { bootstrapRatio, type Interval } from '../util/stats.ts';
import { type Answers, expectedQuality, expectedScore } from './answers.ts';
import type { Evaluation } from './evaluate.ts';

/**
 * What the share of the original's quality is a share of, when nothing but the original is known:
 *  - likelihood: of the probability that a text has, a token. The original's predictions being true, the mean log-likelihood falls by the
 *    divergence, so this is the ratio of perplexities.
 *  - answers: of right answers, for samples that are one answer each (answers.ts).
 *  - score: of right answers or explained variance, sample by sample (divergence.ts: Score).
 */
export type QualityMeasure =
  | { readonly kind: 'likelihood' }
  | { readonly kind: 'answers'; readonly answers: Answers }
  | { readonly kind: 'score' };

/** Share of the original's quality that is kept, with its 95 % interval. */
export interface Quality extends Interval {
  readonly quality: number;
  /** How it was measured. */
  readonly measure: string;
}

/** Paired bootstrap over samples, or blocks of rows where samples are few; the caller's own metric goes first where there is one. */
export function qualityOf({ scores, metric, measure, changes }: Evaluation, seed: number): Quality {
  if (metric) {
    const [kept, full] = [metric.map((m) => m.compressed), metric.map((m) => m.original)];
    return { ...ratioOf(kept, full, seed), measure: 'metric' };
  }
  if (measure.kind === 'likelihood') {
    const { quality, low, high } = ratioOf(
      scores.map((s) => s.divergence),
      scores.map((s) => s.rows),
      seed,
    );
    const kept = { quality: Math.exp(-quality), low: Math.exp(-high), high: Math.exp(-low) };
    return { ...kept, measure: "expected perplexity under the original's own predictions" };
  }
  const named = { measure: "expected score under the original's own predictions" };
  if (measure.kind === 'answers') return { ...expectedScore(measure.answers, changes, seed), ...named };
  const [kept, full] = [scores.map((s) => s.kept), scores.map((s) => s.full)];
  return { ...ratioOf(kept, full, seed), ...named };
}

/** The quality of `qualityOf` without its interval, where that is soon told. */
export function qualityAlone(evaluation: Evaluation, seed: number): number {
  const { metric, measure, changes } = evaluation;
  if (metric || measure.kind !== 'answers') return qualityOf(evaluation, seed).quality;
  return expectedQuality(measure.answers, changes, seed);
}

function ratioOf(kept: readonly number[], full: readonly number[], seed: number): Omit<Quality, 'measure'> {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return { quality: sum(full) === 0 ? 1 : sum(kept) / sum(full), ...bootstrapRatio(kept, full, seed) };
}
