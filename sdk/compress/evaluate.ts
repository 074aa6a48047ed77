import type { Tensor } from '../util/tensor.ts';
import { answerOf, type Change, changeOf } from './answers.ts';
import {
  like,
  type OutputMeasure,
  type Reference,
  referenceOf,
  type Score,
  scoresOf,
  withBaselines,
} from './divergence.ts';
import type { MetricScore } from './gate.ts';
import type { QualityMeasure } from './quality.ts';
import type { Session } from './runner.ts';
import type { Sample, SampleMetric } from './types.ts';

/** Scores that an interval can be drawn from: samples that are fewer are scored in blocks of rows. */
const FEWEST_SCORES = 32;

/** The original's answers to the held-out samples. */
export interface HeldOut {
  readonly samples: readonly Sample[];
  readonly references: readonly Reference[];
  /** Blocks of rows that a sample is scored in. */
  readonly blocks: number;
  readonly measure: QualityMeasure;
  readonly metric: readonly number[] | undefined;
}

export function heldOut(
  measures: readonly OutputMeasure[],
  samples: readonly Sample[],
  outputs: readonly Readonly<Record<string, Tensor>>[],
  seed: number,
  metric?: SampleMetric,
): HeldOut {
  return {
    samples,
    references: withBaselines(outputs.map((o) => referenceOf(measures, o, seed))),
    blocks: Math.ceil(FEWEST_SCORES / samples.length),
    measure: { kind: 'score' },
    metric: metric && outputs.map((o, i) => metric(o, i)),
  };
}

export interface Evaluation {
  /** Held-out samples that were run. */
  readonly samples: number;
  /** Of every sample, or of every block of its rows. */
  readonly scores: readonly Score[];
  readonly measure: QualityMeasure;
  /** What compression changes in every sample that is one answer; empty where they are not. */
  readonly changes: readonly Change[];
  readonly metric: readonly MetricScore[] | undefined;
}

/** Runs the compressed graph on the held-out samples. */
export async function evaluate(session: Session, held: HeldOut, metric?: SampleMetric): Promise<Evaluation> {
  const scores: Score[] = [];
  const changes: Change[] = [];
  const metrics: MetricScore[] = [];
  for (let i = 0; i < held.samples.length; i++) {
    const reference = held.references[i]!;
    const outputs = await session.run(held.samples[i]!);
    scores.push(...scoresOf(reference, outputs, held.blocks));
    if (held.measure.kind === 'answers')
      changes.push(changeOf(answerOf(reference)!, answerOf(like(reference, outputs))!));
    if (metric) metrics.push({ compressed: metric(outputs, i), original: held.metric![i]! });
  }
  const { measure } = held;
  return { samples: held.samples.length, scores, measure, changes, metric: metric ? metrics : undefined };
}

/** Mean divergence a row. */
export function meanDivergence(scores: readonly Score[]): number {
  let sum = 0;
  let rows = 0;
  for (const s of scores) {
    sum += s.divergence;
    rows += s.rows;
  }
  return rows === 0 ? 0 : sum / rows;
}
