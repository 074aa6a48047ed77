import { productTimeOn } from '../compile/cost.ts';
import type { Profile, RuntimeKind } from '../compile/profile.ts';
import { type CompressOptions, DEFAULT_OPTIONS, memoryOf } from '../compress/index.ts';
import { footprintOn, type Model } from '../pipeline.ts';
import { encodeCodes, panelPoints } from '../wire/codes.ts';
import { encodedSize } from '../wire/ints.ts';
import { residentCodeBytes } from '../wire/panels.ts';
import { ROW_TILE_BITS } from '../wire/row-tiles.ts';
import { codesWireSize } from '../wire/weights.ts';

/** A limit for the weights on the wire: as a factor of their fp32 bytes, or absolute. */
export type WireBudget = { readonly factor: number } | { readonly bytes: number };

/** What a compressed model must keep to, in any combination. */
export interface Limits {
  /** Weights on the wire. Absent: an eighth of fp32, or with a `minQuality` as little as keeps that. */
  readonly budget?: WireBudget;
  /** Weights in memory, bytes. */
  readonly residentBytes?: number;
  /** Weights, activations and working memory of the compiled program, bytes. */
  readonly maxRamBytes?: number;
  /** One run in one thread by the board's cost model, milliseconds. */
  readonly maxLatencyMs?: number;
  /** Share of the original's quality to keep; 0.985 when absent. */
  readonly minQuality?: number;
}

export interface OptionsRequest extends Limits {
  readonly seed?: number;
  /** Stages of the compressor other than by default, e.g. ROUND_TO_NEAREST: what comparisons and ablations are made with. */
  readonly stages?: Partial<CompressOptions>;
}

/** The size that models are compressed to when nothing else is said. */
const DEFAULT_FACTOR = 8;
/** Share of the float program's weights and activations in memory that is aimed at. */
const MEMORY_SHARE = 0.14;
/** What the weight stream takes beyond its constants: magic and count. */
export const STREAM_BYTES = 8;

/** The compressor's options for a model and board; its time is that of the kernels of `runtime`. */
export function optionsFor(
  model: Model,
  profile: Profile,
  request: OptionsRequest,
  runtime: RuntimeKind = profile.runtimes[0]!,
): CompressOptions {
  const weightBits = profile.weightBits.kernels.filter((b) => b >= 2 && b <= 8);
  const { budget, residentBytes, maxRamBytes, maxLatencyMs, minQuality } = request;
  const footprint = footprintOn(profile, runtime);
  return {
    ...DEFAULT_OPTIONS,
    weightBits,
    // Where memory is limited, there is no room for the form in which kernels multiply such codes.
    ...(runtime === 'firmware' || isLimited(request) ? {} : { oneRowBits: ROW_TILE_BITS }),
    minQuality: minQuality ?? DEFAULT_OPTIONS.minQuality,
    seed: request.seed ?? DEFAULT_OPTIONS.seed,
    sizer: (data, rows, cols) =>
      data instanceof Int8Array ? codesWireSize(data, rows, cols) : encodedSize(data, rows, cols),
    residentSizer: residentCodeBytes,
    planer: (...matrix) => encodeCodes(...matrix, panelPoints(...matrix)),
    footprint,
    productTime: productTimeOn(profile, runtime),
    memoryGoalBytes: Math.floor(MEMORY_SHARE * memoryOf(footprint(model.graph))),
    wireBudgetBytes: Math.max(0, budgetBytes(model, budget ?? { factor: DEFAULT_FACTOR }) - STREAM_BYTES),
    ...(budget === undefined && minQuality !== undefined ? { smallest: true } : {}),
    ...(residentBytes === undefined ? {} : { residentBudgetBytes: residentBytes }),
    ...(maxRamBytes === undefined ? {} : { maxRamBytes }),
    ...(maxLatencyMs === undefined ? {} : { maxLatencyMs }),
    ...request.stages,
  };
}

const isLimited = ({ residentBytes, maxRamBytes }: Limits): boolean =>
  residentBytes !== undefined || maxRamBytes !== undefined;

export function budgetBytes(model: Model, budget: WireBudget): number {
  return 'bytes' in budget ? budget.bytes : Math.floor(model.originalBytes / budget.factor);
}
