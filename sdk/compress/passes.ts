import { divergenceOf } from './allocate.ts';
import type { Context } from './context.ts';
import { type Evaluation, evaluate, type HeldOut } from './evaluate.ts';
import { gateOf, nearnessOf } from './gate.ts';
import { excessOf, type Footprint, memoryOf, ramOf } from './limits.ts';
import { HARMLESS, MEMORY_PRICE, type Plan, type Planner, SLACK } from './planning.ts';
import type { Measured } from './report.ts';
import { install, type Pair, quantizeAll } from './sequential.ts';
import type { Timings } from './timings.ts';
import type { FrontierPoint, GateResult } from './types.ts';

/** Plans made again because the compiled program takes more than they allowed for. */
const LIMIT_TRIES = 2;
/** Quality that a network within the memory goal keeps where it diverges more than two fits of one plan do, by this factor. */
const GOAL_QUALITY = 0.99;
const GOAL_DIVERGENCE = 1.25;
/** Share of the budget that may stay unused without another try. */
const UNUSED = 0.005;

/** One fit at a size and what the held-out samples say of it. */
export interface Candidate {
  readonly result: Measured;
  readonly gate: GateResult;
  readonly point: FrontierPoint;
  readonly within: boolean;
  /** What it was made with. */
  readonly plan: Plan;
  /** The size that was asked for. */
  readonly wireBytes: number;
  readonly footprint: Footprint | undefined;
  /** Whether memory made the plan another one. */
  readonly limited: boolean;
}

/** What a candidate is compared with others by. */
interface Judging {
  readonly evaluation: Evaluation;
  readonly divergence: number;
}

/** What is the same at every size. */
export interface Prepared {
  readonly ctx: Context;
  readonly planner: Planner;
  readonly pair: Pair;
  readonly plan: Plan;
  readonly reference: HeldOut;
}

type Judged = Pick<FrontierPoint, 'divergence' | 'quality'>;

/**
 * Whether a network within the memory goal is as good as the one without it. Both its divergence and its quality must say so: quality is
 * blind to changes that do not reach an answer, and the divergence of a few samples is that of the worst of them.
 */
export function isAlike(within: Judged, without: Judged, minQuality: number): boolean {
  const times = within.divergence / without.divergence;
  if (times <= GOAL_DIVERGENCE) return within.quality >= minQuality;
  return times <= MEMORY_PRICE && within.quality >= GOAL_QUALITY;
}

/** Quality that a network made for speed keeps with its whole interval, or one that is not is looked at as well. */
const FAST_QUALITY = 0.995;

/** Whether a network is so good that a slower one need not be looked at. */
export function isHarmless(
  { divergence, low }: Pick<FrontierPoint, 'divergence' | 'low'>,
  minQuality: number,
): boolean {
  return divergence <= HARMLESS && low >= Math.max(FAST_QUALITY, minQuality);
}

/** Fits of one prepared network at any number of sizes. */
export class Passes {
  readonly prepared: Prepared;
  /** Every size measured so far. */
  readonly frontier: FrontierPoint[] = [];
  private readonly timings: Timings;
  /** What earlier passes taught about aiming at the size in work, bytes. */
  private correction = 0;

  constructor(prepared: Prepared, timings: Timings) {
    this.prepared = prepared;
    this.timings = timings;
  }

  /**
   * The plan of a size within the limits of memory and time, fitted with each damping; the one with the least divergence on the
   * held-out samples.
   */
  async at(
    wireBytes = this.prepared.ctx.options.wireBudgetBytes,
    dampings: readonly number[] = this.dampings(),
  ): Promise<Candidate> {
    const { plan, planner } = this.prepared;
    const free = { ...plan, choices: planner.allocateFor(plan, wireBytes) };
    const candidate = await this.fasterOrNot(free, wireBytes, dampings);
    this.frontier.push(candidate.point);
    return candidate;
  }

  /** The plan that is faster where there is one that loses next to nothing, else the one given. */
  private async fasterOrNot(free: Plan, wireBytes: number, dampings: readonly number[]): Promise<Candidate> {
    const { ctx, planner } = this.prepared;
    const { minQuality, smallest } = ctx.options;
    const fast = planner.narrowedOf(free, wireBytes);
    if (!fast) return this.ofPlan(free, wireBytes, dampings);
    const expected = divergenceOf(fast.choices.values()) / divergenceOf(free.choices.values());
    const near = expected <= GOAL_DIVERGENCE;
    if (smallest && !near) return this.ofPlan(free, wireBytes, dampings);
    const faster = await this.ofPlan(fast, wireBytes, dampings);
    const kept = faster.point.low >= minQuality;
    if (near ? kept : isHarmless(faster.point, minQuality)) return faster;
    const slower = await this.ofPlan(free, wireBytes, dampings);
    const { divergence, quality } = faster.point;
    // Where the size is sought, time is no reason to miss the quality.
    const alike = (smallest ? kept : quality >= minQuality) && divergence <= GOAL_DIVERGENCE * slower.point.divergence;
    if (alike) this.install(faster);
    return alike ? faster : slower;
  }

  private ofPlan(free: Plan, wireBytes: number, dampings: readonly number[]): Promise<Candidate> {
    const tight = this.prepared.planner.towardsGoal(free, wireBytes);
    return tight === free ? this.within(free, wireBytes, dampings) : this.withGoal(tight, free, wireBytes, dampings);
  }

  /** The plan within the memory goal where that loses next to nothing, else the one without. */
  private async withGoal(tight: Plan, free: Plan, wireBytes: number, dampings: readonly number[]): Promise<Candidate> {
    const { memoryGoalBytes, minQuality, smallest } = this.prepared.ctx.options;
    const small = await this.within(tight, wireBytes, dampings, memoryGoalBytes);
    if (small.point.divergence <= HARMLESS) return small;
    const large = await this.within(free, wireBytes, dampings);
    // Where the size is sought, memory is no reason to miss the quality.
    const kept = !smallest || small.point.low >= minQuality;
    const alike = kept && isAlike(small.point, large.point, minQuality);
    if (alike) this.install(small);
    return alike ? small : large;
  }

  /** A plan fitted until the compiled program is within the limits, and within the memory goal when one is given. */
  private async within(
    planned: Plan,
    wireBytes: number,
    dampings: readonly number[],
    goal?: number,
  ): Promise<Candidate> {
    const { ctx, planner } = this.prepared;
    const { options } = ctx;
    let plan = planned;
    let wanted = dampings;
    this.correction = 0;
    for (let attempt = 0; ; attempt++) {
      const candidate = await this.best(plan, wireBytes, wanted);
      const { footprint } = candidate;
      const over = footprint
        ? Math.max(excessOf(options, footprint), goal === undefined ? 0 : memoryOf(footprint) - goal)
        : 0;
      if (over <= 0 || attempt === LIMIT_TRIES)
        return { ...candidate, limited: planner.isLimited(candidate.plan, wireBytes) };
      wanted = [candidate.plan.damping ?? 1];
      // Padding takes what the plan does not know of.
      const taken = Math.min(plan.limit.bytes, candidate.result.size.residentBytes);
      const limited = { ...plan, limit: { ...plan.limit, bytes: Math.max(0, taken - over - 64) } };
      plan = { ...limited, choices: planner.allocateFor(limited, wireBytes) };
    }
  }

  private dampings(): readonly number[] {
    const { refit, gptq, dampings } = this.prepared.ctx.options;
    return refit || gptq ? dampings : [1];
  }

  private async best(plan: Plan, wireBytes: number, dampings: readonly number[]): Promise<Candidate> {
    const { ctx } = this.prepared;
    const { minQuality, seed } = ctx.options;
    let best: (Pick<Candidate, 'result' | 'within' | 'plan'> & Judging) | undefined;
    for (const damping of dampings) {
      const note = `fit with damping ${damping}`;
      const damped = { ...plan, damping };
      const result = await this.timings.of('quantize', () => this.pass(damped, ctx.fit, note, wireBytes));
      const evaluation = await this.timings.of('gate', () => this.judge());
      const { divergence } = nearnessOf(evaluation);
      const within = result.size.wireBytes <= wireBytes && result.size.residentBytes <= plan.limit.bytes;
      if (!best || (within && (!best.within || divergence < best.divergence)))
        best = { result, evaluation, divergence, within, plan: damped };
    }
    const { evaluation, divergence: _, ...chosen } = best!;
    this.install(chosen);
    // Both take longer than to see which is the best.
    const footprint = ctx.options.footprint?.(chosen.result.graph);
    const gate = await this.timings.of('gate', async () => gateOf(evaluation, minQuality, seed));
    return { ...chosen, gate, footprint, point: pointOf(chosen.result, footprint, gate), wireBytes, limited: false };
  }

  /** Makes the integer session that of a candidate. */
  install({ result }: Pick<Candidate, 'result'>): void {
    const { ctx, pair } = this.prepared;
    for (const layer of ctx.layers) install(pair, layer, result.quantized.get(layer)!);
  }

  /**
   * Quantizes on `samples` until the written size is within the budget and uses it, and the size in memory within its limit: another
   * try aims lower by what was over, or once higher by what was left.
   */
  async pass(plan: Plan, samples: Context['fit'], note: string, wireBytes: number): Promise<Measured> {
    const { ctx, pair, planner } = this.prepared;
    let best: Measured | undefined;
    let bestOver = Number.POSITIVE_INFINITY;
    // A plan that memory or time limits does not use the whole budget.
    const room = wireBytes * (1 - SLACK) - plan.side.wire;
    const limited = plan.narrow !== undefined || Number.isFinite(plan.limit.bytes);
    let aim = (limited ? Math.min(room, planner.codesOf(plan)) : room) + this.correction;
    for (let attempt = 0; attempt < 3; attempt++) {
      const quantized = await quantizeAll(ctx, pair, samples, { ...plan, codeBytes: Math.max(0, aim) }, note);
      const { graph, names } = planner.integerGraph(plan, quantized);
      const size = planner.sizeOf(graph);
      // A byte more on the wire is about one more in memory.
      const over = Math.max(size.wireBytes - wireBytes, size.residentBytes - plan.limit.bytes);
      if (over <= 0 ? bestOver > 0 || over > bestOver : over < bestOver) {
        best = { graph, names, quantized, size };
        bestOver = over;
      }
      if (over <= 0 && (attempt > 0 || over > -UNUSED * wireBytes)) break;
      const step = over > 0 ? -1.1 * over - 16 : -0.9 * over;
      this.correction += step;
      aim += step;
    }
    this.install({ result: best! });
    return best!;
  }

  private judge(): Promise<Evaluation> {
    const { ctx, pair, reference } = this.prepared;
    ctx.progress({ stage: 'gate', done: 0, total: 1 });
    return evaluate(pair.integer, reference, ctx.options.metric);
  }
}

function pointOf({ size }: Measured, footprint: Footprint | undefined, gate: GateResult): FrontierPoint {
  const { divergence, quality, low, high, agreement } = gate;
  const { wireBytes, residentBytes } = size;
  const ram = footprint ? { ramBytes: ramOf(footprint) } : {};
  return { wireBytes, residentBytes, divergence, quality, low, high, agreement, ...ram };
}
