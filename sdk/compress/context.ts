import type { Graph } from '../ir/graph.ts';
import type { Linalg } from '../util/linalg/linalg.ts';
import type { Progress } from '../util/progress.ts';
import type { Attention } from './attention-match.ts';
import type { Layer } from './layers.ts';
import { dampingOf, type FitSettings } from './quantize.ts';
import type { IntSizer, ResidentSizer } from './size.ts';
import type { KernelOf, Storage } from './storage.ts';
import type { CalibrationData, CompressOptions, Sample } from './types.ts';

/** What every stage works with. */
export interface Context {
  /** The graph that was given. */
  readonly original: Graph;
  /** The float graph that is quantized: every LSTM with a named sequence output, some layers as products of two. */
  readonly graph: Graph;
  readonly layers: readonly Layer[];
  /** The kernel that every node is computed in. */
  readonly kernels: KernelOf;
  readonly attentions: readonly Attention[];
  /** Linear layers whose inputs are quantized with fixed scales, where the floats would be in memory for nothing else. */
  readonly fixedInputs: ReadonlySet<Layer>;
  /** What is stored as integer codes. */
  readonly storages: readonly Storage[];
  /** Rank of every layer that was split in two, by the name of its node. */
  readonly ranks: ReadonlyMap<string, number>;
  /** Samples for statistics, and those held out for sensitivities and the gate. */
  readonly fit: readonly Sample[];
  readonly held: readonly Sample[];
  /** What the original answers, where that is not what the graph answers. */
  readonly answers?: CalibrationData['answers'];
  readonly options: CompressOptions;
  readonly sizer: IntSizer;
  readonly residentSizer: ResidentSizer;
  readonly la: Linalg;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/** Inputs are token numbers only: every position is a sample of its own as far as damping goes. */
export function isText(graph: Graph): boolean {
  return graph.inputs.every((i) => graph.values.get(i)!.type.dtype !== 'f32');
}

/** `factor` varies the damping: how much the fit trusts the statistics of the samples it has. */
export function fitSettings(ctx: Context, layer: Layer, samples: number, factor = 1): FitSettings {
  const { refit, gptq, sweeps, biasCorrection } = ctx.options;
  const cols = Math.max(...layer.matrices.flatMap((m) => m.tiles.map((t) => t.cols)));
  const tokens = isText(ctx.graph) || layer.kind === 'lstm';
  const damping = tokens
    ? dampingOf(cols, samples * layer.positions, 1)
    : dampingOf(cols, samples, Math.max(1, layer.positions));
  return { damping: damping * factor, refit, gptq, sweeps, biasCorrection };
}

/** Source rows of one sample that enter the statistics: bounded so that one layer costs about `budget` multiply-adds. */
export function rowsPerSample(layer: Layer, samples: number, budget = 3e10): number {
  const widest = Math.max(1, ...layer.matrices.flatMap((m) => m.tiles.map((t) => t.cols)));
  const wanted =
    layer.kind === 'depthwise' ? 4096 : Math.max(2048, Math.min(24000, Math.floor(budget / (widest * widest))));
  return Math.max(1, Math.min(layer.positions, Math.ceil(wanted / samples)));
}

export const needsMoments = (layer: Layer): boolean => layer.kind !== 'embedding' && layer.kind !== 'table';
