import type { OnnxAttr, OnnxWriter, Quantization } from '../../../ir/backend.ts';
import { type Node, valueNamed } from '../../../ir/graph.ts';
import { opOf } from '../../../ir/ops/index.ts';
import { TO_NHWC } from '../../../ir/ops/lib/window.ts';
import { EigenError } from '../../../util/errors.ts';
import { sizeOf, type Tensor, type TensorType } from '../../../util/tensor.ts';
import type { GraphExporter } from './exporter.ts';
import { inOrder, type Order } from './order.ts';
import type { FormSink } from './quantized.ts';

/** Refuses a node in a state that ONNX does not have. */
export function notWritable({ op, name }: Node, reason: string): EigenError {
  return new EigenError('EW3103_OP_INVALID', `${op} '${name}' cannot be written as ONNX: ${reason}`, {
    hint: 'Report the model: every graph that can be compiled should have a form in ONNX.',
    details: { op, node: name },
  });
}

/** One node of the graph, as its operator's exporter sees it. */
export class NodeWriter implements OnnxWriter {
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

  get asInGraph(): boolean {
    return this.order === 'graph';
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
    return inOrder(values, this.order);
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
