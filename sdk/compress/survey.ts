import { constantOf } from '../ir/graph.ts';
import { rms } from '../util/stats.ts';
import { type Tensor, tensor } from '../util/tensor.ts';
import type { Ranges } from './activations.ts';
import { type CurveMatrix, curvesOf, type Unit } from './allocate.ts';
import { type Context, fitSettings, needsMoments } from './context.ts';
import { scoreOf } from './divergence.ts';
import { type HeldOut, meanDivergence } from './evaluate.ts';
import { type Factors, factorsOf } from './factorize.ts';
import { inputBehind, inputDivergence } from './input-rounding.ts';
import { constantOrRead, LayerStatistics } from './layer-statistics.ts';
import { type Layer, weightsOf } from './layers.ts';
import { lstmValues } from './lstm.ts';
import type { TileMoments } from './moments.ts';
import type { Gains } from './noise.ts';
import { bytesOf, measuredValues } from './plan-activations.ts';
import { inputScales, MatrixFit, type QuantizedMatrix, rowExponents } from './quantize.ts';
import { RangeSums } from './range-sums.ts';
import type { Session, Snapshot } from './runner.ts';
import { type Spectrum, spectrumOf } from './spectrum.ts';
import type { Storage } from './storage.ts';
import { checkSignal, copyOf, Stream } from './stream.ts';

/** What one pass of the float network over the samples tells about a layer. */
export interface LayerSurvey {
  readonly layer: Layer;
  /** Step at relative step 1: a 3.5th of the weights' standard deviation. */
  readonly probeStep: number;
  /** Row steps of every matrix relative to the layer's, in eighths of an octave. */
  readonly relative: readonly Int32Array[];
  readonly unit: Unit;
  readonly ranges: Ranges | undefined;
  readonly spectrum: Spectrum | undefined;
  /** What noise on the layer's input costs, by channel (last axis). */
  readonly inputGains: Gains;
  /** The layer as a product of two, where that is expected to pay. */
  readonly factors: Factors | undefined;
}

/** Surveys of all layers, and ranges of their inputs and of what else may be stored as codes. */
export class Surveys extends Map<Layer, LayerSurvey> {
  readonly ranges = new Map<string, Ranges>();
  /** Divergence of rounding inputs to 8 bits. */
  readonly rounding = new Map<Storage, number>();
}

/** Values of the float graph that the survey and the fit read. */
export function keptValues(
  layers: readonly Layer[],
  storages: readonly Storage[],
  isComputed: (v: string) => boolean,
): string[] {
  const out = new Set<string>(storages.flatMap(measuredValues).filter(isComputed));
  for (const l of layers) {
    if (!needsMoments(l)) continue;
    const all = l.kind === 'lstm' ? Object.values(lstmValues(l)) : [l.input];
    for (const v of all) if (v !== '' && isComputed(v)) out.add(v);
  }
  return [...out];
}

/** Relative steps of the probe: finer where a layer has few weights to a row, which tolerate less. */
const probeAt = (layer: Layer): number => (layer.kind === 'depthwise' || layer.kind === 'embedding' ? 0.25 : 1);
/** Statistics for probes need fewer rows than the fit. */
const PROBE_WORK = 8e9;
/** Divergence beyond which it is no longer proportional to the squared step. */
const SATURATED = 0.5;

/** Walks the float network layer by layer: ranges, moments, spectra, and the held-out divergence of one probe a layer. */
export async function survey(ctx: Context, session: Session, held: HeldOut, probes: number): Promise<Surveys> {
  const samples = [...ctx.fit, ...held.samples];
  const stream = new Stream(session, samples);
  const out = new Surveys();
  const between = valuesBetween(ctx, session);
  let done = 0;
  for (const layer of ctx.layers) {
    checkSignal(ctx.signal);
    ctx.progress({ stage: 'sensitivity', done: done++, total: ctx.layers.length, note: layer.name });
    if (needsMoments(layer)) await readBetween(ctx, stream, session, between, session.readyAt(layer.input), out.ranges);
    const surveyed = await surveyLayer(ctx, session, stream, held, Math.min(probes, held.samples.length), layer);
    out.set(layer, surveyed);
    if (surveyed.ranges) out.ranges.set(layer.input, surveyed.ranges);
  }
  await readBetween(ctx, stream, session, between, session.steps, out.ranges);
  stream.close();
  if (ctx.options.rangeMargin !== 1) for (const r of out.ranges.values()) r.widen(ctx.options.rangeMargin);
  for (const storage of ctx.storages) {
    const input = storage.perChannel ? undefined : inputOf(ctx, storage);
    if (input === undefined) continue;
    checkSignal(ctx.signal);
    out.rounding.set(storage, await inputDivergence(session, held, input, bytesOf(storage, out), probes));
  }
  ctx.progress({ stage: 'sensitivity', done, total: done });
  return out;
}

/** The network's input that a storage holds and nothing else. */
function inputOf(ctx: Context, storage: Storage): string | undefined {
  const inputs = new Set(measuredValues(storage).map((v) => inputBehind(ctx.graph, v)));
  return inputs.size === 1 ? [...inputs][0] : undefined;
}

/** Values that no layer reads but whose ranges are wanted, in the order of the run. */
function valuesBetween(ctx: Context, session: Session): string[] {
  const inputs = new Set(ctx.layers.filter(needsMoments).map((l) => l.input));
  const wanted = new Set(ctx.storages.flatMap(measuredValues).filter((v) => !inputs.has(v)));
  return [...wanted].sort((a, b) => session.readyAt(a) - session.readyAt(b));
}

/** Ranges of those of the values that exist by step `until`; takes them from the list. */
async function readBetween(
  ctx: Context,
  stream: Stream,
  session: Session,
  values: string[],
  until: number,
  ranges: Map<string, Ranges>,
): Promise<void> {
  while (values.length > 0 && session.readyAt(values[0]!) <= until) {
    const value = values.shift()!;
    const sums = new RangeSums(ctx, value);
    for (let i = 0; i < stream.samples; i++) sums.add((await stream.read(i, [value]))[0]!);
    ranges.set(value, sums.finish());
  }
}

async function surveyLayer(
  ctx: Context,
  session: Session,
  stream: Stream,
  held: HeldOut,
  probes: number,
  layer: Layer,
): Promise<LayerSurvey> {
  const { options } = ctx;
  const read = needsMoments(layer) ? await readLayer(ctx, stream, layer) : undefined;
  const before = read?.before ?? stream.states(ctx.fit.length, ctx.fit.length + probes);
  const weights = layer.matrices.map((m) => weightsOf(ctx.graph, m));
  const relative = layer.matrices.map((m, i) => rowExponents(weights[i]!, m.rows, read?.rowSteps));
  const probeStep = deviation(weights) / 3.5;
  const curves = curvesOf(curveMatrices(layer, weights, relative, probeStep), options.weightBits);
  let sensitivity = layer.params;
  let measured: Measured | undefined;
  if (options.entropyAllocation) {
    const probe = probeLayer(ctx, layer, weights, read?.moments, relative, probeStep);
    measured = await probeDivergence(ctx, session, before.slice(0, probes), held, layer, probe);
    sensitivity = measured.sensitivity;
  }
  const spectrum =
    options.spectrum && read && layer.kind !== 'depthwise' && layer.matrices[0]!.tiles.length === 1
      ? spectrumOf(ctx.la, weights[0]!, layer.matrices[0]!.rows, layer.matrices[0]!.cols, read.moments[0]![0]!)
      : undefined;
  const inputGains = inputGainsOf(layer, weights[0]!, read?.ranges.low.length ?? 0, measured);
  const unit = { params: layer.params, sensitivity, curves };
  const factors =
    spectrum && read && options.lowRank && ctx.ranks.size === 0
      ? factorsFor(ctx, layer, weights[0]!, read, spectrum)
      : undefined;
  return { layer, probeStep, relative, unit, ranges: read?.ranges, spectrum, inputGains, factors };
}

/** Low-rank factors of a layer whose spectrum gives hope, at the bits a weight that the budget leaves. */
function factorsFor(
  ctx: Context,
  layer: Layer,
  weights: Float32Array,
  read: LayerRead,
  spectrum: Spectrum,
): Factors | undefined {
  const { rows, cols } = layer.matrices[0]!;
  if (spectrum.ranks[1] * (rows + cols) >= rows * cols) return undefined;
  const params = ctx.layers.reduce((sum, l) => sum + l.params, 0);
  const bits = (8 * ctx.options.wireBudgetBytes) / params;
  const positions = ctx.fit.length * layer.positions;
  return factorsOf(ctx.la, layer, { weights, moments: read.moments[0]![0]!, positions }, bits);
}

interface LayerRead {
  readonly moments: readonly (readonly TileMoments[])[];
  readonly ranges: Ranges;
  readonly rowSteps: Float64Array | undefined;
  /** States of the held-out samples just before the layer. */
  readonly before: readonly Snapshot[];
}

async function readLayer(ctx: Context, stream: Stream, layer: Layer): Promise<LayerRead> {
  const fitCount = ctx.fit.length;
  const ranges = new RangeSums(ctx, layer.input);
  const statistics = new LayerStatistics(ctx, layer, fitCount, PROBE_WORK);
  const lstm = layer.kind === 'lstm' ? lstmValues(layer) : undefined;
  const early = lstm
    ? [lstm.x, ...[lstm.h0, lstm.c0].filter((v) => v !== '' && !constantOf(ctx.graph, v))]
    : [layer.input];
  const states: (readonly Tensor[])[] = [];
  for (let i = 0; i < stream.samples; i++) {
    const read = await stream.read(i, early);
    const x = read[0]!;
    ranges.add(x);
    if (i < fitCount) statistics.add(x, undefined);
    if (lstm && i < fitCount) states.push(read.map(copyOf));
  }
  const before = stream.states(fitCount, stream.samples);
  if (lstm) {
    for (let i = 0; i < fitCount; i++) {
      const [y] = await stream.read(i, [lstm.y]);
      const named = new Map(early.map((v, k) => [v, states[i]![k]!]));
      const h0 = constantOrRead(ctx, lstm.h0, named.get(lstm.h0));
      statistics.addRecurrent(states[i]![0]!, y!, h0, constantOrRead(ctx, lstm.c0, named.get(lstm.c0)), false);
    }
  }
  const rowSteps = statistics.importance?.steps();
  return { moments: statistics.finish(hasBias(ctx, layer)), ranges: ranges.finish(), rowSteps, before };
}

const hasBias = (ctx: Context, layer: Layer): boolean => constantOf(ctx.graph, layer.bias) !== undefined;

function deviation(weights: readonly Float32Array[]): number {
  let square = 0;
  let n = 0;
  for (const w of weights) {
    square += rms(w) ** 2 * w.length;
    n += w.length;
  }
  return Math.max(1e-12, Math.sqrt(square / n));
}

function curveMatrices(
  layer: Layer,
  weights: readonly Float32Array[],
  relative: readonly Int32Array[],
  step: number,
): CurveMatrix[] {
  return layer.matrices.map((m, i) => ({
    weights: weights[i]!,
    rows: m.rows,
    steps: Float64Array.from(relative[i]!, (e) => step * 2 ** (e / 8)),
  }));
}

interface Probe {
  readonly step: number;
  readonly constants: readonly [string, Tensor][];
  /** Squared output error that the probe makes. */
  readonly error: number;
}

/** The layer rounded at a relative step `at`, as float constants of the original graph. */
function probeLayer(
  ctx: Context,
  layer: Layer,
  weights: readonly Float32Array[],
  moments: readonly (readonly TileMoments[])[] | undefined,
  relative: readonly Int32Array[],
  probeStep: number,
): (at: number) => Probe {
  const biased = hasBias(ctx, layer);
  const settings = fitSettings(ctx, layer, ctx.fit.length);
  const fits = layer.matrices.map(
    (m, i) =>
      new MatrixFit(ctx.la, weights[i]!, m, moments?.[i], {
        ...settings,
        refit: false,
        biasCorrection: biased && settings.biasCorrection,
      }),
  );
  return (at) => {
    const rounded = fits.map((f, i) =>
      f.round(probeStep * at, relative[i]!, 127, inputScales({ mode: 'none' }, layer.matrices[i]!.rows)),
    );
    const constants: [string, Tensor][] = layer.matrices.map((m, i) => [
      m.value,
      tensor('f32', constantOf(ctx.graph, m.value)!.shape, decoded(rounded[i]!, m.cols)),
    ]);
    if (biased) constants.push([layer.bias, shiftedBias(constantOf(ctx.graph, layer.bias)!, layer, rounded)]);
    return { step: at, constants, error: rounded.reduce((sum, r) => sum + r.error, 0) };
  };
}

function decoded(q: QuantizedMatrix, cols: number): Float32Array {
  const out = new Float32Array(q.codes.length);
  for (let i = 0; i < out.length; i++) out[i] = q.codes[i]! * q.multipliers[Math.floor(i / cols)]!;
  return out;
}

function shiftedBias(bias: Tensor, layer: Layer, rounded: readonly QuantizedMatrix[]): Tensor {
  const data = Float32Array.from(bias.data as Float32Array);
  const h4 = layer.kind === 'lstm' ? bias.shape[1]! / 2 : 0;
  for (const q of rounded) {
    q.biasShift.forEach((v, r) => {
      // An LSTM bias is [D, 8H]: the input part of direction d starts at d * 8H.
      const at = h4 > 0 ? Math.floor(r / h4) * 2 * h4 + (r % h4) : r;
      data[at]! += v;
    });
  }
  return tensor('f32', bias.shape, data);
}

interface Measured {
  /** Divergence at relative step 1. */
  readonly sensitivity: number;
  /** Divergence and squared output error of the probe. */
  readonly divergence: number;
  readonly error: number;
}

async function probeDivergence(
  ctx: Context,
  session: Session,
  before: readonly Snapshot[],
  held: HeldOut,
  layer: Layer,
  probe: (at: number) => Probe,
): Promise<Measured> {
  let at = probeAt(layer);
  for (;;) {
    const p = probe(at);
    for (const [name, data] of p.constants) session.setConstant(name, data);
    const scores = [];
    for (let i = 0; i < before.length; i++) {
      await session.play(before[i]!);
      const outputs = Object.fromEntries(ctx.graph.outputs.map((o) => [o, session.read(o)]));
      scores.push(scoreOf(held.references[i]!, outputs));
    }
    const divergence = meanDivergence(scores);
    if (divergence < SATURATED || at < 0.1) {
      for (const [name] of p.constants) session.setConstant(name, constantOf(ctx.graph, name)!);
      return { sensitivity: divergence / (at * at), divergence, error: p.error };
    }
    at /= 4;
  }
}

/**
 * The divergence of noise of mean square 1 on every channel of the layer's input: that of the probe, scaled by the two errors'
 * energies at the layer's output. The network after the layer sees noise either way. Zeros where nothing was measured.
 */
function inputGainsOf(layer: Layer, weights: Float32Array, channels: number, measured: Measured | undefined): Gains {
  const gains = new Float64Array(channels);
  const isProduct = layer.spec?.kind === 'conv' || layer.spec?.kind === 'linear';
  if (!measured || !isProduct || measured.error <= 0) return gains;
  const { rows, cols } = layer.matrices[0]!;
  const cg = cols / (layer.window[0] * layer.window[1]);
  const perGroup = layer.spec?.kind === 'conv' ? rows / layer.spec.groups : rows;
  for (let r = 0; r < rows; r++) {
    const channel0 = Math.floor(r / perGroup) * cg;
    for (let c = 0; c < cols; c++)
      gains[channel0 + (c % cg)]! += (measured.divergence / measured.error) * weights[r * cols + c]! ** 2;
  }
  return gains;
}
