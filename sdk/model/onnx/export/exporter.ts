import type { OnnxExporter, Quantization } from '../../../ir/backend.ts';
import { type Graph, type Node, valueNamed } from '../../../ir/graph.ts';
import { opOf } from '../../../ir/ops/index.ts';
import { transposed } from '../../../ir/ops/lib/arrays.ts';
import { TO_NCHW, TO_NHWC } from '../../../ir/ops/lib/window.ts';
import { isFree } from '../../../ir/passes/lib/perm.ts';
import { interfaceScales } from '../../../ir/scales.ts';
import { EigenError } from '../../../util/errors.ts';
import { sha256 } from '../../../util/hash.ts';
import { bytesOf, sameShape, sizeOf, type Tensor, type TensorType, tensor } from '../../../util/tensor.ts';
import type { OnnxAttribute, OnnxNodeSpec, RawTensor } from '../write.ts';
import { NodeWriter, notWritable } from './node-writer.ts';
import { inOrder, type Order } from './order.ts';
import type { QuantizedForms } from './quantized.ts';

const IDENTITY: Quantization = { scale: Float32Array.of(1), zero: Int32Array.of(0) };

/** How often layers of an operator took a form, e.g. QConv -> 'DequantizeLinear int4' -> 7. */
export type FormCounts = Record<string, Record<string, number>>;

function isCoded(t: TensorType): boolean {
  return t.dtype === 'i8' || t.dtype === 'i16';
}

/** Writes the nodes of a graph, in order, as ONNX nodes. */
export class GraphExporter {
  readonly nodes: OnnxNodeSpec[] = [];
  readonly initializers: Record<string, Tensor | RawTensor> = {};
  readonly forms: FormCounts = {};
  readonly graph: Graph;
  readonly quantized: QuantizedForms;
  private readonly names: Set<string>;
  private readonly scales: ReadonlyMap<string, number>;
  private readonly orders = new Map<string, Partial<Record<Order, string>>>();
  private readonly quantizations = new Map<string, Quantization>();
  /** Constants by content: equal ones are written once. */
  private readonly shared = new Map<string, string>();

  constructor(graph: Graph, quantized: QuantizedForms) {
    this.graph = graph;
    this.quantized = quantized;
    this.names = new Set(graph.values.keys());
    this.scales = interfaceScales(graph);
  }

  run(): void {
    for (const name of this.graph.inputs) this.input(name);
    for (const node of this.graph.nodes) this.node(node);
    for (const name of this.graph.outputs) this.output(name);
  }

  /** Codes that come from outside are their own values where they have no scale. */
  private input(name: string): void {
    const coded = isCoded(valueNamed(this.graph, name).type);
    const scale = this.scales.get(name);
    let value = coded ? this.push('Cast', [name], { to: 1 }, [this.fresh(`${name}.f32`)]) : name;
    if (scale !== undefined) {
      const by = tensor('f32', [], Float32Array.of(scale));
      value = this.push('Mul', [value, this.initializer(`${name}.scale`, by)], {}, [this.fresh(`${name}.value`)]);
      this.quantizations.set(name, { scale: Float32Array.of(scale), zero: IDENTITY.zero });
    }
    this.orders.set(name, { graph: value });
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
    const { scale, zero } = first;
    this.quantizations.set(output, { scale, zero });
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

  /** nchw for image operators that are not written as packed products, and for others when more of what they read is there as NCHW only than as in the graph only. */
  private orderFor(node: Node, { order, isProduct }: OnnxExporter): Order {
    if (order === 'image') {
      const types = node.inputs.map((v) => valueNamed(this.graph, v).type);
      return this.quantized.packsProducts && isProduct?.(node.attrs, types) ? 'graph' : 'nchw';
    }
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

/** Absent optional values at the end are left out. */
function trimmed(names: readonly string[]): string[] {
  return names.slice(0, names.findLastIndex((v) => v !== '') + 1);
}
