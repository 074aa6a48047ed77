import { byteLength, type Tensor, type TensorType } from '../../../util/tensor.ts';
import { type Attrs, type Graph, GraphBuilder, type Node } from '../../graph.ts';
import { opOf } from '../../ops/index.ts';

/** Results larger than this are not folded when their inputs are smaller: an expanded constant costs more than its kernel. */
const MAX_GROWTH_BYTES = 2 ** 20;

/**
 * Builds a new graph from an old one, node by node in order. A visitor keeps a node, emits others, or replaces its outputs by
 * values that exist already; every later use follows.
 */
export class Rewrite {
  readonly source: Graph;
  readonly builder: GraphBuilder;
  private readonly alias = new Map<string, string>();
  private readonly nodeNames: Set<string>;

  constructor(source: Graph) {
    this.source = source;
    this.builder = new GraphBuilder(source.name, source);
    this.builder.nodes = [];
    this.nodeNames = new Set(source.nodes.map((n) => n.name));
  }

  /** The new graph's name for a value of the old one. */
  resolve(name: string): string {
    let v = name;
    for (let next = this.alias.get(v); next !== undefined; next = this.alias.get(v)) v = next;
    return v;
  }

  type(name: string): TensorType {
    const v = this.builder.values.get(this.resolve(name));
    if (!v) throw new Error(`no value '${name}'`);
    return v.type;
  }

  data(name: string): Tensor | undefined {
    return name === '' ? undefined : this.builder.values.get(this.resolve(name))?.data;
  }

  constant(stem: string, data: Tensor): string {
    return this.builder.constant(stem, data);
  }

  /** Copies a node of the old graph; its outputs keep their names. */
  keep(node: Node): void {
    this.emit(node.op, node.inputs, node.attrs, { name: node.name, outputs: node.outputs });
  }

  /** Adds a node, or its results when all inputs are constants. Returns the output names. */
  emit(
    op: string,
    inputs: readonly string[],
    attrs: Attrs,
    as: { readonly name?: string; readonly outputs?: readonly string[]; readonly stem?: string } = {},
  ): string[] {
    const from = inputs.map((v) => (v === '' ? '' : this.resolve(v)));
    const values = from.map((v) => (v === '' ? undefined : this.builder.values.get(v)));
    const def = opOf(op);
    const types = def.infer(
      values.map((v) => v?.type),
      attrs,
    );
    const outputs = types.map((_, i) =>
      as.outputs ? (as.outputs[i] ?? '') : this.builder.fresh(as.stem ?? `${from[0] ?? op}.${op}`),
    );
    if (
      from.length > 0 &&
      from.every((v, i) => v === '' || values[i]?.data !== undefined) &&
      worthFolding(
        values.map((v) => v?.type),
        types,
      )
    ) {
      const results = def.evaluate(
        values.map((v) => v?.data),
        attrs,
      );
      outputs.forEach((name, i) => {
        if (name !== '') this.builder.setValue({ name, type: types[i]!, data: results[i]! });
      });
      return outputs;
    }
    this.builder.node(
      { name: as.name ?? this.nodeName(outputs.find((o) => o !== '') ?? op), op, inputs: from, outputs, attrs },
      types,
    );
    return outputs;
  }

  /** Uses of `old` read `value` from here on. */
  replace(old: string, value: string): void {
    const v = this.resolve(value);
    if (v !== old) this.alias.set(old, v);
  }

  /** The new graph, without nodes that no output needs. */
  finish(): Graph {
    for (const name of this.source.outputs) {
      const value = this.resolve(name);
      if (value !== name) this.nameOutput(name, value);
    }
    const needed = new Set(this.builder.outputs);
    const live: Node[] = [];
    for (const node of this.builder.nodes.toReversed()) {
      if (!node.outputs.some((o) => needed.has(o))) continue;
      for (const v of node.inputs) needed.add(v);
      live.push(node);
    }
    this.builder.nodes = live.reverse();
    return this.builder.build();
  }

  /** Makes a graph output carry its own name: by renaming its value where that is possible, by an Identity otherwise. */
  private nameOutput(name: string, value: string): void {
    const at = this.builder.nodes.findIndex((n) => n.outputs.includes(value));
    const v = this.builder.values.get(value)!;
    if (at < 0 && v.data) {
      this.builder.setValue({ ...v, name });
      return;
    }
    if (at < 0 || this.source.outputs.includes(value)) {
      this.builder.node(
        { name: this.nodeName(`output ${name}`), op: 'Identity', inputs: [value], outputs: [name], attrs: {} },
        [v.type],
      );
      return;
    }
    const renamed = (list: readonly string[]): string[] => list.map((n) => (n === value ? name : n));
    this.builder.nodes = this.builder.nodes.map((n) => ({
      ...n,
      inputs: renamed(n.inputs),
      outputs: renamed(n.outputs),
    }));
    this.builder.setValue({ ...v, name });
    this.alias.delete(name);
    this.alias.set(value, name);
  }

  private nodeName(stem: string): string {
    let name = stem;
    for (let i = 1; this.nodeNames.has(name); i++) name = `${stem}.${i}`;
    this.nodeNames.add(name);
    return name;
  }
}

function worthFolding(inputs: readonly (TensorType | undefined)[], outputs: readonly TensorType[]): boolean {
  const before = inputs.reduce((a, t) => a + (t ? byteLength(t) : 0), 0);
  const after = outputs.reduce((a, t) => a + byteLength(t), 0);
  return after <= Math.max(before, MAX_GROWTH_BYTES);
}

/** Runs a visitor over all nodes; it returns true when it has dealt with the node, else the node is kept. */
export function rewrite(graph: Graph, visit: (node: Node, r: Rewrite) => boolean): Graph {
  const r = new Rewrite(graph);
  for (const node of graph.nodes) if (!visit(node, r)) r.keep(node);
  return r.finish();
}
