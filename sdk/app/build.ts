import { openBundle, writeBundle } from '../bundle/index.ts';
import { doesNotFit, type FitReport } from '../compile/fit.ts';
import type { Profile } from '../compile/profile.ts';
import {
  type CalibrationData,
  type CompressionEstimate,
  type CompressionReport,
  type CompressOptions,
  DEFAULT_OPTIONS,
  planCompression,
} from '../compress/index.ts';
import { allOf } from '../data/samples.ts';
import { type Comparison, loadMetric } from '../measure/metrics/index.ts';
import { buildBundle, type Model, type ModelRequest, openModel, openProfile, type Work } from '../pipeline.ts';
import { encodeInts } from '../wire/ints.ts';
import { residentCodeBytes } from '../wire/panels.ts';
import { evaluateBoth, readSamples } from './evaluation.ts';

export interface FloatRequest {
  /** Board id or profile file. */
  readonly target: string;
  /** Where to write the bundle; absent: build, write nothing. */
  readonly out?: string;
  /** Write it even when it does not fit the board. */
  readonly force?: boolean;
}

export interface ProgramSummary {
  readonly steps: number;
  readonly weightBytes: number;
  readonly arenaBytes: number;
  readonly scratchBytes: number;
}

export interface FloatBuild {
  readonly model: string;
  readonly originalBytes: number;
  readonly program: ProgramSummary;
  readonly bundleBytes: number;
  readonly fit: FitReport;
}

/** Model file -> float bundle. Throws EW2003_DOES_NOT_FIT when the board is too small, before anything is written. */
export async function buildFloat(model: ModelRequest, request: FloatRequest, work: Work = {}): Promise<FloatBuild> {
  const profile = openProfile(request.target);
  work.progress?.({ stage: 'read', done: 0, total: 1 });
  const opened = await openModel(model);
  work.progress?.({ stage: 'read', done: 1, total: 1 });
  const built = await buildBundle(opened, profile, undefined, work);
  if (!built.fit.fits && !request.force) throw doesNotFit(built.fit);
  work.signal?.throwIfAborted();
  if (request.out !== undefined) await writeBundle(request.out, built.bytes);
  const { program } = built.compiled;
  return {
    model: opened.graph.name,
    originalBytes: opened.originalBytes,
    program: {
      steps: program.steps.length,
      weightBytes: program.weightBytes,
      arenaBytes: program.arenaBytes,
      scratchBytes: program.scratchBytes,
    },
    bundleBytes: built.bytes.length,
    fit: built.fit,
  };
}

/** What the weight stream takes beyond its constants: magic and count. */
const STREAM_BYTES = 8;

/** A limit for the weights on the wire: as a factor of their fp32 bytes, or absolute. */
export type WireBudget = { readonly factor: number } | { readonly bytes: number };

export interface CompressRequest {
  /** Board id or profile file. */
  readonly target: string;
  /** .npz with one array per model input, first axis = samples. */
  readonly calibration: string;
  readonly budget: WireBudget;
  /** Limit of the weights in memory; none when absent. */
  readonly residentBytes?: number;
  /** Share of the original's quality to keep. */
  readonly minQuality: number;
  /** .npz to judge on: inputs, and what the metric needs. */
  readonly evaluation?: string;
  /** top1, agreement (default), sqnr, perplexity or the path of a module, relative to `cwd`. */
  readonly metric?: string;
  readonly cwd: string;
  readonly seed?: number;
  /** Stages of the compressor other than by default, e.g. ROUND_TO_NEAREST: what comparisons and ablations are made with. */
  readonly stages?: Partial<CompressOptions>;
  /** Write the bundle even when budget, quality or board say no. */
  readonly force?: boolean;
  /** Stop after the estimate. */
  readonly planOnly?: boolean;
  readonly out: string;
  /** Called before the work starts. */
  readonly onEstimate?: (estimate: CompressionEstimate, wireBudgetBytes: number) => void;
}

export interface CompressedBuild {
  readonly estimate: CompressionEstimate;
  readonly wireBudgetBytes: number;
  readonly minQuality: number;
  /** Absent when only planned. */
  readonly report?: CompressionReport;
  /** Present when evaluation data was given. */
  readonly evaluation?: Comparison;
  /** The weights in the bundle as they travel: codes, tables, scales, biases, headers. */
  readonly weightWireBytes?: number;
  readonly fit?: FitReport;
  /** Whether budget, quality and board are all met. */
  readonly passed?: boolean;
  /** Size of the bundle; absent when it was not written. */
  readonly bundleBytes?: number;
  /** Seconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Model file + calibration data -> compressed bundle. Writes nothing when budget, quality or board are not met, unless forced. */
export async function buildCompressed(
  model: ModelRequest,
  request: CompressRequest,
  work: Work = {},
): Promise<CompressedBuild> {
  const profile = openProfile(request.target);
  const judge = await loadMetric(request.metric ?? 'agreement', request.cwd);
  const opened = await openModel(model);
  const data = { samples: allOf(await readSamples(opened, request.calibration)) };
  const { estimate, options } = planned(opened, data, profile, request);
  const wireBudgetBytes = budgetBytes(opened, request.budget);
  const head = { estimate, wireBudgetBytes, minQuality: request.minQuality };
  request.onEstimate?.(estimate, wireBudgetBytes);
  if (request.planOnly) return { ...head, timings: {} };
  const started = performance.now();
  const built = await buildBundle(opened, profile, { data, options }, work);
  const { report, timings } = built.compressed!;
  const packed = performance.now();
  const evaluation =
    request.evaluation === undefined
      ? undefined
      : await evaluateBoth(opened, openBundle(built.bytes), request.evaluation, judge, work);
  const passed =
    report.budgetMet && (evaluation?.quality ?? report.gate.quality) >= request.minQuality && built.fit.fits;
  const written = passed || request.force === true;
  work.signal?.throwIfAborted();
  if (written) await writeBundle(request.out, built.bytes);
  const compressing = Object.values(timings).reduce((a, b) => a + b, 0);
  const spent = {
    ...timings,
    build: (packed - started) / 1000 - compressing,
    ...(evaluation ? { evaluate: (performance.now() - packed) / 1000 } : {}),
  };
  return {
    ...head,
    report,
    ...(evaluation ? { evaluation } : {}),
    weightWireBytes: built.weightWireBytes,
    fit: built.fit,
    passed,
    ...(written ? { bundleBytes: built.bytes.length } : {}),
    timings: spent,
  };
}

function planned(
  model: Model,
  data: CalibrationData,
  profile: Profile,
  request: CompressRequest,
): { estimate: CompressionEstimate; options: CompressOptions } {
  const weightBits = profile.weightBits.kernels.filter((b) => b >= 2 && b <= 8);
  const options: CompressOptions = {
    ...DEFAULT_OPTIONS,
    ...request.stages,
    weightBits,
    minQuality: request.minQuality,
    seed: request.seed ?? DEFAULT_OPTIONS.seed,
    sizer: (data, rows, cols) => encodeInts(data, rows, cols).length,
    residentSizer: residentCodeBytes,
    wireBudgetBytes: Math.max(0, budgetBytes(model, request.budget) - STREAM_BYTES),
    ...(request.residentBytes ? { residentBudgetBytes: request.residentBytes } : {}),
  };
  return { estimate: planCompression(model.graph, data, options), options };
}

function budgetBytes(model: Model, budget: WireBudget): number {
  return 'bytes' in budget ? budget.bytes : Math.floor(model.originalBytes / budget.factor);
}
