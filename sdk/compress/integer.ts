import {
  type Attrs,
  constantOf,
  type Graph,
  GraphBuilder,
  type Node,
  type Packing,
  producersOf,
  valueNamed,
} from '../ir/graph.ts';
import { roundEven } from '../ir/math.ts';
import { type Tensor, type TensorType, tensor } from '../util/tensor.ts';
import type { Activations, StaticActivation } from './activations.ts';
import { biasConstant } from './constants.ts';
import { foldSteps } from './fold-steps.ts';
import type { Layer } from './layers.ts';
import type { QuantizedMatrix } from './quantize.ts';
import { factorsOf, type StepScale, times } from './step-scale.ts';
import { type KernelOf, keepsChannels, moves } from './storage.ts';

/** A layer in integers. */
export interface QuantizedLayer {
  readonly matrices: readonly QuantizedMatrix[];
  /** f32 [rows]; empty for embeddings and tables. */
  readonly bias: Float32Array;
  /** Width that holds every code. */
  readonly bits: number;
  /** Divergence that a squared code error costs, per code; absent where codes must be exact. */
  readonly gain?: number;
}

/** Names of a layer's values in the integer graph. */
export interface IntegerNames {
  /** Quantized input; '' for embeddings and tables. */
  readonly input: string;
  /** Row scales of a dynamically quantized input, or ''. */
  readonly rowScales: string;
  readonly codes: readonly string[];
  readonly multipliers: readonly string[];
  readonly bias: string;
  /** What multipliers and bias are multiplied by in the graph (fold-steps.ts). */
  readonly scale?: StepScale;
}

export interface IntegerGraph {
  readonly graph: Graph;
  readonly names: ReadonlyMap<Layer, IntegerNames>;
}

/** Codes, multipliers and bias of a layer that has not been quantized yet, to give the integer graph its shape. */
export function emptyLayer(layer: Layer): QuantizedLayer {
  const matrices = layer.matrices.map((m) => ({
    codes: new Int8Array(m.rows * m.cols),
    base: 1,
    exponents: new Int32Array(m.rows),
    multipliers: new Float32Array(m.rows).fill(1),
    largestCode: 0,
    error: 0,
    energy: 0,
    biasShift: new Float64Array(m.rows),
  }));
  const biased = layer.kind !== 'embedding' && layer.kind !== 'table';
  return { matrices, bias: new Float32Array(biased ? layer.matrices[0]!.rows : 0), bits: 8 };
}

/** Replaces every weight layer of a graph by its integer operators (semantics: sdk/ir/kernel.ts), and stored values by their codes. */
export function buildInteger(
  graph: Graph,
  layers: readonly Layer[],
  plans: Activations,
  quantized: ReadonlyMap<Layer, QuantizedLayer>,
  kernels: KernelOf,
): IntegerGraph {
  const writer = new IntegerWriter(graph, plans, quantized, kernels);
  for (const layer of layers) if (layer.kind === 'table') writer.table(layer);
  const byNode = new Map(layers.filter((l) => l.node).map((l) => [l.node!, l]));
  for (const node of graph.nodes) {
    const layer = byNode.get(node);
    if (layer) writer.layer(layer, node);
    else writer.other(node);
    writer.store(node);
  }
  const { graph: folded, scales } = foldSteps(writer.finish());
  const b = new GraphBuilder(folded.name, folded);
  const names = new Map(writer.names);
  for (const [layer, n] of writer.names) {
    const scale = scales.get(n.multipliers[0]!);
    if (!scale) continue;
    const scaled = { ...n, scale };
    names.set(layer, scaled);
    const q = scaledLayer(quantized.get(layer)!, scale);
    const packings = [log8Of(q.matrices[0]!), biasConstant(q.bias).packing];
    for (const [name, data] of constantsOf(layer, scaled, quantized.get(layer)!).slice(1)) {
      const packing = packings.shift();
      b.setValue({ name, type: { dtype: data.dtype, shape: data.shape }, data, ...(packing ? { packing } : {}) });
    }
  }
  return { graph: b.build(), names };
}

/** The layer with results that are so many times as large. */
function scaledLayer(q: QuantizedLayer, scale: StepScale | undefined): QuantizedLayer {
  if (!scale) return q;
  const factors = factorsOf(scale);
  const matrices = q.matrices.map((m) => {
    const { base } = times({ base: m.base }, scale);
    const exponents = m.exponents.map((e, o) => e + (scale.exponents?.[o] ?? 0));
    return { ...m, base, exponents, multipliers: factorsOf({ base, exponents: Array.from(exponents) }) };
  });
  return { ...q, matrices, bias: q.bias.map((v, o) => v * factors[o % factors.length]!) };
}

const log8Of = ({ base, exponents }: QuantizedMatrix): Packing => ({
  kind: 'log8',
  base,
  exponents: Array.from(exponents),
});

/** Constants of a layer that change when it is quantized anew, by value name. */
export function constantsOf(layer: Layer, names: IntegerNames, unscaled: QuantizedLayer): [string, Tensor][] {
  const q = scaledLayer(unscaled, names.scale);
  const out: [string, Tensor][] = [];
  q.matrices.forEach((m, i) => {
    const shape = codeShape(layer, i);
    out.push([names.codes[i]!, tensor('i8', shape.codes, m.codes)]);
    out.push([names.multipliers[i]!, tensor('f32', shape.scales, m.multipliers)]);
  });
  if (names.bias !== '')
    out.push([names.bias, tensor('f32', biasShape(layer), biasConstant(q.bias).data.data as Float32Array)]);
  return out;
}

function codeShape(layer: Layer, i: number): { codes: number[]; scales: number[] } {
  const m = layer.matrices[i]!;
  if (layer.kind === 'lstm') {
    const d = layer.matrices[1]!.tiles.length;
    return { codes: [d, m.rows / d, m.cols], scales: [d, m.rows / d] };
  }
  if (layer.kind === 'conv' || layer.kind === 'depthwise') {
    const [kh, kw] = layer.window;
    return { codes: [m.rows, kh, kw, m.cols / (kh * kw)], scales: [m.rows] };
  }
  return { codes: [m.rows, m.cols], scales: [m.rows] };
}

function biasShape(layer: Layer): number[] {
  return layer.kind === 'lstm' ? codeShape(layer, 0).scales : [layer.matrices[0]!.rows];
}

function codePacking({ bits, gain }: QuantizedLayer): Packing {
  return { kind: 'codes', bits, ...(gain === undefined ? {} : { gain }) };
}

/** Names of a value's codes and of the constants they are decoded with. */
interface Codes {
  readonly input: string;
  readonly inv: string;
  readonly zp: string;
}

const dtypeOf = (plan: StaticActivation): 'i8' | 'i16' => (plan.bits === 16 ? 'i16' : 'i8');

/** The code of one number under a plan with one scale. */
function codeOf(value: number, plan: StaticActivation): number {
  const [lo, hi] = plan.limit ? [-plan.limit, plan.limit] : plan.bits === 16 ? [-32768, 32767] : [-128, 127];
  return Math.max(lo, Math.min(hi, roundEven(Math.fround(value * plan.inv[0]!)) + plan.zp[0]!));
}

class IntegerWriter {
  readonly b: GraphBuilder;
  readonly names = new Map<Layer, IntegerNames>();
  private readonly graph: Graph;
  private readonly plans: Activations;
  private readonly quantized: ReadonlyMap<Layer, QuantizedLayer>;
  private readonly kernels: KernelOf;
  private readonly producers: ReadonlyMap<string, Node>;
  /** Quantized forms of activations that exist already, by input. */
  private readonly shared = new Map<string, { input: string; rowScales: string }>();
  private readonly coded = new Map<string, Codes>();
  /** Constants of zero points by their values. */
  private readonly zeros = new Map<string, string>();
  /** Stored values as decoded from their codes. */
  private readonly decoded = new Map<string, string>();

  constructor(graph: Graph, plans: Activations, quantized: ReadonlyMap<Layer, QuantizedLayer>, kernels: KernelOf) {
    this.graph = graph;
    this.plans = plans;
    this.quantized = quantized;
    this.kernels = kernels;
    this.producers = producersOf(graph);
    this.b = new GraphBuilder(graph.name, graph);
    this.b.nodes = [];
  }

  /** A node that stays as it is; stored values are read as decoded. */
  other(node: Node): void {
    this.b.nodes.push({ ...node, inputs: node.inputs.map((v) => this.float(v, node)) });
  }

  /** Makes the codes of what a node gives, while it is at hand. */
  store(node: Node): void {
    for (const v of node.outputs) {
      const plan = this.plans.stored.get(v);
      if (plan) this.codes(v, plan);
    }
  }

  /** The graph without nodes that nothing needs: values that are moved as codes need not be moved as floats. */
  finish(): Graph {
    this.b.prune();
    return this.b.build();
  }

  layer(layer: Layer, node: Node): void {
    if (layer.kind === 'linear') this.linear(layer, node);
    else if (layer.kind === 'lstm') this.lstm(layer, node);
    else if (layer.kind === 'embedding') this.embedding(layer, node);
    else this.conv(layer, node);
  }

  private conv(layer: Layer, node: Node): void {
    const plan = this.plans.get(layer) as StaticActivation;
    const { input } = this.codes(node.inputs[0]!, plan);
    const c = this.constants(layer);
    this.replace(node, 'QConv', [input, c.codes[0]!, c.multipliers[0]!, c.bias, this.zeroPoints(plan)]);
    this.names.set(layer, { ...c, input, rowScales: '' });
  }

  private linear(layer: Layer, node: Node): void {
    const plan = this.plans.get(layer)!;
    const x = node.inputs[0]!;
    const { input, rowScales } =
      plan.mode === 'static' ? { ...this.codes(x, plan), rowScales: '' } : this.dynamic(this.float(x, node));
    const c = this.constants(layer);
    const zp = plan.mode === 'static' ? [this.zeroPoints(plan)] : [];
    this.replace(node, 'QLinear', [input, rowScales, c.codes[0]!, c.multipliers[0]!, c.bias, ...zp]);
    this.names.set(layer, { ...c, input, rowScales });
  }

  /** A constant for every set of zero points that there is: most are the same. */
  private zeroPoints({ zp }: StaticActivation): string {
    const key = zp.join();
    const name = this.zeros.get(key) ?? this.b.constant('zp', tensor('i32', [zp.length], zp), { kind: 'ints' });
    this.zeros.set(key, name);
    return name;
  }

  private lstm(layer: Layer, node: Node): void {
    const c = this.constants(layer);
    const state = [node.inputs[5] ?? '', node.inputs[6] ?? ''].map((v) => this.float(v, node));
    const { input, rowScales } = this.dynamic(this.float(node.inputs[0]!, node));
    const weights = [c.codes[0]!, c.multipliers[0]!, c.codes[1]!, c.multipliers[1]!, c.bias];
    this.replace(node, 'QLstm', [input, rowScales, ...weights, ...state]);
    this.names.set(layer, { ...c, input, rowScales });
  }

  private embedding(layer: Layer, node: Node): void {
    const c = this.constants(layer);
    this.b.nodes.push({ ...node, op: 'QGather', inputs: [c.codes[0]!, c.multipliers[0]!, node.inputs[1]!], attrs: {} });
    this.names.set(layer, { ...c, input: '', rowScales: '' });
  }

  /** A table is read as a whole: its rows are gathered in order. The constant's name becomes that of the result. */
  table(layer: Layer): void {
    const c = this.constants(layer);
    const { rows, cols, value } = layer.matrices[0]!;
    const { shape } = valueNamed(this.graph, value).type;
    const order = tensor(
      'i32',
      [rows],
      Int32Array.from({ length: rows }, (_, i) => i),
    );
    const indices = this.b.constant(`${value}.rows`, order, { kind: 'ints' });
    const flat = shape.length === 2 ? value : this.b.fresh(`${value}.flat`);
    const inputs = [c.codes[0]!, c.multipliers[0]!, indices];
    this.b.node({ name: `${value}.decode`, op: 'QGather', inputs, outputs: [flat], attrs: {} }, [
      { dtype: 'f32', shape: [rows, cols] },
    ]);
    if (flat !== value) {
      this.b.node({ name: `${value}.shape`, op: 'Reshape', inputs: [flat], outputs: [value], attrs: { shape } }, [
        { dtype: 'f32', shape },
      ]);
    }
    this.names.set(layer, { ...c, input: '', rowScales: '' });
  }

  private constants(layer: Layer): { codes: string[]; multipliers: string[]; bias: string } {
    const q = this.quantized.get(layer)!;
    const codes: string[] = [];
    const multipliers: string[] = [];
    q.matrices.forEach((m, i) => {
      const shape = codeShape(layer, i);
      const stem = layer.matrices[i]!.value;
      codes.push(this.b.constant(`${stem}.q`, tensor('i8', shape.codes, m.codes), codePacking(q)));
      multipliers.push(this.b.constant(`${stem}.m`, tensor('f32', shape.scales, m.multipliers), log8Of(m)));
    });
    if (q.bias.length === 0) return { codes, multipliers, bias: '' };
    const bias = biasConstant(q.bias);
    const data = tensor('f32', biasShape(layer), bias.data.data as Float32Array);
    return { codes, multipliers, bias: this.b.constant(`${layer.name}.b`, data, bias.packing) };
  }

  private replace(node: Node, op: string, inputs: readonly string[]): void {
    this.b.nodes.push({ ...node, op, inputs, attrs: node.attrs });
  }

  /** Name of a value as `reader` gets it: decoded when it is stored as codes, unless both are in one kernel. */
  private float(v: string, reader: Node): string {
    const plan = this.plans.stored.get(v);
    if (!plan) return v;
    const made = this.kernels.get(this.producers.get(v)!.name);
    if (made !== undefined && made === this.kernels.get(reader.name)) return v;
    const known = this.decoded.get(v);
    if (known !== undefined) return known;
    const { input, inv, zp } = this.codes(v, plan);
    const y = this.b.fresh(`${v}.f32`);
    const node: Node = { name: y, op: 'Dequantize', inputs: [input, inv, zp], outputs: [y], attrs: {} };
    this.b.node(node, [valueNamed(this.graph, v).type]);
    this.decoded.set(v, y);
    return y;
  }

  /** Codes of a value: those it was made from where it is only moved about, else rounded. */
  private codes(x: string, plan: StaticActivation): Codes {
    const key = `${x} ${plan.bits} ${plan.limit} ${plan.inv.join()} ${plan.zp.join()}`;
    const existing = this.coded.get(key);
    if (existing) return existing;
    const made = this.moved(x, plan) ?? this.quantize(x, plan);
    this.coded.set(key, made);
    return made;
  }

  /** Rounding is monotonous and the same for every element, so it may as well come before what only moves or picks numbers. */
  private moved(x: string, plan: StaticActivation): Codes | undefined {
    const node = this.producers.get(x);
    if (!node || !moves(this.graph, node)) return undefined;
    if (plan.inv.length > 1 && !keepsChannels(node)) return undefined;
    if (node.inputs.some((v) => constantOf(this.graph, v) !== undefined)) return undefined;
    const from = node.inputs.map((v) => this.codes(v, plan));
    const input = this.b.fresh(`${x}.i${plan.bits}`);
    const attrs: Attrs =
      node.op === 'Pad' ? { ...node.attrs, value: codeOf(node.attrs.value as number, plan) } : node.attrs;
    const type: TensorType = { dtype: dtypeOf(plan), shape: valueNamed(this.graph, x).type.shape };
    this.b.node({ name: input, op: node.op, inputs: from.map((c) => c.input), outputs: [input], attrs }, [type]);
    return { ...from[0]!, input };
  }

  private quantize(x: string, plan: StaticActivation): Codes {
    const packing: Packing | undefined = plan.exponents && { kind: 'log8', base: plan.base, exponents: plan.exponents };
    const inv = this.b.constant(`${x}.inv`, tensor('f32', [plan.inv.length], plan.inv), packing);
    const zp = this.zeroPoints(plan);
    const input = this.b.fresh(`${x}.i${plan.bits}`);
    const dtype = dtypeOf(plan);
    const node: Node = {
      name: input,
      op: 'Quantize',
      inputs: [this.limited(x, plan), inv, zp],
      outputs: [input],
      attrs: { to: dtype },
    };
    this.b.node(node, [{ dtype, shape: valueNamed(this.graph, x).type.shape }]);
    return { input, inv, zp };
  }

  /** A value cut off where its codes are to end. */
  private limited(x: string, { limit, inv }: StaticActivation): string {
    if (limit === undefined) return x;
    const y = this.b.fresh(`${x}.limited`);
    const max = Math.fround(limit / inv[0]!);
    this.b.node({ name: y, op: 'Clip', inputs: [x], outputs: [y], attrs: { min: -max, max } }, [
      valueNamed(this.graph, x).type,
    ]);
    return y;
  }

  private dynamic(x: string): { input: string; rowScales: string } {
    const existing = this.shared.get(x);
    if (existing) return existing;
    const { shape } = valueNamed(this.graph, x).type;
    const input = this.b.fresh(`${x}.i8`);
    const rowScales = this.b.fresh(`${x}.scale`);
    const node: Node = { name: input, op: 'DynQuantize', inputs: [x], outputs: [input, rowScales], attrs: {} };
    this.b.node(node, [
      { dtype: 'i8', shape },
      { dtype: 'f32', shape: shape.slice(0, -1) },
    ]);
    const made = { input, rowScales };
    this.shared.set(x, made);
    return made;
  }
}

/** Adds names to the sequence outputs of LSTM nodes that have none: statistics read them. */
export function exposeStates(graph: Graph): Graph {
  const b = new GraphBuilder(graph.name, graph);
  b.nodes = graph.nodes.map((node) => {
    if (node.op !== 'LSTM' || node.outputs[0] !== '') return node;
    const [t, batch] = valueNamed(graph, node.inputs[0]!).type.shape as [number, number];
    const [d, h4] = constantOf(graph, node.inputs[1]!)!.shape as [number, number];
    const name = b.fresh(`${node.name}.y`);
    b.setValue({ name, type: { dtype: 'f32', shape: [t, d, batch, h4 / 4] } });
    return { ...node, outputs: [name, ...node.outputs.slice(1)] };
  });
  return b.build();
}
