import { constantOf, type Graph, GraphBuilder, type Node, type Packing, valueNamed } from '../ir/graph.ts';
import { type Tensor, type TensorType, tensor } from '../util/tensor.ts';
import type { ActivationPlan, StaticActivation } from './activations.ts';
import { biasConstant } from './constants.ts';
import type { Layer } from './layers.ts';
import type { QuantizedMatrix } from './quantize.ts';

/** A layer in integers. */
export interface QuantizedLayer {
  readonly matrices: readonly QuantizedMatrix[];
  /** f32 [rows]; empty for embeddings and tables. */
  readonly bias: Float32Array;
  /** Resident bits a code. */
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

/** Replaces every weight layer of a graph by its integer operators (semantics: sdk/ir/kernel.ts). */
export function buildInteger(
  graph: Graph,
  layers: readonly Layer[],
  plans: ReadonlyMap<Layer, ActivationPlan>,
  quantized: ReadonlyMap<Layer, QuantizedLayer>,
): IntegerGraph {
  const writer = new IntegerWriter(graph, plans, quantized);
  for (const layer of layers) if (layer.kind === 'table') writer.table(layer);
  const byNode = new Map(layers.filter((l) => l.node).map((l) => [l.node!, l]));
  for (const node of graph.nodes) {
    const layer = byNode.get(node);
    if (layer) writer.layer(layer, node);
    else writer.b.nodes.push(node);
  }
  return { graph: writer.b.build(), names: writer.names };
}

/** Constants of a layer that change when it is quantized anew, by value name. */
export function constantsOf(layer: Layer, names: IntegerNames, q: QuantizedLayer): [string, Tensor][] {
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

class IntegerWriter {
  readonly b: GraphBuilder;
  readonly names = new Map<Layer, IntegerNames>();
  private readonly graph: Graph;
  private readonly plans: ReadonlyMap<Layer, ActivationPlan>;
  private readonly quantized: ReadonlyMap<Layer, QuantizedLayer>;
  /** Quantized forms of activations that exist already, by input and parameters. */
  private readonly shared = new Map<string, { input: string; rowScales: string }>();

  constructor(graph: Graph, plans: ReadonlyMap<Layer, ActivationPlan>, quantized: ReadonlyMap<Layer, QuantizedLayer>) {
    this.graph = graph;
    this.plans = plans;
    this.quantized = quantized;
    this.b = new GraphBuilder(graph.name, graph);
    this.b.nodes = [];
  }

  layer(layer: Layer, node: Node): void {
    if (layer.kind === 'linear') this.linear(layer, node);
    else if (layer.kind === 'lstm') this.lstm(layer, node);
    else if (layer.kind === 'embedding') this.embedding(layer, node);
    else this.conv(layer, node);
  }

  private conv(layer: Layer, node: Node): void {
    const plan = this.plans.get(layer) as StaticActivation;
    const { input } = this.quantize(node.inputs[0]!, plan);
    const c = this.constants(layer);
    this.replace(node, 'QConv', [input, c.codes[0]!, c.multipliers[0]!, c.bias, this.zeroPoints(node, plan)]);
    this.names.set(layer, { ...c, input, rowScales: '' });
  }

  private linear(layer: Layer, node: Node): void {
    const plan = this.plans.get(layer)!;
    const { input, rowScales } =
      plan.mode === 'static' ? this.quantize(node.inputs[0]!, plan) : this.dynamic(node.inputs[0]!);
    const c = this.constants(layer);
    const zp = plan.mode === 'static' ? [this.zeroPoints(node, plan)] : [];
    this.replace(node, 'QLinear', [input, rowScales, c.codes[0]!, c.multipliers[0]!, c.bias, ...zp]);
    this.names.set(layer, { ...c, input, rowScales });
  }

  private zeroPoints(node: Node, { zp }: StaticActivation): string {
    return this.b.constant(`${node.name}.zp`, tensor('i32', [zp.length], zp), { kind: 'ints' });
  }

  private lstm(layer: Layer, node: Node): void {
    const c = this.constants(layer);
    const state = [node.inputs[5] ?? '', node.inputs[6] ?? ''];
    const { input, rowScales } = this.dynamic(node.inputs[0]!);
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
      const packing: Packing = { kind: 'log8', base: m.base, exponents: Array.from(m.exponents) };
      multipliers.push(this.b.constant(`${stem}.m`, tensor('f32', shape.scales, m.multipliers), packing));
    });
    if (q.bias.length === 0) return { codes, multipliers, bias: '' };
    const bias = biasConstant(q.bias);
    const data = tensor('f32', biasShape(layer), bias.data.data as Float32Array);
    return { codes, multipliers, bias: this.b.constant(`${layer.name}.b`, data, bias.packing) };
  }

  private replace(node: Node, op: string, inputs: readonly string[]): void {
    this.b.nodes.push({ ...node, op, inputs, attrs: node.attrs });
  }

  private quantize(x: string, plan: StaticActivation): { input: string; rowScales: string } {
    const key = `${x} ${plan.bits} ${plan.inv.join()} ${plan.zp.join()}`;
    const existing = this.shared.get(key);
    if (existing) return existing;
    const type: TensorType = { dtype: plan.bits === 16 ? 'i16' : 'i8', shape: valueNamed(this.graph, x).type.shape };
    const packing: Packing | undefined = plan.exponents && { kind: 'log8', base: plan.base, exponents: plan.exponents };
    const inv = this.b.constant(`${x}.inv`, tensor('f32', [plan.inv.length], plan.inv), packing);
    const zp = this.b.constant(`${x}.zp`, tensor('i32', [plan.zp.length], plan.zp), { kind: 'ints' });
    const input = this.b.fresh(`${x}.i${plan.bits}`);
    const node: Node = {
      name: input,
      op: 'Quantize',
      inputs: [x, inv, zp],
      outputs: [input],
      attrs: { to: type.dtype },
    };
    this.b.node(node, [type]);
    const made = { input, rowScales: '' };
    this.shared.set(key, made);
    return made;
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
