import type { Tensor, TensorType } from '../util/tensor.ts';
import type { OnnxExporter } from './backend.ts';
import type { OnnxImporter } from './frontend.ts';
import type { Attrs } from './graph.ts';
import type { KernelSpec } from './kernel.ts';

/** Inputs as a node lists them; undefined for an absent optional input. */
export type Types = readonly (TensorType | undefined)[];
export type Tensors = readonly (Tensor | undefined)[];

/** One small test of an operator: every engine must agree with `evaluate` on it (test/conformance). */
export interface OpCase {
  readonly name: string;
  readonly inputs: Tensors;
  readonly attrs: Attrs;
  /** Indices of inputs that are constants of the graph (weights, indices). Others are graph inputs. */
  readonly constants?: readonly number[];
}

/** Everything there is to know about an operator, in one place. Adding one is one file and one line in ops/index.ts. */
export interface OpDef {
  readonly name: string;
  /** One sentence: what it computes, with shapes. */
  readonly doc: string;
  /** exact: engines must agree bit for bit; rounding: to within 1e-5 of the output's largest magnitude. */
  readonly tolerance: 'exact' | 'rounding';
  /** Output types from input types. Throws EigenError EW3103_OP_INVALID with the offending shape. */
  infer(inputs: Types, attrs: Attrs): TensorType[];
  /** The reference semantics, plain and slow. */
  evaluate(inputs: Tensors, attrs: Attrs): Tensor[];
  /** Absent for operators that exist only to be folded into constants. */
  lower?(inputs: Types, attrs: Attrs, outputs: readonly TensorType[]): KernelSpec;
  /** ONNX operators that import as this one, by op_type (`domain::op_type` outside the default domain). */
  readonly onnx?: Readonly<Record<string, OnnxImporter>>;
  /** How the operator is written as ONNX. Absent for operators that no compiled graph holds. */
  readonly toOnnx?: OnnxExporter;
  readonly cases?: readonly OpCase[];
}
