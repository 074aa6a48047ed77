import { constantOf } from '../ir/graph.ts';
import { roundToGrid } from '../util/grid.ts';
import type { Tensor } from '../util/tensor.ts';
import { type ActivationPlan, decodingOf } from './activations.ts';
import type { Choice } from './allocate.ts';
import { type Context, fitSettings, needsMoments } from './context.ts';
import type { FloatValues, FloatWalk } from './float-walk.ts';
import { constantsOf, type IntegerGraph, type QuantizedLayer } from './integer.ts';
import { constantOrRead, LayerStatistics } from './layer-statistics.ts';
import { type Layer, weightsOf } from './layers.ts';
import { lstmValues } from './lstm.ts';
import type { TileMoments } from './moments.ts';
import { inputScales, MatrixFit, type QuantizedMatrix, reachOf } from './quantize.ts';
import { PLAIN } from './rows.ts';
import type { Session } from './runner.ts';
import { checkSignal, copyOf, Stream } from './stream.ts';
import type { LayerSurvey } from './survey.ts';
import type { Sample } from './types.ts';

/** The two networks that are walked in lockstep. */
export interface Pair {
  readonly float: FloatValues;
  readonly integer: Session;
  readonly names: IntegerGraph['names'];
}

export interface PassPlan {
  readonly surveys: ReadonlyMap<Layer, LayerSurvey>;
  readonly activations: ReadonlyMap<Layer, ActivationPlan>;
  readonly choices: ReadonlyMap<Layer, Choice>;
  /** Factor on the damping of every fit. */
  readonly damping?: number;
  /** Bytes that all codes may take; steps of later layers make up for earlier ones. Absent: steps are used as chosen. */
  readonly codeBytes?: number;
}

/**
 * Quantizes all layers in the order of the data: each is refitted to what the integer network, quantized up to there, really
 * feeds it. Leaves the integer session with the new constants.
 */
export async function quantizeAll(
  ctx: Context,
  pair: Pair,
  samples: readonly Sample[],
  plan: PassPlan,
  note: string,
): Promise<Map<Layer, QuantizedLayer>> {
  const { refit, gptq, biasCorrection } = ctx.options;
  const measured = refit || gptq || biasCorrection;
  const float = measured ? pair.float.over(samples) : undefined;
  const integer = measured ? new Stream(pair.integer, samples) : undefined;
  const meter = new CodeMeter(ctx, plan);
  const out = new Map<Layer, QuantizedLayer>();
  for (const layer of ctx.layers) {
    checkSignal(ctx.signal);
    ctx.progress({ stage: 'quantize', done: out.size, total: ctx.layers.length, note: `${note}: ${layer.name}` });
    const moments =
      float && integer && needsMoments(layer) ? await readBoth(ctx, pair, float, integer, layer, plan) : undefined;
    const quantized = quantizeLayer(ctx, layer, moments, samples.length, plan, meter);
    install(pair, layer, quantized);
    out.set(layer, quantized);
  }
  float?.close();
  integer?.close();
  ctx.progress({ stage: 'quantize', done: out.size, total: out.size });
  return out;
}

/** Puts a quantized layer into the integer session. */
export function install(pair: Pair, layer: Layer, q: QuantizedLayer): void {
  for (const [name, data] of constantsOf(layer, pair.names.get(layer)!, q)) pair.integer.setConstant(name, data);
}

/** Counts code bytes against the plan and says how much coarser the layers to come must be. */
class CodeMeter {
  private readonly ctx: Context;
  private readonly plan: PassPlan;
  private over = 0;
  private params: number;

  constructor(ctx: Context, plan: PassPlan) {
    this.ctx = ctx;
    this.plan = plan;
    this.params = ctx.layers.reduce((sum, l) => sum + l.params, 0);
    if (plan.codeBytes !== undefined) {
      // Spread what the choices themselves are off the target over all layers.
      const planned = ctx.layers.reduce((sum, l) => sum + this.planned(l), 0);
      this.over = planned - plan.codeBytes;
    }
  }

  private planned(layer: Layer): number {
    return (this.plan.choices.get(layer)!.entropy * layer.params) / 8;
  }

  /** Factor for the step of the next layer: one bit a code is a factor of two. */
  factor(): number {
    if (this.plan.codeBytes === undefined) return 1;
    const bits = (8 * this.over) / Math.max(1, this.params);
    return 2 ** Math.max(-0.25, Math.min(0.25, bits));
  }

  /** Bytes over (positive) or under the target if `layer` were coded so and the rest as planned. */
  after(layer: Layer, q: readonly QuantizedMatrix[]): number {
    return this.over + codeBytes(this.ctx, layer, q) - this.planned(layer);
  }

  take(layer: Layer, q: readonly QuantizedMatrix[]): void {
    this.over = this.after(layer, q);
    this.params -= layer.params;
  }

  remainingAfter(layer: Layer): number {
    return this.params - layer.params;
  }
}

/** Bytes of a layer's codes on the wire. */
export function codeBytes(ctx: Context, layer: Layer, q: readonly QuantizedMatrix[]): number {
  return layer.matrices.reduce((sum, m, i) => sum + ctx.sizer(q[i]!.codes, m.rows, m.cols), 0);
}

async function readBoth(
  ctx: Context,
  pair: Pair,
  float: FloatWalk,
  integer: Stream,
  layer: Layer,
  plan: PassPlan,
): Promise<TileMoments[][]> {
  const statistics = new LayerStatistics(ctx, layer, float.samples);
  const names = pair.names.get(layer)!;
  const lstm = layer.kind === 'lstm' ? lstmValues(layer) : undefined;
  const states = lstm ? [lstm.h0, lstm.c0].filter((v) => v !== '' && !constantOf(ctx.graph, v)) : [];
  const floatNames = [layer.input, ...states];
  const integerNames = names.rowScales === '' ? [names.input] : [names.input, names.rowScales];
  const activation = plan.activations.get(layer)!;
  const fixed = activation.mode === 'static' ? decodingOf(activation) : PLAIN;
  const early: (readonly Tensor[])[] = [];
  for (let i = 0; i < float.samples; i++) {
    const read = await float.read(i, floatNames);
    const [xq, rowScale] = await integer.read(i, integerNames);
    const decoding = rowScale ? { ...PLAIN, rowScale: rowScale.data as Float32Array } : fixed;
    statistics.add(read[0]!, { x: xq!, decoding });
    if (lstm) early.push(read.map(copyOf));
  }
  for (let i = 0; lstm && i < float.samples; i++) {
    const [y] = await float.read(i, [lstm.y]);
    const h0 = constantOrRead(ctx, lstm.h0, early[i]![floatNames.indexOf(lstm.h0)]);
    const c0 = constantOrRead(ctx, lstm.c0, early[i]![floatNames.indexOf(lstm.c0)]);
    statistics.addRecurrent(early[i]![0]!, y!, h0, c0, true);
  }
  return statistics.finish(true);
}

function quantizeLayer(
  ctx: Context,
  layer: Layer,
  moments: TileMoments[][] | undefined,
  samples: number,
  plan: PassPlan,
  meter: CodeMeter,
): QuantizedLayer {
  const settings = fitSettings(ctx, layer, samples, plan.damping);
  const weights = layer.matrices.map((m) => weightsOf(ctx.graph, m));
  const Fit = ctx.options.matrixFit ?? MatrixFit;
  const fits = layer.matrices.map((m, i) => new Fit(ctx.la, weights[i]!, m, moments?.[i], settings));
  const survey = plan.surveys.get(layer)!;
  const choice = plan.choices.get(layer)!;
  const limit = 2 ** (choice.bits - 1) - 1;
  const activation = plan.activations.get(layer)!;
  const scales = layer.matrices.map((m) => inputScales(activation, m.rows));
  const exact = needsMoments(layer) ? undefined : exactStep(weights[0]!);
  const at = (factor: number): QuantizedMatrix[] =>
    exact !== undefined
      ? fits.map((f, i) => f.round(exact, new Int32Array(layer.matrices[i]!.rows), WIDEST, scales[i]!))
      : fits.map((f, i) => f.round(survey.probeStep * choice.step * factor, survey.relative[i]!, limit, scales[i]!));
  let factor = meter.factor();
  let matrices = at(factor);
  // The last layer alone answers for what is still over: a few tries, a little coarser each.
  for (let k = 0; k < 8 && plan.codeBytes !== undefined && meter.remainingAfter(layer) === 0; k++) {
    const over = meter.after(layer, matrices);
    if (over <= 0 || exact !== undefined) break;
    factor *= 2 ** Math.min(1, (8 * over) / layer.params + 0.002);
    matrices = at(factor);
  }
  meter.take(layer, matrices);
  const largest = Math.max(...matrices.map((m) => m.largestCode));
  const bits = ctx.options.weightBits.find((b) => largest <= 2 ** (b - 1) - 1) ?? ctx.options.weightBits.at(-1)!;
  const gain = exact === undefined ? { gain: gainOf(survey, choice.step * factor) } : {};
  const bias = roundToGrid(biasOf(ctx, layer, matrices), biasStep(matrices));
  return { matrices, bias, bits, ...gain };
}

/**
 * Divergence that a squared code error costs, per code: the sensitivity is that of rounding at relative step 1, which errs by a
 * twelfth of the squared step in the mean.
 */
function gainOf({ unit }: LayerSurvey, step: number): number {
  return (12 * unit.sensitivity * step * step) / unit.params;
}

/** Rounding biases may add this share of the error that rounding the weights makes: small, since it is the same at every position. */
const BIAS_ERROR = 0.01;

/** Step of the biases for which the mean squared error of a row is that share: that of a uniform error, step^2 / 12. */
function biasStep(matrices: readonly QuantizedMatrix[]): number {
  const error = matrices.reduce((sum, m) => sum + m.error, 0) / matrices[0]!.exponents.length;
  return Math.sqrt(12 * BIAS_ERROR * error);
}

/** Largest code of tables that are held without loss. */
const WIDEST = 127;

/**
 * The step of which every value is a small whole multiple, where there is one: masks and one-hot tables. Rounding such a table would
 * change what it says, and its few values pack to almost nothing.
 */
export function exactStep(values: Float32Array): number | undefined {
  let step = Number.POSITIVE_INFINITY;
  for (const v of values) if (v !== 0) step = Math.min(step, Math.abs(v));
  if (!Number.isFinite(step)) return undefined;
  // The grid that rows are rounded on leaves a little room above the largest code.
  const reach = reachOf(WIDEST);
  for (const v of values) {
    const q = v / step;
    if (!Number.isInteger(q) || Math.abs(q) > reach || Math.fround(q * step) !== v) return undefined;
  }
  return step;
}

/** The float bias (an LSTM's two added up) plus what quantization took from the mean outputs. */
function biasOf(ctx: Context, layer: Layer, matrices: readonly QuantizedMatrix[]): Float32Array {
  if (!needsMoments(layer)) return new Float32Array(0);
  const rows = layer.matrices[0]!.rows;
  const original = constantOf(ctx.graph, layer.bias)?.data as Float32Array | undefined;
  const h4 = layer.kind === 'lstm' ? 4 * layer.matrices[1]!.cols : 0;
  return Float32Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    if (original && h4 > 0) {
      const at = Math.floor(r / h4) * 2 * h4 + (r % h4);
      sum = original[at]! + original[at + h4]!;
    } else if (original) sum = original[r]!;
    for (const m of matrices) sum += m.biasShift[r]!;
    return sum;
  });
}
