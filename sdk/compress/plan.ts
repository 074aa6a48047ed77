import { type Graph, valueNamed } from '../ir/graph.ts';
import { opOf } from '../ir/ops/index.ts';
import { sizeOf } from '../util/tensor.ts';
import { needsMoments } from './context.ts';
import { findLayers, type Layer } from './layers.ts';
import { prefixRuns } from './progressive.ts';
import { estimateInts, graphSize } from './size.ts';
import type { CalibrationData, CompressionEstimate, CompressOptions } from './types.ts';

/** Multiply-adds a second of float kernels, of the statistics, and seconds to compile one step: measured on one core, order of magnitude. */
const FLOAT_RATE = 6e9;
const STATISTICS_RATE = 1.5e10;
const COMPILE_STEP = 0.06;
/** Seconds that sensitivities may take by the estimate. */
const PROBE_SECONDS = 25;

/** Fit and held-out sample counts: at least one each, all for both when there is only one. */
export function splitCounts(samples: number, holdout: number): { fit: number; held: number } {
  if (samples < 2) return { fit: samples, held: samples };
  const held = Math.max(1, Math.min(samples - 1, Math.round(samples * holdout)));
  return { fit: samples - held, held };
}

/** Multiply-adds of the products of one run. */
export function productsOf(graph: Graph): number {
  let macs = 0;
  for (const layer of findLayers(graph)) if (needsMoments(layer)) macs += layer.params * layer.positions;
  // Elementwise work counts as a few products an element.
  for (const node of graph.nodes) {
    const out = node.outputs.find((o) => o !== '');
    if (out === undefined || opOf(node.op).lower === undefined) continue;
    macs += 8 * sizeOf(valueNamed(graph, out).type.shape);
  }
  return macs;
}

/** Held-out samples that every layer's probe runs: as many as the time allows, by the estimate and so the same every time. */
export function probeCount(graph: Graph, layers: readonly Layer[], held: number): number {
  const outputs = graph.outputs.reduce((sum, o) => sum + Math.min(65536, sizeOf(valueNamed(graph, o).type.shape)), 0);
  const run = (0.55 * productsOf(graph)) / FLOAT_RATE + outputs * 4e-8 + 5e-5;
  return Math.max(Math.min(held, 6), Math.min(held, 64, Math.floor(PROBE_SECONDS / (layers.length * run))));
}

/** What `compress` will do and about how long it takes, from the graph alone. */
export function planCompression(graph: Graph, data: CalibrationData, options: CompressOptions): CompressionEstimate {
  const layers = findLayers(graph);
  const { fit, held } = splitCounts(data.samples.length, options.holdout);
  const forward = productsOf(graph) / FLOAT_RATE + 1e-4;
  const probes = probeCount(graph, layers, held);
  const measured = options.refit || options.gptq || options.biasCorrection;
  const fitting = layers.reduce((sum, l) => sum + fitSeconds(l, fit), 0);
  const pass = measured ? forward * fit * 1.6 + fitting : 0.5;
  const all = options.fitOnAll ? pass * ((fit + held) / fit) : 0;
  const stages = [
    { stage: 'compile', seconds: 2 * graph.nodes.length * COMPILE_STEP + 3 },
    {
      stage: 'sensitivity',
      seconds:
        forward * (fit + held) + (options.entropyAllocation ? probes * layers.length * forward * 0.6 : 0) + fitting / 3,
    },
    { stage: 'quantize', seconds: (0.4 + options.dampings.length) * pass + all },
    { stage: 'gate', seconds: 3 * held * forward },
    ...(options.planer ? [{ stage: 'progressive', seconds: prefixRuns(held) * forward }] : []),
  ].map((s) => ({ ...s, seconds: Number(s.seconds.toPrecision(2)) }));
  const params = layers.reduce((sum, l) => sum + l.params, 0);
  const rest = graphSize(graph, options.sizer ?? estimateInts).wireBytes - 4 * params;
  return {
    layers: layers.length,
    params,
    fitSamples: fit,
    holdoutSamples: held,
    stages,
    seconds: stages.reduce((sum, s) => sum + s.seconds, 0),
    floorBytes: Math.max(0, Math.round(rest / 2 + params / 8)),
  };
}

function fitSeconds(layer: Layer, samples: number): number {
  let macs = 0;
  for (const m of layer.matrices) {
    for (const t of m.tiles) {
      const rows = Math.min(24000, samples * layer.positions, 3e10 / t.cols ** 2);
      macs += 1.5 * rows * t.cols ** 2 + t.cols ** 3 + 5 * t.rows * t.cols ** 2;
    }
  }
  return macs / STATISTICS_RATE + 0.02;
}
