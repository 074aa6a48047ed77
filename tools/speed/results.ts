import type { ProfileRow } from '../../sdk/app/profile-bundle.ts';
import { quantile } from '../../sdk/measure/quantile.ts';
import type { Spread } from '../../sdk/measure/step-times.ts';
import type { Machine } from '../quality/results.ts';

/** What the work of a model is: the goals differ. */
export type WorkKind = 'convolutions' | 'products';

/** Times of one implementation on one model, seconds an inference: median and quartiles of the rounds that count. */
export interface SpeedRow extends Spread {
  readonly contestant: string;
  /** Package and version, and what it runs on: kernels, instruction set. */
  readonly detail: string;
  /** Largest difference of an output from onnxruntime's in fp32, relative to the largest magnitude of that output. */
  readonly error: number;
  /** Hash of the outputs. */
  readonly digest: string;
}

/** How many times faster one of ours is than another implementation. */
export interface Comparison {
  readonly ours: string;
  readonly over: string;
  /** Of the two times of a round. */
  readonly ratio: Spread;
  /** What it should be at least; absent where nothing is promised. */
  readonly goal?: number;
}

/** A contestant that did not run a model, and why. */
export interface Absence {
  readonly contestant: string;
  readonly reason: string;
}

/** Layers of one of our contestants on a model whose goal it misses. */
export interface SlowProfile {
  readonly contestant: string;
  readonly rows: readonly ProfileRow[];
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
  readonly profiles: readonly SlowProfile[];
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

/** Median and quartiles. */
export function spreadOf(values: readonly number[]): Spread {
  const all = Float64Array.from(values);
  return { median: quantile(all, 0.5), low: quantile(all, 0.25), high: quantile(all, 0.75) };
}
