import type { Machine } from '../quality/results.ts';
import type { LinearTime } from './fit.ts';

/** A layer within a network of three such in one thread, median; and how many times faster two threads are, median of rounds. */
export interface LayerTime {
  readonly macs: number;
  /** Of weights and activations read and written. */
  readonly bytes: number;
  readonly seconds: number;
  readonly twoThreads: number;
  /** The same of the whole network, with the application's floats as its input and output. */
  readonly network: { readonly seconds: number; readonly twoThreads: number };
  /** The same for arithmetic in registers that takes about as long, in the same rounds: what the machine gave. */
  readonly control: number;
  /** Rounds that were left out since something else had a core. */
  readonly dropped: number;
}

/** Two threads of arithmetic are this much faster where a machine has two cores for them. */
export const FREE = 1.7;

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
