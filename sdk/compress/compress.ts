import type { Graph } from '../ir/graph.ts';
import { EigenError } from '../util/errors.ts';
import { Linalg } from '../util/linalg/linalg.ts';
import type { Progress } from '../util/progress.ts';
import { Rng } from '../util/rng.ts';
import { divergenceOf } from './allocate.ts';
import { attentionRanges, attentionValues, integerAttention } from './attention.ts';
import { findAttention } from './attention-match.ts';
import type { Context } from './context.ts';
import { evaluate, type HeldOut, meanDivergence } from './evaluate.ts';
import { factorize } from './factorize.ts';
import { fixedInputs } from './fixed-inputs.ts';
import { FloatValues } from './float-walk.ts';
import { judgedAnswers, separateAnswers } from './held-out.ts';
import { buildInteger, emptyLayer, exposeStates } from './integer.ts';
import { findLayers } from './layers.ts';
import { type Candidate, Passes } from './passes.ts';
import { probeCount, splitCounts } from './plan.ts';
import { type Plan, Planner, type Replacement } from './planning.ts';
import { measurePrefixes } from './progressive.ts';
import { reportOf } from './report.ts';
import type { Runner, Session, SessionOptions } from './runner.ts';
import { type Pair, quantizeAll } from './sequential.ts';
import { estimateInts, estimateResident, remembered } from './size.ts';
import { smallest } from './smallest.ts';
import { isConvolution, storagesOf } from './storage.ts';
import { checkSignal } from './stream.ts';
import { keptValues, survey } from './survey.ts';
import { Timings } from './timings.ts';
import type { CalibrationData, CompressOptions, CompressResult } from './types.ts';

/** The first pass only learns how well codes pack: a share of the samples, and at least so many, tell that. */
const FIRST_SHARE = 0.25;
const MIN_FIRST = 8;
/** Sizes tried when the quality is not met grow by this factor. */
const GROWTH = 1.3;
/** Layers are split in two where that is expected to leave this share of the divergence. */
const FACTORS_WORTH = 0.7;
/** Samples that tell the ranges of queries, keys and values, and held-out ones that tell what their rounding costs. */
const RANGE_SAMPLES = 64;
const ATTENTION_SAMPLES = 24;

/**
 * Compresses a normalized float graph to integer operators within the budgets of `options`: survey of the float network, allocation
 * of steps, sequential refit and rounding, gate on held-out samples, and a last fit on all samples. What is measured is the integer
 * graph run through `runner`. Throws EW3202_DATA_INVALID without samples, EW1004_INTERRUPTED when the signal is raised; a budget or
 * quality that is not met is for the caller to judge by the report.
 */
export async function compress(
  graph: Graph,
  data: CalibrationData,
  options: CompressOptions,
  runner: Runner,
  progress: Progress,
  signal?: AbortSignal,
): Promise<CompressResult> {
  const job = new Job(graph, data, options, runner, progress, signal);
  try {
    const passes = await job.prepare();
    return await job.finish(passes, await (options.smallest ? smallest(passes) : passes.at()));
  } finally {
    job.close();
  }
}

/**
 * One model under compression: what does not depend on the size is made once (`prepare`), then any number of sizes are measured, and
 * one of them is made the result (`finish`).
 */
export class Job {
  private ctx: Context;
  private planner: Planner;
  private readonly runner: Runner;
  private readonly sessions: Session[] = [];
  private values: FloatValues | undefined;
  private readonly timings: Timings;

  constructor(
    graph: Graph,
    data: CalibrationData,
    options: CompressOptions,
    runner: Runner,
    progress: Progress,
    signal: AbortSignal | undefined,
  ) {
    if (data.samples.length === 0) {
      throw new EigenError('EW3202_DATA_INVALID', 'the calibration data holds no samples', {
        hint: 'Give at least a few dozen representative inputs.',
      });
    }
    this.ctx = {
      original: graph,
      ...partsOf(exposeStates(graph), runner),
      ranks: new Map(),
      ...splitSamples(data, options),
      ...(data.answers ? { answers: data.answers } : {}),
      options,
      sizer: remembered(options.sizer ?? estimateInts),
      residentSizer: remembered(options.residentSizer ?? estimateResident),
      la: new Linalg(runner.threads),
      progress,
      signal,
    };
    this.planner = new Planner(this.ctx);
    this.runner = runner;
    this.timings = new Timings(signal);
  }

  private drop(session: Session): void {
    this.sessions.splice(this.sessions.indexOf(session), 1);
    session.close();
  }

  close(): void {
    for (const s of this.sessions) s.close();
    this.values?.close();
    this.ctx.la.close();
  }

  async prepare(): Promise<Passes> {
    const whole = await this.timings.of('compile', () => this.openFloat());
    const reference = await this.timings.of('reference', () => separateAnswers(this.ctx, whole));
    const judged = await this.timings.of('reference', () => judgedAnswers(this.ctx, whole, reference));
    const { float, plan } = await this.factorized(await this.planned(whole, reference), reference);
    const pair = await this.timings.of('compile', () => this.openInteger(float, plan));
    const refined = await this.timings.of('quantize', () => this.refine(pair, plan));
    const { ctx, planner } = this;
    return new Passes({ ctx, planner, pair, plan: refined, reference: judged }, this.timings);
  }

  /** Survey and first plan of the float network in `float`. */
  private async planned(float: Session, reference: HeldOut): Promise<Planned> {
    const { ctx } = this;
    const probes = probeCount(ctx.graph, ctx.layers, ctx.held.length);
    const surveys = await this.timings.of('sensitivity', () => survey(ctx, float, reference, probes));
    const attention = await this.timings.of('sensitivity', () => this.attention(float, reference));
    const plan = await this.timings.of('allocate', async () => this.planner.firstPlan(surveys, attention));
    return { float, plan };
  }

  /**
   * The network with layers as products of two, where the survey found layers with rank to spare, and where what is dropped and
   * what coding is then expected to cost are clearly less; else the network as it was planned.
   */
  private async factorized(whole: Planned, reference: HeldOut): Promise<Planned> {
    const { ctx, planner } = this;
    const factors = new Map([...whole.plan.surveys].flatMap(([l, s]) => (s.factors ? [[l, s.factors] as const] : [])));
    if (factors.size === 0) return whole;
    const ranks = new Map([...factors].map(([l, f]) => [l.node!.name, f.rank]));
    this.ctx = {
      ...ctx,
      ...partsOf(factorize(ctx.graph, factors), this.runner),
      ranks,
    };
    this.planner = new Planner(this.ctx);
    const float = await this.timings.of('compile', () => this.openFloat());
    const { scores } = await this.timings.of('sensitivity', () => evaluate(float, reference));
    const dropped = meanDivergence(scores);
    const most = FACTORS_WORTH * divergenceOf(whole.plan.choices.values());
    // Before the coding of the factors is looked at, which takes a survey of its own.
    const split = dropped < most ? await this.planned(float, reference) : undefined;
    const worth = split && dropped + divergenceOf(split.plan.choices.values()) < most;
    // Sessions keep memory for the states of many samples.
    this.drop(worth ? whole.float : float);
    if (worth) return split;
    this.ctx = ctx;
    this.planner = planner;
    return whole;
  }

  /** Compiling takes memory that nothing else should hold meanwhile. */
  private open(graph: Graph, options?: SessionOptions): Promise<Session> {
    this.ctx.la.reset();
    return this.runner.open(graph, options);
  }

  private async openFloat(): Promise<Session> {
    const { graph, layers, attentions, storages, progress } = this.ctx;
    progress({ stage: 'compile', done: 0, total: 2, note: 'original' });
    const isComputed = (v: string): boolean => graph.values.get(v)?.data === undefined && !graph.inputs.includes(v);
    const session = await this.open(graph, {
      keep: [
        ...new Set([...keptValues(layers, storages, isComputed), ...attentionValues(attentions).filter(isComputed)]),
      ],
      mutable: layers.flatMap((l) => [...l.matrices.map((m) => m.value), ...(l.bias === '' ? [] : [l.bias])]),
    });
    this.sessions.push(session);
    return session;
  }

  /** The float graph with integer attention, and the divergence that this alone costs. */
  private async attention(float: Session, reference: HeldOut): Promise<Replacement | undefined> {
    const { ctx } = this;
    const { attentions } = ctx;
    if (attentions.length === 0) return undefined;
    const ranges = await attentionRanges(attentions, float, ctx.fit.slice(0, RANGE_SAMPLES));
    const graph = integerAttention(this.planner.base, attentions, ranges);
    const session = await this.open(graph);
    try {
      const few = Math.min(ATTENTION_SAMPLES, reference.samples.length);
      const { scores } = await evaluate(session, { ...reference, samples: reference.samples.slice(0, few) });
      return { graph, divergence: meanDivergence(scores) };
    } finally {
      session.close();
    }
  }

  private async openInteger(float: Session, plan: Plan): Promise<Pair> {
    const { layers, progress } = this.ctx;
    progress({ stage: 'compile', done: 1, total: 2, note: 'integer' });
    const empty = new Map(layers.map((l) => [l, emptyLayer(l)]));
    const { graph, names } = buildInteger(this.planner.base, layers, plan.activations, empty, this.ctx.kernels);
    const all = [...names.values()];
    const computed = (v: string): boolean =>
      v !== '' && graph.values.get(v)?.data === undefined && !graph.inputs.includes(v);
    const integer = await this.open(graph, {
      keep: [...new Set(all.flatMap((n) => [n.input, n.rowScales]).filter(computed))],
      mutable: all.flatMap((n) => [...n.codes, ...n.multipliers, n.bias].filter((v) => v !== '')),
    });
    this.sessions.push(integer);
    progress({ stage: 'compile', done: 2, total: 2 });
    const values = new FloatValues(this.ctx, float);
    this.values = values;
    return { float: values, integer, names };
  }

  /** One pass with the planned steps tells what coding really takes; the plan is made again with that. */
  private async refine(pair: Pair, plan: Plan): Promise<Plan> {
    const { ctx } = this;
    const few = Math.min(ctx.fit.length, Math.max(MIN_FIRST, Math.ceil(ctx.fit.length * FIRST_SHARE)));
    const first = await quantizeAll(ctx, pair, ctx.fit.slice(0, few), plan, 'first pass');
    return this.planner.refined(plan, first);
  }

  /** Judges a candidate, looks at larger sizes where it keeps too little, and makes it the result. */
  async finish(passes: Passes, chosen: Candidate): Promise<CompressResult> {
    const { ctx } = this;
    const { options } = ctx;
    const { pair, reference } = passes.prepared;
    const { gate } = chosen;
    let { result } = chosen;
    // Where memory or time binds, more bytes on the wire are no way out.
    if (!gate.passed && !options.smallest && !chosen.limited)
      await this.timings.of('frontier', () => explore(passes, chosen));
    if (options.fitOnAll && ctx.held !== ctx.fit) {
      result = await this.timings.of('quantize', () =>
        passes.pass(chosen.plan, [...ctx.fit, ...ctx.held], 'fit on all', chosen.wireBytes),
      );
    }
    ctx.progress({ stage: 'gate', done: 1, total: 1 });
    const report = reportOf(ctx, chosen, result, passes.frontier);
    const progressive = await this.timings.of('progressive', () => measurePrefixes(ctx, pair, result, reference));
    const measured = { ...report, ...(progressive ? { progressive } : {}) };
    return { graph: result.graph, report: measured, timings: { ...this.timings.seconds } };
  }
}

/** Larger sizes until the quality is met: what the user would have to allow. */
async function explore(passes: Passes, chosen: Candidate): Promise<void> {
  const { options, signal } = passes.prepared.ctx;
  // A budget below what the smallest plan takes is no point to start from.
  const start = Math.max(options.wireBudgetBytes, chosen.point.wireBytes);
  for (let k = 1; k <= options.frontierPoints; k++) {
    checkSignal(signal);
    const { point } = await passes.at(Math.round(start * GROWTH ** k), [1]);
    if (point.low >= options.minQuality) break;
  }
  passes.install(chosen);
}

/** A float network with its plan. */
interface Planned {
  readonly float: Session;
  readonly plan: Plan;
}

/** What is found in a float graph. */
function partsOf(
  graph: Graph,
  runner: Runner,
): Pick<Context, 'graph' | 'layers' | 'kernels' | 'attentions' | 'fixedInputs' | 'storages'> {
  const layers = findLayers(graph);
  const kernels = runner.kernelsOf(graph);
  const fixed = fixedInputs(graph, layers);
  const storages = storagesOf(graph, [...layers.filter(isConvolution), ...fixed], kernels);
  return { graph, layers, kernels, attentions: findAttention(graph), fixedInputs: fixed, storages };
}

/** Random split, seeded. A single sample serves for both. */
function splitSamples(data: CalibrationData, options: CompressOptions): Pick<Context, 'fit' | 'held'> {
  const { samples } = data;
  const counts = splitCounts(samples.length, options.holdout);
  if (counts.fit === samples.length) return { fit: samples, held: samples };
  const order = new Rng(options.seed).permutation(samples.length);
  const pick = (from: number, to: number): CalibrationData['samples'] =>
    order
      .slice(from, to)
      .sort((a, b) => a - b)
      .map((i) => samples[i]!);
  return { held: pick(0, counts.held), fit: pick(counts.held, samples.length) };
}
