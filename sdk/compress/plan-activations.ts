import type { Node } from '../ir/graph.ts';
import {
  type ActivationPlan,
  Activations,
  planStatic,
  Ranges,
  roundingNoise,
  type StaticActivation,
  type StorageCost,
} from './activations.ts';
import type { Context } from './context.ts';
import type { Layer } from './layers.ts';
import { type Exposure, exposures, type Gains } from './noise.ts';
import { addsFour, type Storage } from './storage.ts';
import type { Surveys } from './survey.ts';
import { wideStorages } from './wide-activations.ts';

/** How activations are quantized; `weightDivergence` is what the weights are expected to cost. */
export function planActivations(ctx: Context, surveys: Surveys, weightDivergence: number): Activations {
  return activationsOf(ctx, surveys, wideStorages(ctx, storageCosts(ctx, surveys), weightDivergence));
}

/** Storages by what 8 bits cost, most first. */
function storageCosts(ctx: Context, surveys: Surveys): StorageCost[] {
  const byReader = exposures(ctx.graph, gainsOfLayers(surveys));
  return ctx.storages
    .map((storage) => ({ storage, cost: costOf(storage, surveys, byReader) }))
    .sort((a, b) => b.cost - a.cost);
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
  addsFour: s.layers.some(addsFour),
});

/** Values whose ranges a storage is planned by. */
export function measuredValues(s: Storage): string[] {
  return [...new Set(s.uses.map((u) => u.value))];
}

function rangesOf(s: Storage, surveys: Surveys): Ranges {
  return Ranges.over(measuredValues(s).map((v) => surveys.ranges.get(v)!));
}

/** How a storage is quantized to 8 bits. */
export function bytesOf(s: Storage, surveys: Surveys): StaticActivation {
  return planStatic(useOf(s), rangesOf(s, surveys), 8);
}

/** Divergence of rounding to 8 bits: that of every reader who sees the rounded value, or as measured. */
function costOf(s: Storage, surveys: Surveys, byReader: ReadonlyMap<string, readonly Exposure[]>): number {
  const measured = surveys.rounding.get(s);
  if (measured !== undefined) return measured;
  const plan = bytesOf(s, surveys);
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
