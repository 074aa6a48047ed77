import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../util/tensor.ts';
import type { Constraint, FootprintOf } from './limits.ts';
import type { MatrixFit } from './quantize.ts';
import type { IntSizer, Planer, ResidentSizer } from './size.ts';

/** One sample: a tensor for every graph input, in the graph's own shape. */
export type Sample = Readonly<Record<string, Tensor>>;

export interface CalibrationData {
  readonly samples: readonly Sample[];
  /** What the original answers to a sample, where that is not what the graph answers. */
  readonly answers?: ReadonlyMap<Sample, Readonly<Record<string, Tensor>>>;
}

/** What tells a layer's multiplications apart: elements are inputs, outputs and weights. */
export interface LayerWork {
  readonly macs: number;
  readonly elements: number;
}

/** Time of a layer's multiplications with activations of so many bits, relative to that of other layers. */
export type ProductTime = (work: LayerWork, bits: 8 | 16) => number;

/** A user's quality measure of one sample: outputs by name, the sample's index; higher is better, not negative. */
export type SampleMetric = (outputs: Readonly<Record<string, Tensor>>, index: number) => number;

export type Divergence = 'auto' | 'softmax' | 'sigmoid' | 'squared';

export interface CompressOptions {
  /** Bytes of all constants on the wire: entropy-coded codes, scales, biases, headers. */
  readonly wireBudgetBytes: number;
  /** Bytes of all constants in resident memory, codes at fixed width per layer. Absent: no limit. */
  readonly residentBudgetBytes?: number;
  /** Weights, activations and working memory of the compiled program, bytes. Needs `footprint`. */
  readonly maxRamBytes?: number;
  /** Weights and activations in memory, bytes: met where that costs little quality, given up where it does not. Needs `footprint`. */
  readonly memoryGoalBytes?: number;
  /** One run by the board's cost model, milliseconds. Needs `footprint`. */
  readonly maxLatencyMs?: number;
  /** What a graph takes on the board. */
  readonly footprint?: FootprintOf;
  /** What 16-bit activations cost on the board; absent: no time. */
  readonly productTime?: ProductTime;
  /** Seek the smallest size that keeps `minQuality` with its whole interval, starting at `wireBudgetBytes`, instead of the best at that size. */
  readonly smallest?: boolean;
  /** Share of the original's quality to keep on held-out samples. */
  readonly minQuality: number;
  /** Resident code widths the target can read, ascending, within 2..8. */
  readonly weightBits: readonly number[];
  /** Codes of at most so many bits are multiplied with one row as they lie in memory, which is faster: taken for such layers where that costs next to no quality. Absent: no kernel does so. */
  readonly oneRowBits?: number;
  readonly seed: number;
  /** Share of the samples held out for sensitivities and the gate. */
  readonly holdout: number;
  /** Least-squares refit of the weights to the quantized inputs. */
  readonly refit: boolean;
  /** Error feedback while rounding (LDLQ). Off: plain rounding. */
  readonly gptq: boolean;
  /** Sweeps of coordinate descent over the codes after error feedback; 0: none. */
  readonly sweeps: number;
  readonly biasCorrection: boolean;
  /** Factors on the damping that are tried; the fit with the least held-out divergence is taken. */
  readonly dampings: readonly number[];
  /** Steps from measured sensitivities. Off: the same relative step in every layer. */
  readonly entropyAllocation: boolean;
  /** Layers with rank to spare as products of two smaller ones. */
  readonly lowRank: boolean;
  /** Which static activations get 16 bits: none, those that are worth it, or all. */
  readonly wideActivations: 'none' | 'auto' | 'all';
  /** Factor on the ranges of activations, for calibration data that is not of the kind the network will see. */
  readonly rangeMargin: number;
  /** Ordered component energies in the report. */
  readonly spectrum: boolean;
  /** After all decisions the weights are fitted again on all samples, the held-out ones included; the gate then no longer speaks of the shipped weights. */
  readonly fitOnAll: boolean;
  readonly divergence: Divergence;
  /** Quality of one sample; default: what the original's own predictions imply (see quality.ts). */
  readonly metric?: SampleMetric;
  /** Exact size of integers on the wire (sdk/wire/ints.ts: encodedSize); default: an estimate from the entropy. */
  readonly sizer?: IntSizer;
  /** Exact size of weight codes in memory (sdk/wire/panels.ts: residentCodeBytes); default: an estimate from the histogram. */
  readonly residentSizer?: ResidentSizer;
  /** How a matrix is fitted and rounded; default: MatrixFit. Measurements of other representations bring a class made from it. */
  readonly matrixFit?: typeof MatrixFit;
  /** How weight codes travel in planes; when given, the report says what prefixes of the bundle are worth. */
  readonly planer?: Planer;
  /** Points of the (bytes, divergence) frontier to measure beyond the budget when the gate fails. */
  readonly frontierPoints: number;
}

export const DEFAULT_OPTIONS: Omit<CompressOptions, 'wireBudgetBytes'> = {
  minQuality: 0.985,
  weightBits: [2, 3, 4, 5, 6, 7, 8],
  seed: 1,
  holdout: 0.3,
  refit: true,
  gptq: true,
  sweeps: 0,
  biasCorrection: true,
  dampings: [1, 2.5],
  entropyAllocation: true,
  lowRank: true,
  wideActivations: 'auto',
  rangeMargin: 1,
  spectrum: true,
  fitOnAll: false,
  divergence: 'auto',
  frontierPoints: 5,
};

/** The settings that make the plain-rounding baseline of the same size. */
export const ROUND_TO_NEAREST: Partial<CompressOptions> = {
  refit: false,
  gptq: false,
  sweeps: 0,
  biasCorrection: false,
  entropyAllocation: false,
  lowRank: false,
  oneRowBits: 8,
  spectrum: false,
};

export interface CompressionEstimate {
  readonly layers: number;
  readonly params: number;
  readonly fitSamples: number;
  readonly holdoutSamples: number;
  readonly stages: readonly { readonly stage: string; readonly seconds: number }[];
  readonly seconds: number;
  /** Bytes that the wire budget cannot go below: everything but the codes, and one bit a code. */
  readonly floorBytes: number;
}

export interface LayerReport {
  readonly name: string;
  readonly op: string;
  readonly shape: readonly number[];
  readonly params: number;
  /** Width that holds every code; in memory most are narrower (residentBytes). */
  readonly bits: number;
  /** Entropy a code on the wire, bits. */
  readonly entropy: number;
  /** Step relative to a 3.5th of the standard deviation of the weights. */
  readonly step: number;
  /** Held-out divergence at relative step 1. */
  readonly sensitivity: number;
  readonly wireBytes: number;
  readonly residentBytes: number;
  /** Squared error of the layer's output relative to its energy; 0 for embeddings and tables. */
  readonly relativeError: number;
  readonly activationBits: number;
  readonly activation: 'static' | 'dynamic' | 'none';
  /** Energies of the components of the whitened weights, largest first, as shares of their sum (top 32). */
  readonly components: readonly number[];
  /** Components that hold 90, 99 and 99.9 % of the energy; absent when the spectrum was not computed. */
  readonly ranks?: readonly [number, number, number];
}

export interface FrontierPoint {
  readonly wireBytes: number;
  readonly residentBytes: number;
  readonly divergence: number;
  /** Share of the original's quality kept on the held-out samples, with its 95 % interval. */
  readonly quality: number;
  readonly low: number;
  readonly high: number;
  readonly agreement: number;
  /** Weights, activations and working memory; absent where nothing planned them. */
  readonly ramBytes?: number;
}

/** What a receiver has that holds only the first bytes of the weights. */
export interface ProgressivePoint {
  /** Bytes of the weights on the wire, everything but refinements included. */
  readonly bytes: number;
  /** Of all bytes of the weights on the wire. */
  readonly share: number;
  readonly divergence: number;
  readonly quality: number;
  readonly agreement: number;
  /** Held-out samples this was measured on. */
  readonly samples: number;
}

/** passed: the whole interval is at least what was asked for; uncertain: the quality is, its interval reaches below; failed: it is not. */
export type Verdict = 'passed' | 'uncertain' | 'failed';

export interface GateResult {
  /** Share of the original's quality kept on the held-out samples, with its 95 % interval (paired bootstrap). */
  readonly quality: number;
  readonly low: number;
  readonly high: number;
  readonly minQuality: number;
  /** Whether the quality, the interval aside, is at least minQuality. */
  readonly passed: boolean;
  readonly verdict: Verdict;
  /** Share of output rows with the same answer as the original. */
  readonly agreement: number;
  /** Mean divergence from the original's outputs, nats a row. */
  readonly divergence: number;
  readonly samples: number;
  readonly measure: string;
}

export interface CompressionReport {
  readonly layers: readonly LayerReport[];
  readonly totals: {
    readonly params: number;
    readonly originalBytes: number;
    readonly wireBytes: number;
    readonly residentBytes: number;
    readonly wireBudgetBytes: number;
    readonly residentBudgetBytes: number | null;
    /** Weights, activations and working memory of the program, and the limit on them; null where nothing planned or limited them. */
    readonly ramBytes: number | null;
    readonly maxRamBytes: number | null;
    readonly maxLatencyMs: number | null;
    /** originalBytes / wireBytes. */
    readonly ratio: number;
    /** Wire bytes that are not codes: scales, biases, other constants, headers. */
    readonly sideBytes: number;
  };
  /** Whether size, memory and time are within what was asked for. */
  readonly budgetMet: boolean;
  /** Which limits keep the plan from being better, a broken one first; `quality` when the smallest size was sought. */
  readonly binds: readonly Constraint[];
  /** Layers that became products of two of this rank, by the name of their node. */
  readonly factorized: readonly { readonly name: string; readonly rank: number }[];
  /** The compressor's stages that were on. */
  readonly stages: readonly string[];
  readonly gate: GateResult;
  readonly frontier: readonly FrontierPoint[];
  /** Cheapest measured point whose whole interval is at least minQuality; absent when none was. */
  readonly smallestPassing?: FrontierPoint;
  /** Quality reached within the budget. */
  readonly bestAtBudget?: FrontierPoint;
  /** Quality by the bytes received, ascending, the last one being the whole; absent without a `planer`. */
  readonly progressive?: readonly ProgressivePoint[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly fitSamples: number;
  readonly holdoutSamples: number;
}

export interface CompressResult {
  readonly graph: Graph;
  readonly report: CompressionReport;
  /** Seconds by stage: kept out of the report, which is reproducible. */
  readonly timings: Readonly<Record<string, number>>;
}
