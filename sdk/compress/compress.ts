import type { Graph } from '../ir/graph.ts';
import { EigenError } from '../util/errors.ts';
import { Linalg } from '../util/linalg/linalg.ts';
import type { Progress } from '../util/progress.ts';
import { Rng } from '../util/rng.ts';
import type { Tensor } from '../util/tensor.ts';
import type { Activations } from './activations.ts';
import {
  allocate,
  allocateUniform,
  type Choice,
  divergenceOf,
  type Excess,
  residentOf,
  type Unit,
  wireOf,
} from './allocate.ts';
import { attentionRanges, attentionValues, integerAttention } from './attention.ts';
import { findAttention } from './attention-match.ts';
import { packConstants } from './constants.ts';
import type { Context } from './context.ts';
import { measuresOf } from './divergence.ts';
import { type Evaluation, evaluate, type HeldOut, heldOut, meanDivergence } from './evaluate.ts';
import { factorize } from './factorize.ts';
import { fixedInputs } from './fixed-inputs.ts';
import { gateOf } from './gate.ts';
import { buildInteger, emptyLayer, exposeStates, type IntegerGraph, type QuantizedLayer } from './integer.ts';
import { findLayers, type Layer } from './layers.ts';
import { excessOf, type Footprint, memoryOf, narrowings, type ResidentLimit, ramOf, residentLimit } from './limits.ts';
import { probeCount, splitCounts } from './plan.ts';
import { planActivations } from './plan-activations.ts';
import { measurePrefixes } from './progressive.ts';
import { inputScales } from './quantize.ts';
import { type Measured, reportOf } from './report.ts';
import type { Runner, Session } from './runner.ts';
import { codeBytes, install, type Pair, quantizeAll, residentCodeBytes } from './sequential.ts';
import { estimateInts, estimateResident, type GraphSize, graphSize } from './size.ts';
import { smallest } from './smallest.ts';
import { isConvolution, storagesOf } from './storage.ts';
import { checkSignal } from './stream.ts';
import { firstLayers, keptValues, type Surveys, survey } from './survey.ts';
import type { CalibrationData, CompressOptions, CompressResult, FrontierPoint } from './types.ts';

/** Aimed at below the budget, so that the coder's granularity does not push a plan over it. */
const SLACK = 0.0005;
/** The first pass only learns how well codes pack: a share of the samples, and at least so many, tell that. */
const FIRST_SHARE = 0.25;
const MIN_FIRST = 8;
/** Sizes tried when the quality is not met grow by this factor. */
const GROWTH = 1.3;
/** Plans made again because the compiled program takes more than they allowed for. */
const LIMIT_TRIES = 2;
/** What the memory goal may be expected to cost: so many times the divergence without it, or a divergence that is next to nothing. */
const MEMORY_PRICE = 2;
const HARMLESS = 0.004;
/**
 * Quality that a network within the memory goal keeps on the held-out samples; with less, the goal is given up unless the network without
 * it is hardly better, by its divergence: two fits of one plan differ as much.
 */
const GOAL_QUALITY = 0.995;
const GOAL_DIVERGENCE = 1.25;
/** Layers are split in two where that is expected to leave this share of the divergence. */
const FACTORS_WORTH = 0.7;
/** Share of the budget that may stay unused without another try. */
const UNUSED = 0.005;

/** Share of the weights' divergence that integer attention may add, or attention stays in floating point. */
const ATTENTION_SHARE = 0.05;
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
    const prepared = await job.prepare();
    return await job.finish(prepared, await (options.smallest ? smallest(job, prepared) : job.at(prepared)));
  } finally {
    job.close();
  }
}

/**
 * One model under compression: what does not depend on the size is made once (`prepare`), then any number of sizes are measured
 * (`at`), and one of them is made the result (`finish`).
 */
export class Job {
  ctx: Context;
  private readonly runner: Runner;
  /** The float graph with its other constants packed: what the integer graph is made from. */
  private base: Graph;
  private readonly sessions: Session[] = [];
  private readonly timings: Record<string, number> = {};
  /** Every size measured so far. */
  readonly frontier: FrontierPoint[] = [];
  /** What earlier passes taught about aiming at the size in work, bytes. */
  private correction = 0;

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
      options,
      sizer: options.sizer ?? estimateInts,
      residentSizer: options.residentSizer ?? estimateResident,
      la: new Linalg(),
      progress,
      signal,
    };
    this.runner = runner;
    this.base = packed(this.ctx);
  }

  private drop(session: Session): void {
    this.sessions.splice(this.sessions.indexOf(session), 1);
    session.close();
  }

  close(): void {
    for (const s of this.sessions) s.close();
  }

  async prepare(): Promise<Prepared> {
    const whole = await this.timed('compile', () => this.openFloat());
    const reference = await this.timed('reference', () => this.reference(whole));
    const { float, plan } = await this.factorized(await this.planned(whole, reference), reference);
    const pair = await this.timed('compile', () => this.openInteger(float, plan));
    const refined = await this.timed('quantize', () => this.refine(pair, plan));
    return { pair, plan: refined, reference };
  }

  /** Survey and first plan of the float network in `float`. */
  private async planned(float: Session, reference: HeldOut): Promise<Planned> {
    const { ctx } = this;
    const probes = probeCount(ctx.graph, ctx.layers, ctx.held.length);
    const surveys = await this.timed('sensitivity', () => survey(ctx, float, reference, probes));
    const attention = await this.timed('sensitivity', () => this.attention(float, reference));
    const plan = await this.timed('allocate', async () => this.firstPlan(surveys, attention));
    return { float, plan };
  }

  /**
   * The network with layers as products of two, where the survey found layers with rank to spare, and where what is dropped and
   * what coding is then expected to cost are clearly less; else the network as it was planned.
   */
  private async factorized(whole: Planned, reference: HeldOut): Promise<Planned> {
    const { ctx, base } = this;
    const factors = new Map([...whole.plan.surveys].flatMap(([l, s]) => (s.factors ? [[l, s.factors] as const] : [])));
    if (factors.size === 0) return whole;
    const ranks = new Map([...factors].map(([l, f]) => [l.node!.name, f.rank]));
    this.ctx = {
      ...ctx,
      ...partsOf(factorize(ctx.graph, factors), this.runner),
      ranks,
    };
    this.base = packed(this.ctx);
    const float = await this.timed('compile', () => this.openFloat());
    const { scores } = await evaluate(float, reference);
    const split = await this.planned(float, reference);
    const expected = meanDivergence(scores) + divergenceOf(split.plan.choices.values());
    const worth = expected < FACTORS_WORTH * divergenceOf(whole.plan.choices.values());
    // Sessions keep memory for the states of many samples.
    this.drop((worth ? whole : split).float);
    if (worth) return split;
    this.ctx = ctx;
    this.base = base;
    return whole;
  }

  private async timed<T>(stage: string, work: () => Promise<T>): Promise<T> {
    checkSignal(this.ctx.signal);
    const from = performance.now();
    const result = await work();
    this.timings[stage] = (this.timings[stage] ?? 0) + (performance.now() - from) / 1000;
    return result;
  }

  private async openFloat(): Promise<Session> {
    const { graph, layers, attentions, storages, progress } = this.ctx;
    progress({ stage: 'compile', done: 0, total: 2, note: 'original' });
    const isComputed = (v: string): boolean => graph.values.get(v)?.data === undefined && !graph.inputs.includes(v);
    const session = await this.runner.open(graph, {
      keep: [
        ...new Set([...keptValues(layers, storages, isComputed), ...attentionValues(attentions).filter(isComputed)]),
      ],
      mutable: layers.flatMap((l) => [...l.matrices.map((m) => m.value), ...(l.bias === '' ? [] : [l.bias])]),
    });
    this.sessions.push(session);
    return session;
  }

  private async reference(float: Session): Promise<HeldOut> {
    const { ctx } = this;
    const outputs: Record<string, Tensor>[] = [];
    for (const sample of ctx.held) {
      checkSignal(ctx.signal);
      outputs.push(await float.run(sample));
      ctx.progress({ stage: 'reference', done: outputs.length, total: ctx.held.length });
    }
    const measures = measuresOf(ctx.graph, outputs[0]!, ctx.options.divergence);
    return heldOut(measures, ctx.held, outputs, ctx.options.seed, ctx.options.metric);
  }

  /** The float graph with integer attention, and the divergence that this alone costs. */
  private async attention(float: Session, reference: HeldOut): Promise<Measure | undefined> {
    const { ctx } = this;
    const { attentions } = ctx;
    if (attentions.length === 0) return undefined;
    const ranges = await attentionRanges(attentions, float, ctx.fit.slice(0, RANGE_SAMPLES));
    const graph = integerAttention(this.base, attentions, ranges);
    const session = await this.runner.open(graph);
    try {
      const few = Math.min(ATTENTION_SAMPLES, reference.samples.length);
      const { scores } = await evaluate(session, { ...reference, samples: reference.samples.slice(0, few) });
      return { graph, divergence: meanDivergence(scores) };
    } finally {
      session.close();
    }
  }

  /** Steps by the survey, with the size of everything but the codes estimated from a graph of empty codes. */
  private firstPlan(surveys: Surveys, attention: Measure | undefined): Plan {
    const { ctx } = this;
    const narrow = planActivations(ctx, surveys, new Set(), Number.POSITIVE_INFINITY);
    const side0 = this.sideOf(surveys, narrow);
    const draft = this.allocateFor({ surveys, side: side0, limit: residentLimit(ctx.options, undefined) });
    const weights = divergenceOf(draft.values());
    if (attention && attention.divergence <= ATTENTION_SHARE * weights) this.base = attention.graph;
    const wanted = planActivations(ctx, surveys, firstLayers(ctx), weights);
    return this.withinLimits(surveys, wanted);
  }

  /**
   * The way to quantize activations that leaves the least divergence within the limits of memory and time; without limits as wanted,
   * or with fewer bits where that is what it takes to reach the memory goal at its price.
   */
  private withinLimits(surveys: Surveys, wanted: Activations): Plan {
    const { maxRamBytes, maxLatencyMs, memoryGoalBytes, wireBudgetBytes } = this.ctx.options;
    const limited = maxRamBytes !== undefined || maxLatencyMs !== undefined;
    const first = this.planWith(surveys, wanted);
    if (!limited && memoryGoalBytes === undefined) return first;
    const most = priceOf(first);
    let best: { plan: Plan; over: number; divergence: number } | undefined;
    for (const narrowing of narrowings(this.ctx, surveys, wanted)) {
      const plan = this.planWith(surveys, narrowing.plans);
      const aimed = limited ? plan : this.towardsGoal(plan, wireBudgetBytes);
      const over = Math.max(0, this.residentOf(aimed) - (limited ? plan.limit.bytes : plan.goal * (1 + SLACK)));
      const divergence = divergenceOf(aimed.choices.values()) + narrowing.divergence;
      if (!limited && (over > 0 || divergence > most)) continue;
      if (!best || over < best.over || (over === best.over && divergence < best.divergence))
        best = { plan, over, divergence };
    }
    return best?.plan ?? first;
  }

  private planWith(surveys: Surveys, activations: Activations): Plan {
    const { options } = this.ctx;
    const { footprint, maxRamBytes, maxLatencyMs, memoryGoalBytes } = options;
    const asked = maxRamBytes !== undefined || maxLatencyMs !== undefined || memoryGoalBytes !== undefined;
    const empty = this.emptyGraph(surveys, activations);
    const planned = asked ? footprint?.(empty) : undefined;
    // Constants are aligned in the program: that much is not there for codes.
    const aligned = planned ? Math.max(0, planned.weightBytes - this.sizeOf(empty).residentBytes) : 0;
    const limit = residentLimit(options, planned && { ...planned, arenaBytes: planned.arenaBytes + aligned });
    const goal =
      planned && memoryGoalBytes !== undefined
        ? memoryGoalBytes - planned.arenaBytes - aligned
        : Number.POSITIVE_INFINITY;
    const base = { surveys, activations, limit, goal, side: this.sideOfGraph(empty) };
    return { ...base, choices: this.allocateFor(base) };
  }

  private sizeOf(graph: Graph): GraphSize {
    return graphSize(graph, this.ctx.sizer, this.ctx.residentSizer);
  }

  private sideOf(surveys: Surveys, activations: Activations): { wire: number; resident: number } {
    return this.sideOfGraph(this.emptyGraph(surveys, activations));
  }

  private emptyGraph(surveys: Surveys, activations: Activations): Graph {
    const empty = new Map(
      this.ctx.layers.map((l) => {
        const q = emptyLayer(l);
        const matrices = q.matrices.map((m, i) => ({
          ...m,
          exponents: withShift(
            surveys.get(l)!.relative[i]!,
            inputScales(activations.get(l)!, l.matrices[i]!.rows).shift,
          ),
        }));
        return [l, { ...q, matrices }] as const;
      }),
    );
    return buildInteger(this.base, this.ctx.layers, activations, empty, this.ctx.kernels).graph;
  }

  private sideOfGraph(graph: Graph): { wire: number; resident: number } {
    const size = this.sizeOf(graph);
    let codes = 0;
    for (const v of graph.values.values()) if (v.packing?.kind === 'codes') codes += size.byValue.get(v.name)!.resident;
    return { wire: size.wireBytes - size.codeBytes, resident: size.residentBytes - codes };
  }

  private allocateFor(
    { surveys, side, excess, limit }: Pick<Plan, 'surveys' | 'side' | 'excess' | 'limit'>,
    wireBytes = this.ctx.options.wireBudgetBytes,
  ): Map<Layer, Choice> {
    const { layers, options } = this.ctx;
    const units = withFloor(
      layers.map((l): Unit => {
        const more = excess?.get(l);
        return { ...surveys.get(l)!.unit, ...(more ? { excess: more } : {}) };
      }),
    );
    const wireBits = 8 * Math.max(0, wireBytes * (1 - SLACK) - side.wire);
    const residentBits = 8 * Math.max(0, limit.bytes - side.resident);
    const choices = options.entropyAllocation
      ? allocate(units, { wireBits, residentBits })
      : allocateUniform(units, wireBits);
    return new Map(layers.map((l, i) => [l, choices[i]!]));
  }

  private unitsOf(plan: Pick<Plan, 'surveys'>): Unit[] {
    return this.ctx.layers.map((l) => plan.surveys.get(l)!.unit);
  }

  /** Bytes that a plan is expected to take in memory. */
  private residentOf(plan: Pick<Plan, 'surveys' | 'choices' | 'side'>): number {
    return (
      plan.side.resident +
      residentOf(
        this.unitsOf(plan),
        this.ctx.layers.map((l) => plan.choices.get(l)!),
      ) /
        8
    );
  }

  /** Bytes that the codes of a plan are expected to take on the wire. */
  private codesOf(plan: Pick<Plan, 'surveys' | 'choices'>): number {
    return (
      wireOf(
        this.unitsOf(plan),
        this.ctx.layers.map((l) => plan.choices.get(l)!),
      ) / 8
    );
  }

  private async openInteger(float: Session, plan: Plan): Promise<Pair> {
    const { layers, progress } = this.ctx;
    progress({ stage: 'compile', done: 1, total: 2, note: 'integer' });
    const empty = new Map(layers.map((l) => [l, emptyLayer(l)]));
    const { graph, names } = buildInteger(this.base, layers, plan.activations, empty, this.ctx.kernels);
    const all = [...names.values()];
    const computed = (v: string): boolean =>
      v !== '' && graph.values.get(v)?.data === undefined && !graph.inputs.includes(v);
    const integer = await this.runner.open(graph, {
      keep: [...new Set(all.flatMap((n) => [n.input, n.rowScales]).filter(computed))],
      mutable: all.flatMap((n) => [...n.codes, ...n.multipliers, n.bias].filter((v) => v !== '')),
    });
    this.sessions.push(integer);
    progress({ stage: 'compile', done: 2, total: 2 });
    return { float, integer, names };
  }

  /** One pass with the planned steps tells what coding really takes; the plan is made again with that. */
  private async refine(pair: Pair, plan: Plan): Promise<Plan> {
    const { ctx } = this;
    const few = Math.min(ctx.fit.length, Math.max(MIN_FIRST, Math.ceil(ctx.fit.length * FIRST_SHARE)));
    const first = await quantizeAll(ctx, pair, ctx.fit.slice(0, few), plan, 'first pass');
    const excess = new Map(
      ctx.layers.map((l) => {
        const { matrices } = first.get(l)!;
        const { entropy, resident } = plan.choices.get(l)!;
        const bits = (bytes: number): number => (8 * bytes) / l.params;
        return [
          l,
          {
            wire: bits(codeBytes(ctx, l, matrices)) - entropy,
            resident: bits(residentCodeBytes(ctx, l, matrices)) - resident,
          },
        ] as const;
      }),
    );
    const side = this.sideOfGraph(this.integerGraph(plan, first).graph);
    const refined = { ...plan, side, excess };
    return { ...refined, choices: this.allocateFor(refined) };
  }

  private integerGraph(plan: Plan, quantized: ReadonlyMap<Layer, QuantizedLayer>): IntegerGraph {
    return buildInteger(this.base, this.ctx.layers, plan.activations, quantized, this.ctx.kernels);
  }

  /** Judges a candidate, looks at larger sizes where it keeps too little, and makes it the result. */
  async finish(prepared: Prepared, chosen: Candidate): Promise<CompressResult> {
    const { ctx } = this;
    const { options } = ctx;
    const { pair } = prepared;
    let { result } = chosen;
    const gate = gateOf(chosen.evaluation.scores, chosen.evaluation.metric, options.minQuality, options.seed);
    // Where memory or time binds, more bytes on the wire are no way out.
    if (!gate.passed && !options.smallest && !chosen.limited)
      await this.timed('frontier', () => this.explore(prepared, chosen));
    if (options.fitOnAll && ctx.held !== ctx.fit) {
      result = await this.timed('quantize', () =>
        this.pass(pair, chosen.plan, [...ctx.fit, ...ctx.held], 'fit on all', chosen.wireBytes),
      );
    }
    ctx.progress({ stage: 'gate', done: 1, total: 1 });
    const report = reportOf(ctx, chosen, result, gate, this.frontier);
    const progressive = await this.timed('progressive', () => measurePrefixes(ctx, pair, result, prepared.reference));
    const measured = { ...report, ...(progressive ? { progressive } : {}) };
    return { graph: result.graph, report: measured, timings: { ...this.timings } };
  }

  /**
   * The plan of a size within the limits of memory and time, fitted with each damping; the one with the least divergence on the
   * held-out samples.
   */
  async at(
    prepared: Prepared,
    wireBytes = this.ctx.options.wireBudgetBytes,
    dampings: readonly number[] = this.dampings(),
  ): Promise<Candidate> {
    const { memoryGoalBytes, minQuality } = this.ctx.options;
    const free = { ...prepared.plan, choices: this.allocateFor(prepared.plan, wireBytes) };
    const tight = this.towardsGoal(free, wireBytes);
    if (tight === free) return this.within(prepared, free, wireBytes, dampings);
    const small = await this.within(prepared, tight, wireBytes, dampings, memoryGoalBytes);
    const { divergence, quality } = small.point;
    if (divergence <= HARMLESS || quality >= GOAL_QUALITY) return small;
    const large = await this.within(prepared, free, wireBytes, dampings);
    const alike = divergence <= GOAL_DIVERGENCE * large.point.divergence && quality >= minQuality;
    // One point a size: the other one was a try.
    this.frontier.splice(-2, 2, (alike ? small : large).point);
    if (alike) this.install(prepared, small);
    return alike ? small : large;
  }

  /** A plan fitted until the compiled program is within the limits, and within the memory goal when one is given. */
  private async within(
    prepared: Prepared,
    planned: Plan,
    wireBytes: number,
    dampings: readonly number[],
    goal?: number,
  ): Promise<Candidate> {
    const { options } = this.ctx;
    let plan = planned;
    let wanted = dampings;
    this.correction = 0;
    for (let attempt = 0; ; attempt++) {
      const candidate = await this.best(prepared, plan, wireBytes, wanted);
      const { footprint } = candidate;
      const over = footprint
        ? Math.max(excessOf(options, footprint), goal === undefined ? 0 : memoryOf(footprint) - goal)
        : 0;
      if (over <= 0 || attempt === LIMIT_TRIES)
        return { ...candidate, limited: this.isLimited(candidate.plan, wireBytes) };
      wanted = [candidate.plan.damping ?? 1];
      // Padding takes what the plan does not know of.
      const taken = Math.min(plan.limit.bytes, candidate.result.size.residentBytes);
      const limited = { ...plan, limit: { ...plan.limit, bytes: Math.max(0, taken - over - 64) } };
      plan = { ...limited, choices: this.allocateFor(limited, wireBytes) };
      this.frontier.pop();
    }
  }

  /** The plan within the memory goal where that is expected to cost little, else the plan itself. */
  private towardsGoal(free: Plan, wireBytes: number): Plan {
    if (free.goal >= free.limit.bytes) return free;
    const limited: Plan = { ...free, limit: { bytes: Math.max(0, free.goal), by: 'resident' } };
    const tight = { ...limited, choices: this.allocateFor(limited, wireBytes) };
    const cheap = divergenceOf(tight.choices.values()) <= priceOf(free);
    return cheap && this.residentOf(tight) <= free.goal * (1 + SLACK) ? tight : free;
  }

  /** Whether the plan would be another one without its limit on the weights in memory. */
  private isLimited(plan: Plan, wireBytes: number): boolean {
    if (plan.limit.bytes === Number.POSITIVE_INFINITY) return false;
    const free = this.allocateFor({ ...plan, limit: { ...plan.limit, bytes: Number.POSITIVE_INFINITY } }, wireBytes);
    return [...free].some(([l, c]) => c.step !== plan.choices.get(l)!.step);
  }

  private dampings(): readonly number[] {
    const { refit, gptq, dampings } = this.ctx.options;
    return refit || gptq ? dampings : [1];
  }

  private async best(
    { pair, reference }: Prepared,
    plan: Plan,
    wireBytes: number,
    dampings: readonly number[],
  ): Promise<Candidate> {
    const { ctx } = this;
    const before = this.frontier.length;
    let best: Candidate | undefined;
    for (const damping of dampings) {
      const note = `fit with damping ${damping}`;
      const damped = { ...plan, damping };
      const result = await this.timed('quantize', () => this.pass(pair, damped, ctx.fit, note, wireBytes));
      const footprint = ctx.options.footprint?.(result.graph);
      const evaluation = await this.timed('gate', () => this.measure(pair, reference, result, footprint));
      const point = this.frontier.at(-1)!;
      const within = result.size.wireBytes <= wireBytes && result.size.residentBytes <= plan.limit.bytes;
      if (!best || (within && (!best.within || point.divergence < best.point.divergence))) {
        best = { result, evaluation, point, within, plan: damped, wireBytes, footprint, limited: false };
      }
    }
    // One point a size: the others were tries at the same one.
    this.frontier.splice(before, this.frontier.length, best!.point);
    this.install({ pair }, best!);
    return best!;
  }

  /** Makes the integer session that of a candidate. */
  install({ pair }: Pick<Prepared, 'pair'>, { result }: Candidate): void {
    for (const layer of this.ctx.layers) install(pair, layer, result.quantized.get(layer)!);
  }

  /**
   * Quantizes on `samples` until the written size is within the budget and uses it, and the size in memory within its limit: another
   * try aims lower by what was over, or once higher by what was left.
   */
  private async pass(
    pair: Pair,
    plan: Plan,
    samples: Context['fit'],
    note: string,
    wireBytes: number,
  ): Promise<Measured> {
    let best: Measured | undefined;
    let bestOver = Number.POSITIVE_INFINITY;
    // A plan that memory limits does not use the whole budget.
    const room = wireBytes * (1 - SLACK) - plan.side.wire;
    let aim = (Number.isFinite(plan.limit.bytes) ? Math.min(room, this.codesOf(plan)) : room) + this.correction;
    for (let attempt = 0; attempt < 3; attempt++) {
      const quantized = await quantizeAll(this.ctx, pair, samples, { ...plan, codeBytes: Math.max(0, aim) }, note);
      const { graph } = this.integerGraph(plan, quantized);
      const size = this.sizeOf(graph);
      // A byte more on the wire is about one more in memory.
      const over = Math.max(size.wireBytes - wireBytes, size.residentBytes - plan.limit.bytes);
      if (over <= 0 ? bestOver > 0 || over > bestOver : over < bestOver) {
        best = { graph, quantized, size };
        bestOver = over;
      }
      if (over <= 0 && (attempt > 0 || over > -UNUSED * wireBytes)) break;
      const step = over > 0 ? -1.1 * over - 16 : -0.9 * over;
      this.correction += step;
      aim += step;
    }
    for (const layer of this.ctx.layers) install(pair, layer, best!.quantized.get(layer)!);
    return best!;
  }

  private async measure(
    pair: Pair,
    reference: HeldOut,
    result: Measured,
    footprint: Footprint | undefined,
  ): Promise<Evaluation> {
    const { ctx } = this;
    ctx.progress({ stage: 'gate', done: 0, total: 1 });
    const evaluation = await evaluate(pair.integer, reference, ctx.options.metric);
    const verdict = gateOf(evaluation.scores, evaluation.metric, ctx.options.minQuality, ctx.options.seed);
    this.frontier.push({
      wireBytes: result.size.wireBytes,
      residentBytes: result.size.residentBytes,
      divergence: verdict.divergence,
      quality: verdict.quality,
      low: verdict.low,
      high: verdict.high,
      agreement: verdict.agreement,
      ...(footprint ? { ramBytes: ramOf(footprint) } : {}),
    });
    return evaluation;
  }

  /** Larger sizes until the quality is met: what the user would have to allow. */
  private async explore(prepared: Prepared, chosen: Candidate): Promise<void> {
    const { options } = this.ctx;
    // A budget below what the smallest plan takes is no point to start from.
    const start = Math.max(options.wireBudgetBytes, chosen.point.wireBytes);
    for (let k = 1; k <= options.frontierPoints; k++) {
      checkSignal(this.ctx.signal);
      const { point } = await this.at(prepared, Math.round(start * GROWTH ** k), [1]);
      if (point.quality >= options.minQuality) break;
    }
    this.install(prepared, chosen);
  }
}

/** Divergence that the memory goal may be expected to leave. */
const priceOf = (free: Plan): number => Math.max(MEMORY_PRICE * divergenceOf(free.choices.values()), HARMLESS);

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

/** The float graph with the constants packed that no layer replaces. */
function packed({ graph, layers }: Pick<Context, 'graph' | 'layers'>): Graph {
  return packConstants(graph, new Set(layers.flatMap((l) => [...l.matrices.map((m) => m.value), l.bias])));
}

/** What is the same at every size. */
export interface Prepared {
  readonly pair: Pair;
  readonly plan: Plan;
  readonly reference: HeldOut;
}

/** One fit at a size and what the held-out samples say of it. */
export interface Candidate {
  readonly result: Measured;
  readonly evaluation: Evaluation;
  readonly point: FrontierPoint;
  readonly within: boolean;
  /** What it was made with. */
  readonly plan: Plan;
  /** The size that was asked for. */
  readonly wireBytes: number;
  readonly footprint: Footprint | undefined;
  /** Whether memory or time made the plan another one. */
  readonly limited: boolean;
}

export interface Plan {
  readonly surveys: Surveys;
  readonly activations: Activations;
  /** What the weights may take in memory. */
  readonly limit: ResidentLimit;
  /** What the weights should take in memory so that the goal for weights and activations is met; infinite without one. */
  readonly goal: number;
  readonly choices: ReadonlyMap<Layer, Choice>;
  /** Bytes of everything but the codes. */
  readonly side: { readonly wire: number; readonly resident: number };
  readonly excess?: ReadonlyMap<Layer, Excess>;
  /** Factor on the damping of every fit; 1 when absent. */
  readonly damping?: number;
}

/** Share of the mean divergence a parameter that every layer is taken to have: a probe on few samples can miss what it costs. */
const SENSITIVITY_FLOOR = 1e-3;

function withFloor(units: readonly Unit[]): Unit[] {
  const params = units.reduce((sum, u) => sum + u.params, 0);
  const total = units.reduce((sum, u) => sum + u.sensitivity, 0);
  const floor = total > 0 ? (SENSITIVITY_FLOOR * total) / params : 1;
  return units.map((u) => ({ ...u, sensitivity: Math.max(u.sensitivity, floor * u.params) }));
}

function withShift(relative: Int32Array, shift: Int32Array): Int32Array {
  return relative.map((e, i) => e + shift[i]!);
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

/** A graph that could take the place of another, and what that costs. */
interface Measure {
  readonly graph: Graph;
  readonly divergence: number;
}
