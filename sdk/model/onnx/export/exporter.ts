import type { OnnxAttr, OnnxExporter, OnnxWriter, Quantization } from '../../../ir/backend.ts';
import { type Graph, type Node, valueNamed } from '../../../ir/graph.ts';
import { opOf } from '../../../ir/ops/index.ts';
import { transposed } from '../../../ir/ops/lib/arrays.ts';
import { TO_NCHW, TO_NHWC } from '../../../ir/ops/lib/window.ts';
import { isFree } from '../../../ir/passes/lib/perm.ts';
import { EigenError } from '../../../util/errors.ts';
import { sha256 } from '../../../util/hash.ts';
import { bytesOf, sameShape, sizeOf, type Tensor, type TensorType, tensor } from '../../../util/tensor.ts';
import type { OnnxAttribute, OnnxNodeSpec, RawTensor } from '../write.ts';
import type { FormSink, QuantizedForms } from './quantized.ts';

/** Order of the axes of a tensor of rank 4: as the graph has them, or from NHWC to NCHW. Others have the first one only. */
type Order = 'graph' | 'nchw';

const IDENTITY: Quantization = { scale: Float32Array.of(1), zero: Int32Array.of(0) };

/** How often layers of an operator took a form, e.g. QConv -> 'DequantizeLinear int4' -> 7. */
export type FormCounts = Record<string, Record<string, number>>;

function isCoded(t: TensorType): boolean {
  return t.dtype === 'i8' || t.dtype === 'i16';
}

function inOrder(shape: readonly number[], order: Order): number[] {
  return order === 'nchw' ? TO_NCHW.map((p) => shape[p]!) : [...shape];
}

/** Writes the nodes of a graph, in order, as ONNX nodes. */
export class GraphExporter {
  readonly nodes: OnnxNodeSpec[] = [];
  readonly initializers: Record<string, Tensor | RawTensor> = {};
  readonly forms: FormCounts = {};
  readonly graph: Graph;
  readonly quantized: QuantizedForms;
  private readonly names: Set<string>;
  private readonly orders = new Map<string, Partial<Record<Order, string>>>();
  private readonly quantizations = new Map<string, Quantization>();
  /** Constants by content: equal ones are written once. */
  private readonly shared = new Map<string, string>();

  constructor(graph: Graph, quantized: QuantizedForms) {
    this.graph = graph;
    this.quantized = quantized;
    this.names = new Set(graph.values.keys());
  }

  run(): void {
    for (const name of this.graph.inputs) this.input(name);
    for (const node of this.graph.nodes) this.node(node);
    for (const name of this.graph.outputs) this.output(name);
  }

  /** Codes that come from outside are their own values. */
  private input(name: string): void {
    const coded = isCoded(valueNamed(this.graph, name).type);
    this.orders.set(name, { graph: coded ? this.push('Cast', [name], { to: 1 }, [this.fresh(`${name}.f32`)]) : name });
  }

  private node(node: Node): void {
    if (node.op === 'Transpose' && this.turned(node)) return;
    const exporter = opOf(node.op).toOnnx;
    if (!exporter) {
      throw new EigenError('EW3102_OP_UNSUPPORTED', `operator ${node.op} of node '${node.name}' has no form in ONNX`, {
        hint: 'Export a bundle without it, or report the case.',
        details: { op: node.op, node: node.name },
      });
    }
    exporter.write(new NodeWriter(this, node, this.orderFor(node, exporter)));
    for (const v of node.outputs) if (v !== '') this.inherit(node, v);
  }

  /** What only moves codes leaves their meaning; scales of channels must stay with theirs. */
  private inherit(node: Node, output: string): void {
    const { type } = valueNamed(this.graph, output);
    if (!isCoded(type) || this.quantizations.has(output)) return;
    const coded = node.inputs.filter((v) => v !== '' && isCoded(valueNamed(this.graph, v).type));
    const [first, ...rest] = coded.map((v) => this.quantization(v));
    if (!first) return;
    const n = first.scale.length;
    const perm = node.attrs.perm as readonly number[] | undefined;
    const follows = n === 1 || (type.shape.at(-1) === n && (!perm || perm.at(-1) === perm.length - 1));
    if (!follows || rest.some((q) => q.scale.join() !== first.scale.join() || q.zero.join() !== first.zero.join()))
      throw notWritable(node, 'it moves codes of several scales');
    this.quantizations.set(output, first);
  }

  /** A transposition between NHWC and NCHW gives another order of what there is. */
  private turned(node: Node): boolean {
    const perm = node.attrs.perm as readonly number[];
    const [from, to] = [node.inputs[0]!, node.outputs[0]!];
    if (sameShape(perm, TO_NHWC)) this.orders.set(to, { nchw: this.value(from, 'graph') });
    else if (sameShape(perm, TO_NCHW)) this.orders.set(to, { graph: this.value(from, 'nchw') });
    else return false;
    this.inherit(node, to);
    return true;
  }

  private output(name: string): void {
    const { type } = valueNamed(this.graph, name);
    if (isCoded(type)) {
      this.push('Cast', [this.codes(name, 'graph')], { to: type.dtype === 'i8' ? 3 : 5 }, [name]);
      return;
    }
    const value = this.value(name, 'graph');
    if (value !== name) this.push('Identity', [value], {}, [name]);
  }

  /** nchw for image operators, and for others when more of what they read is there as NCHW only than as in the graph only. */
  private orderFor(node: Node, { order }: OnnxExporter): Order {
    if (order === 'image') return 'nchw';
    if (order !== 'any') return 'graph';
    let [nchwOnly, graphOnly] = [0, 0];
    for (const v of node.inputs) {
      if (v === '') continue;
      const { data, type } = valueNamed(this.graph, v);
      if (type.shape.length > 4) return 'graph';
      const has = this.orders.get(v);
      if (data || !has || type.shape.length < 4) continue;
      if (!has.graph) nchwOnly += sizeOf(type.shape);
      else if (!has.nchw) graphOnly += sizeOf(type.shape);
    }
    return nchwOnly > graphOnly ? 'nchw' : 'graph';
  }

  /** ONNX name of a value in an order of axes; tensors of lower rank get leading axes of one element when it is NCHW. */
  value(name: string, order: Order): string {
    const known = this.orders.get(name) ?? {};
    const value = known[order] ?? this.make(name, order, known);
    this.orders.set(name, { ...known, [order]: value });
    return value;
  }

  private make(name: string, order: Order, known: Partial<Record<Order, string>>): string {
    const { data, type } = valueNamed(this.graph, name);
    if (data) return this.constant(name, data, order);
    if (known.graph === undefined && known.nchw === undefined) throw new Error(`nothing has written '${name}'`);
    if (order === 'graph')
      return this.moved(known.nchw!, inOrder(type.shape, 'nchw'), TO_NHWC, this.nameFor(name, order));
    const from = this.value(name, 'graph');
    if (type.shape.length === 4) return this.moved(from, type.shape, TO_NCHW, this.nameFor(name, order));
    const wide = [...new Array<number>(4 - type.shape.length).fill(1), ...type.shape];
    return this.moved(this.reshape(from, wide, this.fresh(`${name}.4d`)), wide, TO_NCHW, this.nameFor(name, order));
  }

  private constant(name: string, data: Tensor, order: Order): string {
    if (order === 'graph') return this.initializer(this.graph.outputs.includes(name) ? `${name}.constant` : name, data);
    const wide = [...new Array<number>(4 - data.shape.length).fill(1), ...data.shape];
    return this.initializer(`${name}.nchw`, transposed({ ...data, shape: wide }, TO_NCHW));
  }

  private moved(from: string, shape: readonly number[], perm: readonly number[], to: string): string {
    const out = perm.map((p) => shape[p]!);
    return isFree(shape, perm) ? this.reshape(from, out, to) : this.push('Transpose', [from], { perm }, [to]);
  }

  private reshape(from: string, shape: readonly number[], to: string): string {
    return this.push('Reshape', [from, this.initializer('shape', tensor('i64', [shape.length], shape))], {}, [to]);
  }

  /** The ONNX name that a value is computed under. */
  nameFor(name: string, order: Order): string {
    if (order === 'nchw') return this.fresh(`${name}.nchw`);
    const free = !this.graph.outputs.includes(name) || !isCoded(valueNamed(this.graph, name).type);
    return free ? name : this.fresh(`${name}.value`);
  }

  define(name: string, order: Order, value: string): void {
    this.orders.set(name, { [order]: value });
  }

  /** Any form of a value whose bytes are those of the graph's order. */
  flat(name: string): string {
    const known = this.orders.get(name);
    const { shape } = valueNamed(this.graph, name).type;
    if (known?.nchw !== undefined && known.graph === undefined && isFree(inOrder(shape, 'nchw'), TO_NHWC))
      return known.nchw;
    return this.value(name, 'graph');
  }

  setQuantization(name: string, q: Quantization): void {
    this.quantizations.set(name, q);
  }

  quantization(name: string): Quantization {
    return this.quantizations.get(name) ?? IDENTITY;
  }

  /** round(value / scale) + zero point. */
  codes(name: string, order: Order): string {
    const q = this.quantization(name);
    const value = this.value(name, order);
    if (q === IDENTITY) return value;
    const steps = this.push('Div', [value, this.perChannel(`${name}.scale`, q.scale, order)], {});
    const zero = this.perChannel(`${name}.zero`, Float32Array.from(q.zero), order);
    return this.push('Add', [this.push('Round', [steps], {}), zero], {});
  }

  perChannel(stem: string, values: Float32Array, order: Order): string {
    const shape = values.length === 1 ? [] : order === 'nchw' ? [values.length, 1, 1] : [values.length];
    return this.initializer(stem, tensor('f32', shape, values));
  }

  fresh(stem: string): string {
    let name = stem;
    for (let i = 1; this.names.has(name); i++) name = `${stem}.${i}`;
    this.names.add(name);
    return name;
  }

  initializer(stem: string, data: Tensor | RawTensor): string {
    const bytes = 'raw' in data ? data.raw : bytesOf(data.data);
    const key = `${'raw' in data ? data.elemType : data.dtype} ${data.shape.join()} ${sha256(bytes)}`;
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const name = this.graph.values.get(stem)?.data && !(stem in this.initializers) ? stem : this.fresh(stem);
    this.shared.set(key, name);
    this.initializers[name] = data;
    return name;
  }

  /** Adds a node and returns its first output. */
  push(
    op: string,
    inputs: readonly string[],
    attrs: Readonly<Record<string, OnnxAttribute>>,
    outputs?: readonly string[],
  ): string {
    const [domain, type] = op.includes('::') ? (op.split('::') as [string, string]) : ['', op];
    const made = outputs ?? [this.fresh(`${inputs.find((v) => v !== '') ?? type}.${type}`)];
    const name = made.find((v) => v !== '')!;
    this.nodes.push({ op: type, domain, name, inputs: trimmed(inputs), outputs: trimmed(made), attrs });
    return name;
  }

  note(op: string, form: string): void {
    const counts = this.forms[op] ?? {};
    this.forms[op] = { ...counts, [form]: (counts[form] ?? 0) + 1 };
  }
}

function notWritable({ op, name }: Node, reason: string): EigenError {
  return new EigenError('EW3103_OP_INVALID', `${op} '${name}' cannot be written as ONNX: ${reason}`, {
    hint: 'Report the model: every graph that can be compiled should have a form in ONNX.',
    details: { op, node: name },
  });
}

/** Absent optional values at the end are left out. */
function trimmed(names: readonly string[]): string[] {
  return names.slice(0, names.findLastIndex((v) => v !== '') + 1);
}

/** One node of the graph, as its operator's exporter sees it. */
class NodeWriter implements OnnxWriter {
  readonly name: string;
  readonly attrs: Node['attrs'];
  private readonly to: GraphExporter;
  private readonly source: Node;
  private readonly order: Order;

  constructor(to: GraphExporter, node: Node, order: Order) {
    this.to = to;
    this.source = node;
    this.order = order;
    this.name = node.name;
    this.attrs = node.attrs;
  }

  private valueName(i: number): string {
    return this.source.inputs[i] || this.reject(`input ${i} is missing`);
  }

  private graphType(i: number): TensorType {
    return valueNamed(this.to.graph, this.valueName(i)).type;
  }

  input(i: number): string {
    if (!this.source.inputs[i]) return '';
    const name = this.valueName(i);
    const { shape } = this.graphType(i);
    // One element broadcasts in any order; what image operators read besides images and kernels has its own meaning.
    const anyway = shape.length < 4 && (sizeOf(shape) === 1 || opOf(this.source.op).toOnnx?.order === 'image');
    return this.to.value(name, anyway ? 'graph' : this.order);
  }

  inputs(): string[] {
    return this.source.inputs.map((_, i) => this.input(i));
  }

  flat(i: number): string {
    return this.to.flat(this.valueName(i));
  }

  codes(i: number): string {
    return this.to.codes(this.valueName(i), this.order);
  }

  type(i: number): TensorType {
    const { dtype, shape } = this.graphType(i);
    return { dtype, shape: shape.length === 4 ? inOrder(shape, this.order) : shape };
  }

  graphShape(i: number): readonly number[] {
    return this.graphType(i).shape;
  }

  constant(i: number): Tensor | undefined {
    return this.source.inputs[i] ? valueNamed(this.to.graph, this.source.inputs[i]).data : undefined;
  }

  need(i: number): Tensor {
    return this.constant(i) ?? this.reject(`input ${i} must be a constant`);
  }

  outputType(i = 0): TensorType {
    return valueNamed(this.to.graph, this.source.outputs[i]!).type;
  }

  output(i = 0): string {
    const name = this.source.outputs[i];
    if (!name) return '';
    const order = this.outputType(i).shape.length === 4 ? this.order : 'graph';
    const value = this.to.nameFor(name, order);
    this.to.define(name, order, value);
    return value;
  }

  define(i: number, value: string): void {
    this.to.define(this.source.outputs[i]!, this.outputType(i).shape.length === 4 ? this.order : 'graph', value);
  }

  axis(a: number): number {
    return this.order === 'nchw' ? TO_NHWC[a]! : a;
  }

  axes<T>(values: readonly T[]): T[] {
    return this.order === 'nchw' ? TO_NCHW.map((p) => values[p]!) : [...values];
  }

  emit(
    op: string,
    inputs: readonly string[],
    attrs: Readonly<Record<string, OnnxAttr>> = {},
    outputs?: readonly string[],
  ): string {
    return this.to.push(op, inputs, attrs, outputs ?? [this.to.fresh(`${this.stem}.${op.split('::').at(-1)}`)]);
  }

  constantValue(data: Tensor): string {
    return this.to.initializer(`${this.stem}.constant`, data);
  }

  perChannel(values: Float32Array): string {
    return this.to.perChannel(`${this.stem}.constant`, values, this.order);
  }

  dequantized(codes: Tensor<'i8'>, scales: Float32Array, axis: number): string {
    return this.to.quantized.dequantized(this.sink, this.name, codes, scales, axis);
  }

  product(x: string, codes: Tensor<'i8'>, scales: Float32Array): string {
    return this.to.quantized.product(this.sink, this.name, x, codes, scales);
  }

  rows(codes: Tensor<'i8'>, scales: Float32Array, indices: string): string {
    return this.to.quantized.rows(this.sink, this.name, codes, scales, indices);
  }

  quantize(i: number, by: Quantization): void {
    this.to.setQuantization(this.source.outputs[i]!, by);
  }

  quantization(i: number): Quantization {
    return this.to.quantization(this.valueName(i));
  }

  note(form: string): void {
    this.to.note(this.source.op, form);
  }

  reject(reason: string): never {
    throw notWritable(this.source, reason);
  }

  private get stem(): string {
    return this.source.outputs.find((v) => v !== '') ?? this.name;
  }

  private get sink(): FormSink {
    return {
      emit: (op, inputs, attrs) =>
        this.to.push(op, inputs, attrs, [this.to.fresh(`${this.stem}.${op.split('::').at(-1)}`)]),
      initializer: (stem, data) => this.to.initializer(stem, data),
      note: (form) => this.note(form),
    };
  }
}
