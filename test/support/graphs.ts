import { type Attrs, type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import { opOf } from '../../sdk/ir/ops/index.ts';
import type { DType, Tensor } from '../../sdk/util/tensor.ts';

/** A graph written as calls: every one adds a node and returns its first output, constants are given as tensors. */
export class GraphSketch {
  readonly builder: GraphBuilder;

  constructor(name: string) {
    this.builder = new GraphBuilder(name);
  }

  input(name: string, shape: readonly number[], dtype: DType = 'f32'): string {
    return this.builder.input(name, { dtype, shape });
  }

  /** All outputs of a node; '' and tensors are inputs as values are. */
  nodes(op: string, inputs: readonly (string | Tensor)[], attrs: Attrs = {}): string[] {
    const { builder } = this;
    const names = inputs.map((v) => (typeof v === 'string' ? v : builder.constant(`${op}.constant`, v)));
    const types = opOf(op).infer(
      names.map((v) => builder.values.get(v)?.type),
      attrs,
    );
    const outputs = types.map((_, i) => builder.fresh(`${op}.${builder.nodes.length}.${i}`));
    builder.node({ name: `${op}.${builder.nodes.length}`, op, inputs: names, outputs, attrs }, types);
    return outputs;
  }

  node(op: string, inputs: readonly (string | Tensor)[], attrs: Attrs = {}): string {
    return this.nodes(op, inputs, attrs)[0]!;
  }

  build(...outputs: string[]): Graph {
    this.builder.outputs.push(...outputs);
    return this.builder.build();
  }
}

/** Adds nodes with one output, v0, v1 and so on, to a builder; their types are inferred. */
export function nodesOf(builder: GraphBuilder): (op: string, inputs: string[], attrs?: Attrs) => string {
  let n = 0;
  return (op, inputs, attrs = {}) => {
    const out = `v${n++}`;
    const types = opOf(op).infer(
      inputs.map((v) => builder.values.get(v)!.type),
      attrs,
    );
    builder.node({ name: out, op, inputs, outputs: [out], attrs }, types);
    return out;
  };
}
