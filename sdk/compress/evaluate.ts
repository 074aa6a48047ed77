import type { Tensor } from '../util/tensor.ts';
import { answerOf, type Change, changeOf } from './answers.ts';
import { like, type Reference, referenceOf, type Score, scoresOf, withBaselines } from './divergence.ts';
import type { MetricScore } from './gate.ts';
import type { OutputMeasure, State } from './outputs.ts';
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
  /** Outputs of a sample that are inputs of the next one, where samples are run as one sequence. */
  readonly states: readonly State[];
}

/** Runs samples one after another; what is a state comes from the run before. */
export async function* runs(
  session: Session,
  samples: readonly Sample[],
  states: readonly State[] = [],
): AsyncGenerator<Readonly<Record<string, Tensor>>> {
  let carried: Sample = {};
  for (const sample of samples) {
    const outputs = await session.run({ ...sample, ...carried });
    carried = Object.fromEntries(states.map(({ input, output }) => [input, outputs[output]!]));
    yield outputs;
  }
}

export function heldOut(
  measures: readonly OutputMeasure[],
  samples: readonly Sample[],
  outputs: readonly Readonly<Record<string, Tensor>>[],
  seed: number,
  { metric, states = [] }: { readonly metric?: SampleMetric | undefined; readonly states?: readonly State[] } = {},
): HeldOut {
  return {
    samples,
    references: withBaselines(outputs.map((o) => referenceOf(measures, o, seed))),
    blocks: Math.ceil(FEWEST_SCORES / samples.length),
    measure: { kind: 'score' },
    metric: metric && outputs.map((o, i) => metric(o, i)),
    states,
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
  let i = 0;
  for await (const outputs of runs(session, held.samples, held.states)) {
    const reference = held.references[i]!;
    scores.push(...scoresOf(reference, outputs, held.blocks));
    if (held.measure.kind === 'answers')
      changes.push(changeOf(answerOf(reference)!, answerOf(like(reference, outputs))!));
    if (metric) metrics.push({ compressed: metric(outputs, i), original: held.metric![i]! });
    i++;
  }
  const { measure } = held;
  return { samples: new Set(held.samples).size, scores, measure, changes, metric: metric ? metrics : undefined };
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
