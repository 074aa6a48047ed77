import type { Graph } from '../ir/graph.ts';
import { sizeOf } from '../util/tensor.ts';
import type { Context } from './context.ts';
import type { IntegerNames, QuantizedLayer } from './integer.ts';
import type { Layer } from './layers.ts';
import { bindingOf, excessOf, ramOf } from './limits.ts';
import type { Candidate } from './passes.ts';
import type { Plan } from './planning.ts';
import { codeBytes } from './sequential.ts';
import { type GraphSize, residentCodeBytes } from './size.ts';
import type { CompressionReport, CompressOptions, FrontierPoint, LayerReport } from './types.ts';

/** A quantized graph with its exact sizes. */
export interface Measured {
  readonly graph: Graph;
  readonly names: ReadonlyMap<Layer, IntegerNames>;
  readonly quantized: ReadonlyMap<Layer, QuantizedLayer>;
  readonly size: GraphSize;
}

/** Everything a compression found, as plain JSON without times. */
export function reportOf(
  ctx: Context,
  chosen: Candidate,
  result: Measured,
  frontier: readonly FrontierPoint[],
): CompressionReport {
  const { options } = ctx;
  const { plan, footprint, gate } = chosen;
  const { wireBytes, residentBytes, codeBytes: codes } = result.size;
  const passing = frontier.filter((p) => p.low >= options.minQuality).sort((a, b) => a.wireBytes - b.wireBytes)[0];
  const params = floatParams(ctx.original);
  const withinResident = options.residentBudgetBytes === undefined || residentBytes <= options.residentBudgetBytes;
  const withinBoard = !footprint || excessOf(options, footprint) === 0;
  return {
    layers: ctx.layers.map((l) => layerReport(ctx, plan, result, l)),
    totals: {
      params,
      originalBytes: 4 * params,
      wireBytes,
      residentBytes,
      wireBudgetBytes: chosen.wireBytes,
      residentBudgetBytes: options.residentBudgetBytes ?? null,
      ramBytes: footprint ? ramOf(footprint) : null,
      maxRamBytes: options.maxRamBytes ?? null,
      maxLatencyMs: options.maxLatencyMs ?? null,
      ratio: (4 * params) / wireBytes,
      sideBytes: wireBytes - codes,
    },
    budgetMet: wireBytes <= chosen.wireBytes && withinResident && withinBoard,
    binds: bindingOf(options, {
      wireBytes,
      residentBytes,
      footprint,
      limited: chosen.limited ? plan.limit.by : undefined,
    }),
    factorized: [...ctx.ranks].map(([name, rank]) => ({ name, rank })),
    stages: stagesOf(options),
    gate,
    frontier,
    ...(passing ? { smallestPassing: passing } : {}),
    bestAtBudget: chosen.point,
    settings: settingsOf(ctx),
    fitSamples: ctx.fit.length,
    holdoutSamples: ctx.held.length,
  };
}

/** Settings that say how much is told or used, and are no stage of the work. */
const NO_STAGES = ['spectrum', 'fitOnAll', 'smallest'];

/** Names of the switches that are on. */
export function stagesOf(options: Partial<CompressOptions>): string[] {
  return Object.entries(options)
    .filter(([name, value]) => value === true && !NO_STAGES.includes(name))
    .map(([name]) => name);
}

/** Float parameters of the graph that was given (batch norm is folded by then). */
function floatParams(graph: Graph): number {
  let n = 0;
  for (const v of graph.values.values()) if (v.data?.dtype === 'f32') n += sizeOf(v.type.shape);
  return n;
}

function settingsOf(ctx: Context): Record<string, unknown> {
  const { metric, sizer, residentSizer: _, footprint: __, planer: ___, productTime: ____, ...rest } = ctx.options;
  return { ...rest, metric: metric ? 'user' : 'none', sizer: sizer ? 'coder' : 'estimate' };
}

function layerReport(ctx: Context, plan: Plan, result: Measured, layer: Layer): LayerReport {
  const q = result.quantized.get(layer)!;
  const survey = plan.surveys.get(layer)!;
  const activation = plan.activations.get(layer)!;
  const wire = codeBytes(ctx, layer, q.matrices);
  const energy = q.matrices.reduce((sum, m) => sum + m.energy, 0);
  return {
    name: layer.name,
    op: layer.node?.op ?? 'Constant',
    shape: ctx.graph.values.get(layer.matrices[0]!.value)!.type.shape,
    params: layer.params,
    bits: q.bits,
    entropy: (8 * wire) / layer.params,
    step: plan.choices.get(layer)!.step,
    sensitivity: survey.unit.sensitivity,
    wireBytes: wire,
    residentBytes: residentCodeBytes(result.names.get(layer)!, result.size.byValue),
    relativeError: energy > 0 ? q.matrices.reduce((sum, m) => sum + m.error, 0) / energy : 0,
    activationBits: activation.mode === 'static' ? activation.bits : activation.mode === 'dynamic' ? 8 : 32,
    activation: activation.mode,
    components: survey.spectrum?.components ?? [],
    ...(survey.spectrum ? { ranks: survey.spectrum.ranks } : {}),
  };
}
