import type { Graph } from '../../ir/graph.ts';
import { i64 } from '../../ir/ops/lib/arrays.ts';
import { EigenError } from '../../util/errors.ts';
import { type Tensor, type TensorType, tensor } from '../../util/tensor.ts';
import { Importer, type Scope } from '../onnx/importer.ts';
import { type Bindings, defineInputs } from '../onnx/inputs.ts';
import { nameOutputs } from '../onnx/outputs.ts';
import { nodeProto, type OnnxAttribute, type OnnxValueSpec, valueInfo } from '../onnx/write.ts';

/** The operator set that translations are written in. */
const OPSET = 20;

export type OnnxAttrs = Readonly<Record<string, OnnxAttribute>>;

/** The node or layer that is being translated, as messages name it: `Conv2D 'block1/conv'`. */
export interface Source {
  readonly kind: string;
  readonly name: string;
}

/**
 * Writes a network as ONNX operators, each of which the ONNX importer takes at once: so the types of all values are known while the
 * network is translated, and what follows from constants is computed. Values are named by strings.
 */
export class Emitter {
  private readonly importer: Importer;
  private readonly scope: Scope = new Map();
  /** Names of values, and those that only the inputs and outputs of the graph may have. */
  private readonly taken = new Set<string>();
  private source: Source = { kind: 'Model', name: '' };

  constructor(name: string) {
    this.importer = new Importer(name, OPSET, undefined, () => `${this.source.kind} '${this.source.name}'`);
  }

  /** Declares the inputs; no other value may have the name of an input or output. Throws what the inputs of ONNX models do. */
  begin(inputs: readonly OnnxValueSpec[], outputs: readonly string[], bindings: Bindings): void {
    for (const name of [...inputs.map((i) => i.name), ...outputs]) this.taken.add(name);
    defineInputs(this.importer, inputs.map(valueInfo), this.scope, bindings);
  }

  /** Whose operators are emitted from here on: messages name it, and so do values. */
  at(source: Source): void {
    this.source = source;
  }

  /** Emits an operator; the name of its first output. */
  op(type: string, inputs: readonly string[], attrs: OnnxAttrs = {}): string {
    return this.ops(type, inputs, 1, attrs)[0]!;
  }

  /** Emits an operator with so many outputs. */
  ops(type: string, inputs: readonly string[], count: number, attrs: OnnxAttrs = {}): string[] {
    const outputs = Array.from({ length: count }, () => this.fresh(this.source.name));
    this.importer.importNode(nodeProto({ op: type, name: this.source.name, inputs, outputs, attrs }), this.scope);
    return outputs;
  }

  constant(value: Tensor, stem = `${this.source.name}/constant`): string {
    const name = this.fresh(stem);
    this.importer.defineConstant(name, value, this.scope);
    return name;
  }

  /** A list of whole numbers, as shapes and axes are. */
  list(values: readonly number[]): string {
    return this.constant(i64([...values]));
  }

  scalar(value: number): string {
    return this.constant(tensor('f32', [], [value]));
  }

  type(value: string): TensorType {
    return this.importer.builder.values.get(this.scope.get(value)!)!.type;
  }

  shape(value: string): readonly number[] {
    return this.type(value).shape;
  }

  /** What a value is, where that is known when the model is read. */
  known(value: string): Tensor | undefined {
    return this.importer.builder.values.get(this.scope.get(value)!)?.data;
  }

  /** Refuses what is being translated. */
  reject(reason: string, hint = 'Export the model with another operator or layer here, or report the case.'): never {
    const { kind, name } = this.source;
    throw new EigenError('EW3103_OP_INVALID', `${kind} '${name}': ${reason}`, {
      hint,
      details: { op: kind, node: name },
    });
  }

  /** The graph, with these values as its outputs. */
  finish(outputs: readonly (readonly [name: string, value: string])[]): Graph {
    const { builder } = this.importer;
    nameOutputs(
      this.importer,
      outputs.map(([name, value]) => [name, this.scope.get(value)]),
    );
    builder.prune();
    return builder.build();
  }

  private fresh(stem: string): string {
    let name = stem;
    for (let i = 1; name === '' || this.taken.has(name); i++) name = `${stem}.${i}`;
    this.taken.add(name);
    return name;
  }
}
