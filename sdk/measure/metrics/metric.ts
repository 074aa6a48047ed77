import type { Tensor } from '../../util/tensor.ts';

/** Named arrays; the first axis of each is the sample. */
export type Arrays = Readonly<Record<string, Tensor>>;

/** What a metric compares: outputs of the compressed and of the original model, and the evaluation file's own arrays. */
export interface Outcome {
  readonly ours: Arrays;
  readonly original: Arrays;
  readonly arrays: Arrays;
}

export interface Score {
  readonly original: number;
  readonly ours: number;
  /** What is kept of the original's quality, 1 = all of it; may exceed 1. */
  readonly quality: number;
}

/** A measure of quality that is a function of sums over samples, so that it can be resampled cheaply. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** The array of the evaluation file that it compares with; absent: it needs none. */
  readonly needs?: string;
  /**
   * Per sample the sums that `score` needs: `width` numbers a sample, row after row.
   * Throws EW3202_DATA_INVALID when the evaluation file lacks what it needs.
   */
  readonly width: number;
  rows(outcome: Outcome): Float64Array;
  /** From the sums over all samples. */
  score(sums: Float64Array): Score;
}
