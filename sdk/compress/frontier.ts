import type { Graph } from '../ir/graph.ts';
import type { Progress } from '../util/progress.ts';
import { Job } from './compress.ts';
import type { Footprint } from './limits.ts';
import type { Runner } from './runner.ts';
import type { CalibrationData, CompressOptions, FrontierPoint } from './types.ts';

/** A size with what the held-out samples and the board's models say of it. */
export interface MeasuredPoint extends FrontierPoint {
  /** The size that was asked for. */
  readonly askedBytes: number;
  /** Held-out samples behind the quality. */
  readonly samples: number;
  /** Factor on the damping of its fit. */
  readonly damping: number;
  readonly footprint?: Footprint;
}

export interface FrontierJob {
  /** `wireBudgetBytes` is the size that activations are planned for. */
  readonly options: CompressOptions;
  readonly sizes: readonly number[];
  /** Dampings to try; without them the first size finds the one for all. */
  readonly dampings?: readonly number[] | undefined;
  /** Called with every point as soon as there is one. */
  readonly found: (point: MeasuredPoint) => void | Promise<void>;
}

/**
 * Measures several sizes of one model: one survey and one pair of compiled networks for all; the ends and the middle of the range come
 * first, so that an interrupted run has seen all of it. Throws as `compress` does.
 */
export async function frontier(
  graph: Graph,
  data: CalibrationData,
  { options, sizes, found, ...request }: FrontierJob,
  runner: Runner,
  progress: Progress,
  signal?: AbortSignal,
): Promise<void> {
  const job = new Job(graph, data, options, runner, progress, signal);
  let { dampings } = request;
  try {
    const passes = await job.prepare();
    for (const [done, k] of spread(sizes.length).entries()) {
      progress({ stage: 'frontier', done, total: sizes.length });
      const { plan, point, footprint } = await passes.at(sizes[k]!, dampings);
      // What the first size found out about damping holds for the others.
      const damping = plan.damping ?? 1;
      dampings ??= [damping];
      const samples = passes.prepared.ctx.held.length;
      await found({ ...point, askedBytes: sizes[k]!, samples, damping, ...(footprint ? { footprint } : {}) });
    }
    progress({ stage: 'frontier', done: sizes.length, total: sizes.length });
  } finally {
    job.close();
  }
}

/** 0..n-1: the ends, the middle, then the middles of what is left. */
export function spread(n: number): number[] {
  const out = n > 1 ? [0, n - 1] : [0];
  const ranges: [number, number][] = [[0, n - 1]];
  for (let range = ranges.shift(); range; range = ranges.shift()) {
    const [low, high] = range;
    if (high - low < 2) continue;
    const middle = (low + high) >> 1;
    out.push(middle);
    ranges.push([low, middle], [middle, high]);
  }
  return out;
}
