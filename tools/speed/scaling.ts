import type { Machine } from '../quality/results.ts';
import type { LinearTime } from './fit.ts';

/** A layer in one thread, median; and how many times faster two threads are. */
export interface LayerTime {
  readonly macs: number;
  /** Of weights and activations read and written. */
  readonly bytes: number;
  readonly seconds: number;
  readonly twoThreads: number;
}

export interface ScalingSeries {
  readonly engine: string;
  readonly family: string;
  readonly line: LinearTime;
  /** Deviation of the time from the line, relative. */
  readonly layers: readonly (LayerTime & { readonly deviation: number })[];
}

/** Everything `npm run bench:scaling` knows. */
export interface ScalingDocument {
  readonly machine: Machine;
  readonly rounds: number;
  readonly series: readonly ScalingSeries[];
}
