import type { Tensor } from '../util/tensor.ts';
import { type OutputMeasure, type Reference, referenceOf, type Score, scoreOf, withBaselines } from './divergence.ts';
import type { MetricScore } from './gate.ts';
import type { Session } from './runner.ts';
import type { Sample, SampleMetric } from './types.ts';

/** The original's answers to the held-out samples. */
export interface HeldOut {
  readonly samples: readonly Sample[];
  readonly references: readonly Reference[];
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
    metric: metric && outputs.map((o, i) => metric(o, i)),
  };
}

export interface Evaluation {
  readonly scores: readonly Score[];
  readonly metric: readonly MetricScore[] | undefined;
}

/** Runs the compressed graph on the held-out samples. */
export async function evaluate(session: Session, held: HeldOut, metric?: SampleMetric): Promise<Evaluation> {
  const scores: Score[] = [];
  const metrics: MetricScore[] = [];
  for (let i = 0; i < held.samples.length; i++) {
    const outputs = await session.run(held.samples[i]!);
    scores.push(scoreOf(held.references[i]!, outputs));
    if (metric) metrics.push({ compressed: metric(outputs, i), original: held.metric![i]! });
  }
  return { scores, metric: metric ? metrics : undefined };
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
