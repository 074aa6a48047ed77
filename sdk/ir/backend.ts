import type { Tensor, TensorType } from '../util/tensor.ts';
import type { Attrs } from './graph.ts';

/** An attribute of an ONNX node: whole numbers are INT, lists INTS; floats say so. */
export type OnnxAttr = number | string | readonly number[] | { readonly float: number };

/**
 * What an operator's exporter writes with: one node of a graph as ONNX nodes (opset 21). Values of dtype i8 and i16 that the graph
 * computes travel as floats that hold what their codes stand for, (code - zero point) * scale; weight codes are constants.
 */
export interface OnnxWriter {
  /** Name of the node. */
  readonly name: string;
  readonly attrs: Attrs;
  /** Whether axes are written in the graph's order. */
  readonly asInGraph: boolean;
  /** ONNX name of input i, in the order of axes that is being written; '' for an absent optional input. */
  input(i: number): string;
  /** All inputs, likewise. */
  inputs(): string[];
  /** Input i in any order of axes that leaves its bytes as the graph's order does. */
  flat(i: number): string;
  /** Codes of input i, of integer type, as floats. */
  codes(i: number): string;
  /** Type of input i, its axes in the order that is being written. */
  type(i: number): TensorType;
  /** Shape of input i, as the graph has it. */
  graphShape(i: number): readonly number[];
  /** Value of input i where it is a constant, as the graph has it. */
  constant(i: number): Tensor | undefined;
  /** As `constant`; refuses the node when it is not one. */
  need(i: number): Tensor;
  /** Type of output i, as the graph has it. */
  outputType(i?: number): TensorType;
  /** ONNX name that output i must get; '' when nothing reads it. */
  output(i?: number): string;
  /** Says that output i is an ONNX value that exists already, in the order being written. */
  define(i: number, value: string): void;
  /** Where an axis of the graph's order is in the order being written. */
  axis(a: number): number;
  /** A list of one value an axis, in the order being written. */
  axes<T>(values: readonly T[]): T[];
  /** Adds an ONNX node, `domain::Op` outside the default domain, and returns its first output: of the names given, or a new one. */
  emit(
    op: string,
    inputs: readonly string[],
    attrs?: Readonly<Record<string, OnnxAttr>>,
    outputs?: readonly string[],
  ): string;
  /** Adds a constant and returns its name; equal ones are shared. */
  constantValue(data: Tensor): string;
  /** Adds floats, one or one an index of the last axis of the graph's order, as a constant that broadcasts to images and tensors of any rank. */
  perChannel(values: Float32Array): string;
  /** Floats of weight codes, one scale an index of `axis`: stored in the fewest bits that the file may use. */
  dequantized(codes: Tensor<'i8'>, scales: Float32Array, axis: number): string;
  /** x [..., K] times the transpose of codes [N, K] with one scale a row. */
  product(x: string, codes: Tensor<'i8'>, scales: Float32Array): string;
  /** Rows of a table of codes [V, D] with one scale a row, picked by indices. */
  rows(codes: Tensor<'i8'>, scales: Float32Array, indices: string): string;
  /** Notes how output i of integer type maps to floats: scales and zero points, one or one an index of the last axis. */
  quantize(i: number, by: Quantization): void;
  /** The same of input i. */
  quantization(i: number): Quantization;
  /** Notes a form that the node took, for the summary. */
  note(form: string): void;
  /** Refuses the node: throws EW3103_OP_INVALID with its name and operator. */
  reject(reason: string): never;
}

export interface Quantization {
  readonly scale: Float32Array;
  readonly zero: Int32Array;
  /** The integers themselves, where there are some: their ONNX name, whether their axes are in the graph's order, and their zero points. */
  readonly codes?: { readonly name: string; readonly asInGraph: boolean; readonly zero: Tensor };
}

/** How an operator is written as ONNX. */
export interface OnnxExporter {
  /**
   * Order of the axes of images, which the graph has as NHWC and ONNX operators want as NCHW. image: input 0 is read and output 0 written
   * as NCHW. any: in whichever order its inputs are, with `axis` and `axes` to follow. By default as in the graph.
   */
  readonly order?: 'image' | 'any';
  /** Of image operators: whether a node multiplies every position by one matrix. It may then be asked to write a product, its axes in the graph's order. */
  isProduct?(attrs: Attrs, inputs: readonly TensorType[]): boolean;
  write(w: OnnxWriter): void;
}
