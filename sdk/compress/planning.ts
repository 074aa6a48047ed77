import type { Graph } from '../ir/graph.ts';
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
import { packConstants } from './constants.ts';
import type { Context } from './context.ts';
import { buildInteger, emptyLayer, type IntegerGraph, type QuantizedLayer } from './integer.ts';
import type { Layer } from './layers.ts';
import { narrowings, type ResidentLimit, residentLimit } from './limits.ts';
import { narrowed, oneRowLayers } from './one-row.ts';
import { planActivations } from './plan-activations.ts';
import { inputScales } from './quantize.ts';
import { codeBytes } from './sequential.ts';
import { type GraphSize, graphSize, residentCodeBytes } from './size.ts';
import type { Surveys } from './survey.ts';
import { orderUnits } from './unit-order.ts';

/** Aimed at below the budget, so that the coder's granularity does not push a plan over it. */
export const SLACK = 0.0005;
/** What the memory goal may be expected to cost: so many times the divergence without it, or a divergence that is next to nothing. */
export const MEMORY_PRICE = 2;
export const HARMLESS = 0.004;
/** Share of the weights' divergence that integer attention may add, or attention stays in floating point. */
const ATTENTION_SHARE = 0.05;
/** Share of the mean divergence a parameter that every layer is taken to have: a probe on few samples can miss what it costs. */
const SENSITIVITY_FLOOR = 1e-3;

/** Sets of units that are kept for plans to come: with and without what coding took, and with narrow codes. */
const KNOWN = 4;

/** How a network is quantized at one size. */
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
  /** Layers with codes narrow enough to be multiplied as they lie in memory (one-row.ts). */
  readonly narrow?: ReadonlySet<Layer>;
  /** Factor on the damping of every fit; 1 when absent. */
  readonly damping?: number;
}

/** What the units of a plan depend on. */
type UnitsOf = { readonly [K in 'surveys' | 'excess' | 'narrow']: Plan[K] | undefined } & Pick<Plan, 'surveys'>;

/** A graph that could take the place of another, and what that costs. */
export interface Replacement {
  readonly graph: Graph;
  readonly divergence: number;
}

/** Steps and activations of one float network for any size, and the integer graphs they make. */
export class Planner {
  private readonly ctx: Context;
  /** The float graph with its other constants packed: what integer graphs are made from. */
  base: Graph;
  private readonly empty: ReadonlyMap<Layer, QuantizedLayer>;
  private known: readonly (UnitsOf & { readonly units: readonly Unit[] })[] = [];

  constructor(ctx: Context) {
    this.ctx = ctx;
    const replaced = ctx.layers.flatMap((l) => [...l.matrices.map((m) => m.value), l.bias]);
    this.base = packConstants(ctx.graph, new Set(replaced));
    this.empty = new Map(ctx.layers.map((l) => [l, emptyLayer(l)]));
  }

  /** Steps by the survey, with the size of everything but the codes estimated from a graph of empty codes. */
  firstPlan(surveys: Surveys, attention: Replacement | undefined): Plan {
    const { ctx } = this;
    const narrow = planActivations(ctx, surveys, Number.POSITIVE_INFINITY);
    const side0 = this.sideOf(surveys, narrow);
    const draft = this.allocateFor({ surveys, side: side0, limit: residentLimit(ctx.options, undefined) });
    const weights = divergenceOf(draft.values());
    if (attention && attention.divergence <= ATTENTION_SHARE * weights) this.base = attention.graph;
    const wanted = planActivations(ctx, surveys, weights);
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
      // The weights can only add to it.
      if (!limited && narrowing.divergence > Math.min(most, best?.divergence ?? most)) continue;
      const plan = narrowing.plans === wanted ? first : this.planWith(surveys, narrowing.plans);
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

  /** The plan within the memory goal where that is expected to cost little, else the plan itself. */
  towardsGoal(free: Plan, wireBytes: number): Plan {
    if (free.goal >= free.limit.bytes) return free;
    const limited: Plan = { ...free, limit: { bytes: Math.max(0, free.goal), by: 'resident' } };
    const tight = { ...limited, choices: this.allocateFor(limited, wireBytes) };
    const cheap = divergenceOf(tight.choices.values()) <= priceOf(free);
    return cheap && this.residentOf(tight) <= free.goal * (1 + SLACK) ? tight : free;
  }

  /** The plan with codes of layers whose time depends on it so narrow that they are fast; undefined where they are anyway, or no kernel cares. */
  narrowedOf(free: Plan, wireBytes: number): Plan | undefined {
    const { oneRowBits } = this.ctx.options;
    if (oneRowBits === undefined) return undefined;
    const narrow = oneRowLayers(this.ctx, free.activations);
    if ([...narrow].every((l) => free.choices.get(l)!.bits <= oneRowBits)) return undefined;
    const plan = { ...free, narrow };
    return { ...plan, choices: this.allocateFor(plan, wireBytes) };
  }

  /** Whether the plan would be another one without its limit on the weights in memory. */
  isLimited(plan: Plan, wireBytes: number): boolean {
    if (plan.limit.bytes === Number.POSITIVE_INFINITY) return false;
    const free = this.allocateFor({ ...plan, limit: { ...plan.limit, bytes: Number.POSITIVE_INFINITY } }, wireBytes);
    return [...free].some(([l, c]) => c.step !== plan.choices.get(l)!.step);
  }

  /** The plan made again with what coding really took in a pass with its steps. */
  refined(plan: Plan, first: ReadonlyMap<Layer, QuantizedLayer>): Plan {
    const { ctx } = this;
    const { graph, names } = this.integerGraph(plan, first);
    const { byValue } = this.sizeOf(graph);
    const excess = new Map(
      ctx.layers.map((l) => {
        const { matrices } = first.get(l)!;
        const { entropy, resident } = plan.choices.get(l)!;
        const bits = (bytes: number): number => (8 * bytes) / l.params;
        return [
          l,
          {
            wire: bits(codeBytes(ctx, l, matrices)) - entropy,
            resident: bits(residentCodeBytes(names.get(l)!, byValue)) - resident,
          },
        ] as const;
      }),
    );
    const side = this.sideOfGraph(graph);
    const refined = { ...plan, side, excess };
    return { ...refined, choices: this.allocateFor(refined) };
  }

  allocateFor(
    { surveys, side, excess, limit, narrow }: Pick<Plan, 'surveys' | 'side' | 'excess' | 'limit' | 'narrow'>,
    wireBytes = this.ctx.options.wireBudgetBytes,
  ): Map<Layer, Choice> {
    const { layers, options } = this.ctx;
    const units = this.unitsFor({ surveys, excess, narrow });
    const wireBits = 8 * Math.max(0, wireBytes * (1 - SLACK) - side.wire);
    const residentBits = 8 * Math.max(0, limit.bytes - side.resident);
    const choices = options.entropyAllocation
      ? allocate(units, { wireBits, residentBits })
      : allocateUniform(units, wireBits);
    return new Map(layers.map((l, i) => [l, choices[i]!]));
  }

  /** Units as they are planned with. They are the same objects for the same plans, whose menus so are made once. */
  private unitsFor(of: UnitsOf): readonly Unit[] {
    const known = this.known.find((k) => k.surveys === of.surveys && k.excess === of.excess && k.narrow === of.narrow);
    if (known) return known.units;
    const units = withFloor(
      this.ctx.layers.map((l): Unit => {
        const more = of.excess?.get(l);
        const unit = { ...of.surveys.get(l)!.unit, ...(more ? { excess: more } : {}) };
        return (of.narrow?.has(l) && narrowed(unit, this.ctx.options.oneRowBits!)) || unit;
      }),
    );
    this.known = [{ ...of, units }, ...this.known.slice(0, KNOWN - 1)];
    return units;
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
  codesOf(plan: Pick<Plan, 'surveys' | 'choices'>): number {
    return (
      wireOf(
        this.unitsOf(plan),
        this.ctx.layers.map((l) => plan.choices.get(l)!),
      ) / 8
    );
  }

  private sideOf(surveys: Surveys, activations: Activations): { wire: number; resident: number } {
    return this.sideOfGraph(this.emptyGraph(surveys, activations));
  }

  private emptyGraph(surveys: Surveys, activations: Activations): Graph {
    const empty = new Map(
      [...this.empty].map(([l, q]) => {
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

  sizeOf(graph: Graph): GraphSize {
    return graphSize(graph, this.ctx.sizer, this.ctx.residentSizer);
  }

  integerGraph(plan: Plan, quantized: ReadonlyMap<Layer, QuantizedLayer>): IntegerGraph {
    const { graph, names } = buildInteger(this.base, this.ctx.layers, plan.activations, quantized, this.ctx.kernels);
    return { graph: orderUnits(graph), names };
  }
}

/** Divergence that the memory goal may be expected to leave. */
const priceOf = (free: Plan): number => Math.max(MEMORY_PRICE * divergenceOf(free.choices.values()), HARMLESS);

function withFloor(units: readonly Unit[]): Unit[] {
  const params = units.reduce((sum, u) => sum + u.params, 0);
  const total = units.reduce((sum, u) => sum + u.sensitivity, 0);
  const floor = total > 0 ? (SENSITIVITY_FLOOR * total) / params : 1;
  return units.map((u) => ({ ...u, sensitivity: Math.max(u.sensitivity, floor * u.params) }));
}

function withShift(relative: Int32Array, shift: Int32Array): Int32Array {
  return relative.map((e, i) => e + shift[i]!);
}
