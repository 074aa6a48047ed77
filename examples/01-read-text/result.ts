import type { report } from 'eigenweights';
import type { Comparison } from './accuracy.ts';
import type { Latency } from './latency.ts';
import type { Line } from './lines.ts';

/** Bytes of one thing and what it is made of. */
export interface Breakdown {
  readonly bytes: number;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

export interface Sizes {
  /** The original's float32 weights, bytes, and its activations that are alive at once. */
  readonly originalWeights: number;
  readonly originalActivations: number;
  /** The weights in the bundle: all that is needed to restore them. */
  readonly payload: Breakdown;
  /** Weights in memory when running, and the arena of the activations with the kernels' working memory. */
  readonly residentWeights: number;
  readonly arena: number;
  readonly bundle: Breakdown;
}

/** A line that is shown: what it says and what both made of it. */
export interface ShownLine {
  readonly line: Line;
  readonly original: string;
  readonly compressed: string;
}

export interface DemoResult {
  readonly board: string;
  readonly engine: string;
  readonly originalEngine: string;
  readonly calibrationLines: number;
  readonly sizes: Sizes;
  readonly accuracy: Comparison;
  readonly latency: Latency;
  readonly shown: readonly ShownLine[];
  readonly compression: report.CompressionSummary;
  /** Wall-clock seconds by stage. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Peak memory of the compressed model against the original's, both weights + activations: a share. */
export function memoryShare(sizes: Sizes): number {
  return (sizes.residentWeights + sizes.arena) / (sizes.originalWeights + sizes.originalActivations);
}
