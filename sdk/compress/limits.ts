import type { Graph } from '../ir/graph.ts';
import type { Activations } from './activations.ts';
import type { Context } from './context.ts';
import { activationsOf } from './plan-activations.ts';
import type { Surveys } from './survey.ts';
import type { CompressOptions } from './types.ts';

/** What a graph needs when it is compiled for the board. */
export interface Footprint {
  /** The program's weight block, activations and the working memory of one thread, bytes. */
  readonly weightBytes: number;
  readonly arenaBytes: number;
  readonly scratchBytes: number;
  /** One run, by the board's cost model. */
  readonly latencyMs: number;
  /** What reading one more byte of weights adds to a run. */
  readonly msPerByte: number;
}

/** Plans memory and estimates time; injected, since both are the compiler's. */
export type FootprintOf = (graph: Graph) => Footprint;

/** What keeps a plan from being better. */
export type Constraint = 'wire' | 'resident' | 'latency' | 'quality';

export const ramOf = (f: Footprint): number => f.weightBytes + f.arenaBytes + f.scratchBytes;

/** What the memory goal speaks of: weights and activations. */
export const memoryOf = (f: Footprint): number => f.weightBytes + f.arenaBytes;

/** What the weights may take in memory, and which limit says so. */
export interface ResidentLimit {
  readonly bytes: number;
  readonly by: 'resident' | 'latency';
}

/**
 * Bytes that the weights may take in memory: what is asked for, what the activations leave of the RAM, and what the latency allows to be
 * read in a run; infinite without a limit, and below zero by what the activations alone are over it. `f` is of the planned activations; its
 * weights do not matter.
 */
export function residentLimit(options: CompressOptions, f: Footprint | undefined): ResidentLimit {
  const { residentBudgetBytes = Number.POSITIVE_INFINITY, maxRamBytes, maxLatencyMs } = options;
  let limit: ResidentLimit = { bytes: residentBudgetBytes, by: 'resident' };
  const lower = (bytes: number, by: ResidentLimit['by']): void => {
    if (bytes < limit.bytes) limit = { bytes: Math.floor(bytes), by };
  };
  if (f && maxRamBytes !== undefined) lower(maxRamBytes - f.arenaBytes - f.scratchBytes, 'resident');
  if (f && maxLatencyMs !== undefined) lower(f.weightBytes + (maxLatencyMs - f.latencyMs) / f.msPerByte, 'latency');
  return limit;
}

/** How far a footprint is over RAM or latency, as bytes of weights; 0 when it is not. */
export function excessOf(options: CompressOptions, f: Footprint): number {
  const { maxRamBytes = Number.POSITIVE_INFINITY, maxLatencyMs = Number.POSITIVE_INFINITY } = options;
  return Math.ceil(Math.max(0, ramOf(f) - maxRamBytes, (f.latencyMs - maxLatencyMs) / f.msPerByte));
}

/** One way to quantize the activations. */
export interface Narrowing {
  readonly plans: Activations;
  /** The divergence that 8 bits cost where 16 were planned. */
  readonly divergence: number;
}

/** Steps between no and all planned 16-bit activations that are looked at. */
const STEPS = 5;

/**
 * The activations as planned and with more and more of the 16-bit ones at 8 bits, those least worth it first: less memory and time.
 */
export function narrowings(ctx: Context, surveys: Surveys, planned: Activations): Narrowing[] {
  const { wide } = planned;
  const counts = new Set(Array.from({ length: STEPS + 1 }, (_, k) => Math.round((k * wide.length) / STEPS)));
  return [...counts].map((narrowed) => {
    const left = wide.slice(0, wide.length - narrowed);
    const lost = wide.slice(wide.length - narrowed);
    const divergence = lost.reduce((sum, w) => sum + w.cost, 0);
    return { plans: narrowed === 0 ? planned : activationsOf(ctx, surveys, left), divergence };
  });
}

/** Used this far, a size binds: coding does not hit it to the byte. */
const NEAR = 0.98;

export interface Spent {
  readonly wireBytes: number;
  readonly residentBytes: number;
  readonly footprint: Footprint | undefined;
  /** The limit on the weights in memory that made the plan another one than the size alone would have. */
  readonly limited: ResidentLimit['by'] | undefined;
}

/** Which limits a plan is up against, those it breaks first. No size binds when it was what was sought: then the quality does. */
export function bindingOf(options: CompressOptions, spent: Spent): Constraint[] {
  const { footprint: f, limited, wireBytes } = spent;
  const { wireBudgetBytes, residentBudgetBytes, maxRamBytes, maxLatencyMs, smallest } = options;
  const over = (value: number | undefined, limit: number | undefined): boolean =>
    value !== undefined && limit !== undefined && value > limit;
  const out = new Set<Constraint>();
  if (!smallest && over(wireBytes, wireBudgetBytes)) out.add('wire');
  if (over(spent.residentBytes, residentBudgetBytes) || over(f && ramOf(f), maxRamBytes)) out.add('resident');
  if (over(f?.latencyMs, maxLatencyMs)) out.add('latency');
  if (smallest) out.add('quality');
  if (limited) out.add(limited);
  if (!smallest && wireBytes >= NEAR * wireBudgetBytes) out.add('wire');
  return [...out];
}
