import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../util/tensor.ts';

/** Runs graphs for the compressor. The pipeline injects the WebAssembly engine; tests inject the reference target. */
export interface Runner {
  /** Threads that work may be shared by: the runner's, and while it does not run the compressor's own. One when absent. */
  readonly threads?: number;
  open(graph: Graph, options?: SessionOptions): Promise<Session>;
  /** Kernel of every node that has one, by node name: what a node gives to another in its kernel does not pass through memory. */
  kernelsOf(graph: Graph): ReadonlyMap<string, number>;
}

export interface SessionOptions {
  /** Values that must exist in memory under their own name (never fused away), so that `read` finds them. */
  readonly keep?: readonly string[];
  /** Constants that `setConstant` will change. */
  readonly mutable?: readonly string[];
  /** Called with a progress fraction while kernels are compiled. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * A graph made ready to run, one sample (batch as in the graph) at a time. Execution is a fixed list of steps, so a run can stop between
 * two of them and go on later, from a snapshot of what is still needed: that is how statistics walk the network layer by layer
 * without running it from the start for every layer.
 */
export interface Session {
  readonly steps: number;
  /** Number of steps after which `value` exists: advance(s, readyAt(v)) makes it readable. Inputs are ready at 0. */
  readyAt(value: string): number;
  /** First step that reads `value` (a constant or an activation); `steps` when none does. */
  firstUse(value: string): number;
  /** Whole run, all outputs by name (copies). */
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /** State before step 0. */
  start(inputs: Readonly<Record<string, Tensor>>): Snapshot;
  /**
   * Runs steps [from.step, to) and returns the state there. `from` stays valid unless it is `spent`: then its memory
   * may become that of the result.
   */
  advance(from: Snapshot, to: number, spent?: 'spent'): Promise<Snapshot>;
  /** Runs steps [from.step, to), to the end when absent, so that what is there then can be read; nothing is saved. */
  play(from: Snapshot, to?: number, spent?: 'spent'): Promise<void>;
  /** The state is not used any more: its memory may become that of another one. */
  release(state: Snapshot): void;
  /** Bytes of a state before step `step`. */
  bytesAt(step: number): number;
  /**
   * A kept value (or graph output) after the latest `advance`, `play` or `run`; it must be live there: produced, and not
   * past its last use. Good until the session runs again: copy what is to be kept.
   */
  read(value: string): Tensor;
  /** Replaces a constant listed as mutable, type unchanged. Takes effect at the next run or advance. */
  setConstant(value: string, data: Tensor): void;
  close(): void;
}

/** Bytes of the live values between two steps of one sample's run. */
export interface Snapshot {
  readonly step: number;
  readonly bytes: number;
}
