import type { Node } from '../ir/graph.ts';
import {
  type ActivationPlan,
  Activations,
  planStatic,
  Ranges,
  roundingNoise,
  type StorageCost,
} from './activations.ts';
import type { Context } from './context.ts';
import type { Layer } from './layers.ts';
import { type Exposure, exposures, type Gains } from './noise.ts';
import type { Storage } from './storage.ts';
import type { Surveys } from './survey.ts';

/**
 * Share of the weights' divergence that 8-bit activations may add before some get 16 bits. 0.25 left the text recogniser six
 * times the divergence of 0.05.
 */
const ACTIVATION_SHARE = 0.05;
/** Divergence that changes no answers, nats a row: no activation gets 16 bits for less, since they take twice the memory. */
const NEGLIGIBLE = 3e-4;

/** How activations are quantized; `weightDivergence` is what the weights are expected to cost. */
export function planActivations(
  ctx: Context,
  surveys: Surveys,
  first: ReadonlySet<Layer>,
  weightDivergence: number,
): Activations {
  return activationsOf(ctx, surveys, wideStorages(ctx, storageCosts(ctx, surveys), first, weightDivergence));
}

/** Storages by what 8 bits cost, most first. */
function storageCosts(ctx: Context, surveys: Surveys): StorageCost[] {
  const byReader = exposures(ctx.graph, gainsOfLayers(surveys));
  return ctx.storages
    .map((storage) => ({ storage, cost: costOf(storage, surveys, byReader) }))
    .sort((a, b) => b.cost - a.cost);
}

/** Inputs of first layers have 16 bits, and what reaches an output past all layers; then whatever costs most. */
function wideStorages(
  ctx: Context,
  costs: readonly StorageCost[],
  first: ReadonlySet<Layer>,
  weightDivergence: number,
): StorageCost[] {
  const { wideActivations } = ctx.options;
  if (wideActivations === 'none') return [];
  if (wideActivations === 'all') return [...costs];
  const auto = wideActivations === 'auto';
  const wide = costs.filter(
    ({ storage, cost }) => storage.layers.some((l) => first.has(l)) || (auto && cost === Number.POSITIVE_INFINITY),
  );
  if (!auto) return wide;
  const others = costs.filter((c) => !wide.includes(c));
  let left = others.reduce((sum, c) => sum + c.cost, 0);
  for (const c of others) {
    if (left <= Math.max(NEGLIGIBLE, ACTIVATION_SHARE * weightDivergence)) break;
    wide.push(c);
    left -= c.cost;
  }
  return wide;
}

/** The plans that go with a choice of what has 16 bits. */
export function activationsOf(ctx: Context, surveys: Surveys, wide: readonly StorageCost[]): Activations {
  const out = new Activations(wide);
  for (const layer of surveys.keys())
    out.set(layer, { mode: layer.kind === 'linear' || layer.kind === 'lstm' ? 'dynamic' : 'none' });
  const isWide = new Set(wide.map((w) => w.storage));
  for (const storage of ctx.storages) {
    const bits = isWide.has(storage) ? 16 : 8;
    const plan = planStatic(useOf(storage), rangesOf(storage, surveys), bits);
    for (const l of storage.layers) out.set(l, planOf(l, storage, surveys, bits) ?? plan);
    if (storage.whole) for (const v of storage.members) out.stored.set(v, plan);
  }
  return out;
}

/** One scale for all channels is too coarse for a depthwise layer, whoever else reads the value. */
function planOf(l: Layer, s: Storage, surveys: Surveys, bits: 8 | 16): ActivationPlan | undefined {
  if (l.kind !== 'depthwise' || s.perChannel) return undefined;
  return planStatic({ perChannel: true, columns: l.matrices[0]!.cols }, surveys.ranges.get(l.input)!, bits);
}

const useOf = (s: Storage) => ({
  perChannel: s.perChannel,
  columns: Math.max(1, ...s.layers.map((l) => l.matrices[0]!.cols)),
});

/** Values whose ranges a storage is planned by. */
export function measuredValues(s: Storage): string[] {
  return [...new Set(s.uses.map((u) => u.value))];
}

function rangesOf(s: Storage, surveys: Surveys): Ranges {
  return Ranges.over(measuredValues(s).map((v) => surveys.ranges.get(v)!));
}

/** Divergence of rounding to 8 bits: that of every reader who sees the rounded value. */
function costOf(s: Storage, surveys: Surveys, byReader: ReadonlyMap<string, readonly Exposure[]>): number {
  const plan = planStatic(useOf(s), rangesOf(s, surveys), 8);
  const noise = new Map(measuredValues(s).map((v) => [v, roundingNoise(plan, surveys.ranges.get(v)!)]));
  let cost = 0;
  for (const { value, reader } of s.uses) {
    const gains = byReader.get(value)!.find((e) => e.reader === reader)!.gains;
    noise.get(value)!.forEach((n, c) => {
      if (n > 0) cost += n * gains[c]!;
    });
  }
  return cost;
}

function gainsOfLayers(surveys: Surveys): Map<Node, Gains> {
  const out = new Map<Node, Gains>();
  for (const { layer, inputGains } of surveys.values()) if (layer.node) out.set(layer.node, inputGains);
  return out;
}
