import type { Machine } from '../quality/results.ts';

/** What the work of a model is: the goals differ. */
export type WorkKind = 'convolutions' | 'products';

/** Of the two times of a round: median over the rounds that count, and the quartiles. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Times of one implementation on one model, seconds an inference; quartiles. */
export interface SpeedRow {
  readonly contestant: string;
  /** Package and version, and what it runs on: kernels, instruction set. */
  readonly detail: string;
  readonly median: number;
  readonly low: number;
  readonly high: number;
  /** Largest difference of an output from onnxruntime's in fp32, relative to the largest magnitude of that output. */
  readonly error: number;
  /** Hash of the outputs. */
  readonly digest: string;
}

/** How many times faster one of ours is than another implementation. */
export interface Comparison {
  readonly ours: string;
  readonly over: string;
  readonly ratio: Ratio;
  /** What it should be at least; absent where nothing is promised. */
  readonly goal?: number;
}

/** A contestant that did not run a model, and why. */
export interface Absence {
  readonly contestant: string;
  readonly reason: string;
}

/** Time of one step of a program, a kernel, seconds. */
export interface StepTime {
  readonly name: string;
  readonly op: string;
  readonly macs: number;
  readonly median: number;
}

/** Steps of one of our contestants on a model whose goal it misses. */
export interface StepTable {
  readonly contestant: string;
  readonly steps: readonly StepTime[];
}

export interface ModelSpeed {
  readonly model: string;
  readonly work: WorkKind;
  readonly macs: number;
  readonly rows: readonly SpeedRow[];
  readonly absent: readonly Absence[];
  readonly comparisons: readonly Comparison[];
  /** Rounds that count, those that were disturbed and left out, and turns that were disturbed and taken again. */
  readonly rounds: { readonly kept: number; readonly dropped: number; readonly repeated: number };
  readonly steps: readonly StepTable[];
}

export interface SpeedFailure {
  readonly model: string;
  readonly error: string;
}

/** Everything `npm run bench:speed` knows. */
export interface SpeedDocument {
  /** Hash of the sources, the contestants' versions and the settings: results of another run are not mixed with these. */
  readonly run: string;
  readonly machine: Machine & { readonly others: readonly string[] };
  readonly settings: { readonly rounds: number; readonly turnMs: number };
  readonly models: readonly ModelSpeed[];
  readonly failures: readonly SpeedFailure[];
}

/** Median and quartiles of positive values. */
export function ratioOf(values: readonly number[]): Ratio {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const low = Math.floor(place);
    return sorted[low]! + (sorted[Math.ceil(place)]! - sorted[low]!) * (place - low);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}
