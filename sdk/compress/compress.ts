import type { Graph } from '../ir/graph.ts';
import { EigenError } from '../util/errors.ts';
import { Linalg } from '../util/linalg/linalg.ts';
import type { Progress } from '../util/progress.ts';
import { Rng } from '../util/rng.ts';
import type { Tensor } from '../util/tensor.ts';
import type { ActivationPlan } from './activations.ts';
import { allocate, allocateUniform, type Choice, type Unit } from './allocate.ts';
import { packConstants } from './constants.ts';
import type { Context } from './context.ts';
import { measuresOf } from './divergence.ts';
import { type Evaluation, evaluate, type HeldOut, heldOut } from './evaluate.ts';
import { gateOf } from './gate.ts';
import { buildInteger, emptyLayer, exposeStates, type IntegerGraph, type QuantizedLayer } from './integer.ts';
import { findLayers, type Layer } from './layers.ts';
import { probeCount, splitCounts } from './plan.ts';
import { inputScales } from './quantize.ts';
import { type Measured, reportOf } from './report.ts';
import type { Runner, Session } from './runner.ts';
import { codeBytes, install, type Pair, quantizeAll } from './sequential.ts';
import { estimateInts, graphSize } from './size.ts';
import { checkSignal } from './stream.ts';
import { firstLayers, keptValues, type LayerSurvey, planActivations, survey } from './survey.ts';
import type { CalibrationData, CompressOptions, CompressResult, FrontierPoint } from './types.ts';

/** Aimed at below the budget, so that the coder's granularity does not push a plan over it. */
const SLACK = 0.0005;
/** The first pass only learns how well codes pack: a share of the samples, and at least so many, tell that. */
const FIRST_SHARE = 0.25;
const MIN_FIRST = 8;
/** Sizes tried when the quality is not met grow by this factor. */
const GROWTH = 1.3;
/** Share of the budget that may stay unused without another try. */
const UNUSED = 0.005;

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
    return await job.run();
  } finally {
    job.close();
  }
}

class Job {
  private readonly ctx: Context;
  private readonly runner: Runner;
  /** The float graph with its other constants packed: what the integer graph is made from. */
  private readonly base: Graph;
  private readonly sessions: Session[] = [];
  private readonly timings: Record<string, number> = {};
  private readonly frontier: FrontierPoint[] = [];
  /** What earlier passes taught about aiming at the budget, bytes. */
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
    const exposed = exposeStates(graph);
    const layers = findLayers(exposed);
    const { fit, held } = splitSamples(data, options);
    this.ctx = {
      graph: exposed,
      layers,
      fit,
      held,
      options,
      sizer: options.sizer ?? estimateInts,
      la: new Linalg(),
      progress,
      signal,
    };
    this.runner = runner;
    this.base = packConstants(exposed, new Set(layers.flatMap((l) => [...l.matrices.map((m) => m.value), l.bias])));
  }

  close(): void {
    for (const s of this.sessions) s.close();
  }

  async run(): Promise<CompressResult> {
    const { ctx } = this;
    const float = await this.timed('compile', () => this.openFloat());
    const reference = await this.timed('reference', () => this.reference(float));
    const probes = probeCount(ctx.graph, ctx.layers, ctx.held.length);
    const surveys = await this.timed('sensitivity', () => survey(ctx, float, reference, probes));
    const plan = await this.timed('allocate', async () => this.firstPlan(surveys));
    const pair = await this.timed('compile', () => this.openInteger(float, plan));
    const refined = await this.timed('quantize', () => this.refine(pair, plan));
    return this.finish(pair, refined, reference);
  }

  private async timed<T>(stage: string, work: () => Promise<T>): Promise<T> {
    checkSignal(this.ctx.signal);
    const from = performance.now();
    const result = await work();
    this.timings[stage] = (this.timings[stage] ?? 0) + (performance.now() - from) / 1000;
    return result;
  }

  private async openFloat(): Promise<Session> {
    const { graph, layers, progress } = this.ctx;
    progress({ stage: 'compile', done: 0, total: 2, note: 'original' });
    const isComputed = (v: string): boolean => graph.values.get(v)?.data === undefined && !graph.inputs.includes(v);
    const session = await this.runner.open(graph, {
      keep: keptValues(layers, isComputed),
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

  /** Steps by the survey, with the size of everything but the codes estimated from a graph of empty codes. */
  private firstPlan(surveys: ReadonlyMap<Layer, LayerSurvey>): Plan {
    const { ctx } = this;
    const narrow = planActivations(ctx, surveys, new Set(), Number.POSITIVE_INFINITY);
    const draft = this.allocateFor(surveys, this.sideOf(surveys, narrow), undefined);
    const weights = [...draft.values()].reduce((sum, c) => sum + c.divergence, 0);
    const activations = planActivations(ctx, surveys, firstLayers(ctx), weights);
    const side = this.sideOf(surveys, activations);
    return { surveys, activations, side, choices: this.allocateFor(surveys, side, undefined) };
  }

  private sideOf(
    surveys: ReadonlyMap<Layer, LayerSurvey>,
    activations: ReadonlyMap<Layer, ActivationPlan>,
  ): { wire: number; resident: number } {
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
    return this.sideOfGraph(buildInteger(this.base, this.ctx.layers, activations, empty).graph);
  }

  private sideOfGraph(graph: Graph): { wire: number; resident: number } {
    const size = graphSize(graph, this.ctx.sizer);
    let codes = 0;
    for (const v of graph.values.values()) if (v.packing?.kind === 'codes') codes += size.byValue.get(v.name)!.resident;
    return { wire: size.wireBytes - size.codeBytes, resident: size.residentBytes - codes };
  }

  private allocateFor(
    surveys: ReadonlyMap<Layer, LayerSurvey>,
    side: { wire: number; resident: number },
    excess: ReadonlyMap<Layer, number> | undefined,
    wireBytes = this.ctx.options.wireBudgetBytes,
  ): Map<Layer, Choice> {
    const { layers, options } = this.ctx;
    const units = withFloor(layers.map((l): Unit => ({ ...surveys.get(l)!.unit, excess: excess?.get(l) ?? 0 })));
    const wireBits = 8 * Math.max(0, wireBytes * (1 - SLACK) - side.wire);
    const residentBits =
      options.residentBudgetBytes === undefined
        ? Number.POSITIVE_INFINITY
        : 8 * Math.max(0, options.residentBudgetBytes - side.resident);
    const choices = options.entropyAllocation
      ? allocate(units, options.weightBits, { wireBits, residentBits })
      : allocateUniform(units, options.weightBits, wireBits);
    return new Map(layers.map((l, i) => [l, choices[i]!]));
  }

  private async openInteger(float: Session, plan: Plan): Promise<Pair> {
    const { layers, progress } = this.ctx;
    progress({ stage: 'compile', done: 1, total: 2, note: 'integer' });
    const empty = new Map(layers.map((l) => [l, emptyLayer(l)]));
    const { graph, names } = buildInteger(this.base, layers, plan.activations, empty);
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
        const bits = (8 * codeBytes(ctx, l, first.get(l)!.matrices)) / l.params;
        return [l, bits - plan.choices.get(l)!.entropy] as const;
      }),
    );
    const side = this.sideOfGraph(this.integerGraph(plan, first).graph);
    return { ...plan, side, excess, choices: this.allocateFor(plan.surveys, side, excess) };
  }

  private integerGraph(plan: Plan, quantized: ReadonlyMap<Layer, QuantizedLayer>): IntegerGraph {
    return buildInteger(this.base, this.ctx.layers, plan.activations, quantized);
  }

  private async finish(pair: Pair, plan: Plan, reference: HeldOut): Promise<CompressResult> {
    const { ctx } = this;
    const { options } = ctx;
    const chosen = await this.best(pair, plan, reference);
    let { result } = chosen;
    const gate = gateOf(chosen.evaluation.scores, chosen.evaluation.metric, options.minQuality, options.seed);
    const bestAtBudget = chosen.point;
    if (!gate.passed) await this.timed('frontier', () => this.explore(pair, plan, reference));
    if (options.fitOnAll && ctx.held !== ctx.fit) {
      result = await this.timed('quantize', () =>
        this.pass(pair, { ...plan, damping: chosen.damping }, [...ctx.fit, ...ctx.held], 'fit on all'),
      );
    }
    ctx.progress({ stage: 'gate', done: 1, total: 1 });
    const report = reportOf(ctx, plan, result, gate, this.frontier, bestAtBudget);
    return { graph: result.graph, report, timings: { ...this.timings } };
  }

  /** Fits with each damping and keeps the one with the least divergence on the held-out samples. */
  private async best(pair: Pair, plan: Plan, reference: HeldOut): Promise<Candidate> {
    const { ctx } = this;
    let best: Candidate | undefined;
    const factors = ctx.options.refit || ctx.options.gptq ? ctx.options.dampings : [1];
    for (const damping of factors) {
      const note = `fit with damping ${damping}`;
      const result = await this.timed('quantize', () => this.pass(pair, { ...plan, damping }, ctx.fit, note));
      const evaluation = await this.timed('gate', () => this.measure(pair, reference, result));
      const point = this.frontier.at(-1)!;
      const within = result.size.wireBytes <= ctx.options.wireBudgetBytes;
      if (!best || (within && (!best.within || point.divergence < best.point.divergence))) {
        best = { result, evaluation, point, within, damping };
      }
    }
    // One point a size: the others were tries at the same one.
    this.frontier.splice(0, this.frontier.length, best!.point);
    for (const layer of ctx.layers) install(pair, layer, best!.result.quantized.get(layer)!);
    return best!;
  }

  /**
   * Quantizes on `samples` until the written size is within the budget and uses it: another try aims lower by what was over, or once
   * higher by what was left.
   */
  private async pass(
    pair: Pair,
    plan: Plan,
    samples: Context['fit'],
    note: string,
    wireBytes = this.ctx.options.wireBudgetBytes,
  ): Promise<Measured> {
    let best: Measured | undefined;
    let aim = wireBytes * (1 - SLACK) - plan.side.wire + this.correction;
    for (let attempt = 0; attempt < 3; attempt++) {
      const quantized = await quantizeAll(this.ctx, pair, samples, { ...plan, codeBytes: Math.max(0, aim) }, note);
      const { graph } = this.integerGraph(plan, quantized);
      const size = graphSize(graph, this.ctx.sizer);
      const over = size.wireBytes - wireBytes;
      const previous = best && best.size.wireBytes - wireBytes;
      const better = previous === undefined || (over <= 0 ? previous > 0 || over > previous : over < previous);
      if (better) best = { graph, quantized, size };
      if (over <= 0 && (attempt > 0 || over > -UNUSED * wireBytes)) break;
      const step = over > 0 ? -1.1 * over - 16 : -0.9 * over;
      this.correction += step;
      aim += step;
    }
    for (const layer of this.ctx.layers) install(pair, layer, best!.quantized.get(layer)!);
    return best!;
  }

  private async measure(pair: Pair, reference: HeldOut, result: Measured): Promise<Evaluation> {
    const { ctx } = this;
    ctx.progress({ stage: 'gate', done: 0, total: 1 });
    const evaluation = await evaluate(pair.integer, reference, ctx.options.metric);
    const verdict = gateOf(evaluation.scores, evaluation.metric, ctx.options.minQuality, ctx.options.seed);
    this.frontier.push({
      wireBytes: result.size.wireBytes,
      residentBytes: result.size.residentBytes,
      divergence: verdict.divergence,
      quality: verdict.quality,
      agreement: verdict.agreement,
    });
    return evaluation;
  }

  /** Larger sizes until the quality is met: what the user would have to allow. */
  private async explore(pair: Pair, plan: Plan, reference: HeldOut): Promise<void> {
    const { ctx } = this;
    // A budget below what the smallest plan takes is no point to start from.
    const start = Math.max(ctx.options.wireBudgetBytes, this.frontier.at(-1)!.wireBytes);
    for (let k = 1; k <= ctx.options.frontierPoints; k++) {
      checkSignal(ctx.signal);
      const bytes = Math.round(start * GROWTH ** k);
      const choices = this.allocateFor(plan.surveys, plan.side, plan.excess, bytes);
      const result = await this.pass(pair, { ...plan, choices }, ctx.fit, `at ${bytes} bytes`, bytes);
      await this.measure(pair, reference, result);
      if (this.frontier.at(-1)!.quality >= ctx.options.minQuality) return;
    }
  }
}

/** One fit at the budget and what the held-out samples say of it. */
interface Candidate {
  readonly result: Measured;
  readonly evaluation: Evaluation;
  readonly point: FrontierPoint;
  readonly within: boolean;
  readonly damping: number;
}

export interface Plan {
  readonly surveys: ReadonlyMap<Layer, LayerSurvey>;
  readonly activations: ReadonlyMap<Layer, ActivationPlan>;
  readonly choices: ReadonlyMap<Layer, Choice>;
  /** Bytes of everything but the codes. */
  readonly side: { readonly wire: number; readonly resident: number };
  readonly excess?: ReadonlyMap<Layer, number>;
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
