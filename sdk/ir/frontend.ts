import type { Tensor, TensorType } from '../util/tensor.ts';
import type { Attrs } from './graph.ts';

/** What an operator's importer sees of one ONNX node. Attribute readers throw EW3103_OP_INVALID when the kind is wrong. */
export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  /** Version of the default operator set that the model imports (7 to 22). */
  readonly opset: number;
  /** IR value names; '' for an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  int(name: string, fallback?: number): number;
  float(name: string, fallback?: number): number;
  string(name: string, fallback?: string): string;
  ints(name: string, fallback?: readonly number[]): readonly number[] | undefined;
  floats(name: string): readonly number[] | undefined;
  strings(name: string): readonly string[] | undefined;
  tensor(name: string): Tensor | undefined;
  has(name: string): boolean;
  /** Type of input i (static shape); undefined when absent. */
  type(i: number): TensorType | undefined;
  /** Value of input i when it is known at import; undefined otherwise. */
  constant(i: number): Tensor | undefined;
  /** As `constant`, but throws a clear error naming the input when it is not known. */
  need(i: number, what: string): Tensor;
  /** Emits an IR node and returns its output names. Nodes whose inputs are all constant are folded at once. */
  emit(op: string, inputs: readonly string[], attrs: Attrs, outputs?: readonly string[]): string[];
  /** Adds a constant and returns its name. */
  constantValue(data: Tensor): string;
  /** Refuses the node: throws EW3103_OP_INVALID with the node's name, operator and opset in the message. */
  reject(reason: string): never;
}

/** Turns one ONNX node into IR nodes that produce `node.outputs`. */
export type OnnxImporter = (node: OnnxNode) => void;
