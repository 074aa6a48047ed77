import { openBundle, writeBundle } from '../bundle/index.ts';
import type { Sourced } from '../compile/cost.ts';
import { doesNotFit, type FitReport } from '../compile/fit.ts';
import { type CompressionEstimate, type CompressionReport, planCompression } from '../compress/index.ts';
import { allOf } from '../data/samples.ts';
import { type Comparison, loadMetric } from '../measure/metrics/index.ts';
import {
  buildBundle,
  checkToolchain,
  type KernelChoice,
  type ModelRequest,
  type NativeBuild,
  openModel,
  openProfile,
  runtimeOn,
  type Work,
  withCodedCaches,
} from '../pipeline.ts';
import { EigenError } from '../util/errors.ts';
import { type OptionsRequest, optionsFor, STREAM_BYTES } from './compress-options.ts';
import { DATA_FREE, type InputRange, madeUpData } from './data-free.ts';
import { checkEvaluation, evaluateBoth, readSamples } from './evaluation.ts';
import { timeHere } from './latency.ts';

/** The board that is this machine. */
const HOST = 'host';

export interface FloatRequest {
  /** Board id or profile file. */
  readonly target: string;
  /** Where to write the bundle; absent: build, write nothing. */
  readonly out?: string;
  /** Write it even when it does not fit the board. */
  readonly force?: boolean;
  /** `tune`: the board must be this machine. */
  readonly how?: KernelChoice;
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
  readonly native: NativeBuild;
}

/** Model file -> float bundle. Throws EW2003_DOES_NOT_FIT when the board is too small, before anything is written. */
export async function buildFloat(model: ModelRequest, request: FloatRequest, work: Work = {}): Promise<FloatBuild> {
  refuseTuning(request);
  const profile = openProfile(request.target, true);
  work.progress?.({ stage: 'read', done: 0, total: 1 });
  const opened = await openModel(model);
  work.progress?.({ stage: 'read', done: 1, total: 1 });
  const built = await buildBundle(opened, profile, undefined, work, request.how);
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
    native: built.native,
  };
}

export interface CompressRequest extends OptionsRequest {
  /** Board id or profile file. */
  readonly target: string;
  /** .npz with one array per model input, first axis = samples; or the range of float inputs, when there is no data. */
  readonly calibration: string | InputRange;
  /** .npz to judge on: inputs, and what the metric needs. */
  readonly evaluation?: string;
  /** top1, agreement (default), sqnr, perplexity or the path of a module, relative to `cwd`. */
  readonly metric?: string;
  readonly cwd: string;
  /** Write the bundle even when a limit or the quality is not met. */
  readonly force?: boolean;
  /** Stop after the estimate. */
  readonly planOnly?: boolean;
  /** `tune`: the board must be this machine. */
  readonly how?: KernelChoice;
  /** Caches of keys and values are int8 codes with a scale, in the application's hands too. */
  readonly codedCaches?: boolean;
  readonly out: string;
  /** Called before the work starts. */
  readonly onEstimate?: (plan: CompressionPlan) => void;
}

/** What will be done. */
export interface CompressionPlan {
  readonly estimate: CompressionEstimate;
  /** The size on the wire: the limit, or where the search for the smallest one starts. */
  readonly wireBudgetBytes: number;
  readonly smallest: boolean;
  readonly minQuality: number;
}

export interface CompressedBuild extends CompressionPlan {
  /** Absent when only planned. */
  readonly report?: CompressionReport;
  /** Whether there was no data: then the report's quality is that on made-up inputs, and says little about real ones. */
  readonly dataFree: boolean;
  /** Present when evaluation data was given. */
  readonly evaluation?: Comparison;
  /** The weights in the bundle as they travel: codes, tables, scales, biases, headers. */
  readonly weightWireBytes?: number;
  readonly fit?: FitReport;
  readonly native?: NativeBuild;
  /** One run in one thread: by the board's cost model, timed where the board is this machine. */
  readonly latency?: Sourced;
  /** Whether limits, quality and board are all met. */
  readonly passed?: boolean;
  /** Size of the bundle; absent when it was not written. */
  readonly bundleBytes?: number;
  /** Seconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
}

/** Model file + calibration data -> compressed bundle. Writes nothing when limits, quality or board are not met, unless forced. */
export async function buildCompressed(
  model: ModelRequest,
  request: CompressRequest,
  work: Work = {},
): Promise<CompressedBuild> {
  refuseTuning(request);
  const { maxLatencyMs } = request;
  const profile = openProfile(request.target, true);
  const judge = await loadMetric(request.metric ?? 'agreement', request.cwd);
  await checkToolchain(profile, work.toolchain);
  const opened = await openModel(model);
  const { calibration } = request;
  const free = typeof calibration !== 'string';
  const options = optionsFor(
    opened,
    profile,
    free ? { ...request, stages: { ...DATA_FREE, ...request.stages } } : request,
    await runtimeOn(profile, work.toolchain),
  );
  const data = free
    ? madeUpData(opened.graph, calibration, options.seed)
    : { samples: allOf(await readSamples(opened, calibration)) };
  if (request.evaluation !== undefined) await checkEvaluation(opened, request.evaluation, judge);
  const plan: CompressionPlan = {
    estimate: planCompression(opened.graph, data, options),
    wireBudgetBytes: options.wireBudgetBytes + STREAM_BYTES,
    smallest: options.smallest === true,
    minQuality: options.minQuality,
  };
  request.onEstimate?.(plan);
  if (request.planOnly) return { ...plan, dataFree: free, timings: {} };
  const started = performance.now();
  const source = request.codedCaches ? await withCodedCaches(opened, data, work) : { model: opened, data };
  const built = await buildBundle(source.model, profile, { data: source.data, options }, work, request.how);
  const { report, timings } = built.compressed!;
  const packed = performance.now();
  const bundle = openBundle(built.bytes);
  const evaluation =
    request.evaluation === undefined ? undefined : await evaluateBoth(opened, bundle, request.evaluation, judge, work);
  const latency =
    request.target === HOST ? await timeHere(bundle, source.data.samples[0]!, work.signal) : built.fit.latency.ms;
  const passed =
    report.budgetMet &&
    latency.value <= (maxLatencyMs ?? Number.POSITIVE_INFINITY) &&
    // Made-up inputs tell nothing that a limit could be set on.
    (free && !evaluation ? true : (evaluation?.quality ?? report.gate.quality) >= options.minQuality) &&
    built.fit.fits;
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
    ...plan,
    dataFree: free,
    wireBudgetBytes: report.totals.wireBudgetBytes + STREAM_BYTES,
    report,
    ...(evaluation ? { evaluation } : {}),
    weightWireBytes: built.weightWireBytes,
    fit: built.fit,
    native: built.native,
    latency,
    passed,
    ...(written ? { bundleBytes: built.bytes.length } : {}),
    timings: spent,
  };
}

/** What is timed here says nothing of another machine. */
function refuseTuning({ target, how }: { readonly target: string; readonly how?: KernelChoice }): void {
  if (!how?.tune || target === HOST) return;
  throw new EigenError('EW1001_USAGE', `--tune times kernels on this machine, and the board is ${target}`, {
    hint: 'Leave --tune out, or build for host on the board itself.',
  });
}
