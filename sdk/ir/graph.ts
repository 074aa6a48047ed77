import type { Tensor, TensorType } from '../util/tensor.ts';

/** Attribute values are plain data, so that a graph prints, hashes and serialises. */
export type Attr = number | string | boolean | readonly number[] | readonly string[];
export type Attrs = Readonly<Record<string, Attr>>;

/**
 * How a constant travels and is held, beyond its plain data. The data of the value is always the decoded tensor; the
 * packing says how few bytes represent it exactly.
 *  - codes: i8 weight codes, [rows, ...]; entropy-coded on the wire, dense and listed in memory; |code| < 2^(bits-1), bits 2..8.
 *    `gain` is the divergence that a squared code error costs, per code: codes that have it may travel in planes, by what they are worth.
 *  - f16: f32 data whose every element is exactly representable in IEEE half precision.
 *  - log8: f32 data with data[i] = scaleFromLog8(base, exponents[i]) (sdk/util/log8.ts), steps of 2^(1/8).
 *  - ints: small integers (any integer dtype); entropy-coded on the wire.
 */
export type Packing =
  | { readonly kind: 'codes'; readonly bits: number; readonly gain?: number }
  | { readonly kind: 'f16' }
  | { readonly kind: 'log8'; readonly base: number; readonly exponents: readonly number[] }
  | { readonly kind: 'ints' };

export interface Value {
  readonly name: string;
  readonly type: TensorType;
  /** Present for constants. */
  readonly data?: Tensor;
  readonly packing?: Packing;
}

export interface Node {
  /** Unique in the graph; the front end's name where it has one. */
  readonly name: string;
  /** Key in the operator registry (`sdk/ir/ops/index.ts`). */
  readonly op: string;
  /** Value names; '' marks an absent optional input. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: Attrs;
}

/**
 * A DAG of operators over named values with static shapes. Nodes are in topological order. Passes build new graphs;
 * `values` holds inputs, constants and every node output.
 */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly values: ReadonlyMap<string, Value>;
  readonly nodes: readonly Node[];
}

export function valueNamed(g: Graph, name: string): Value {
  const v = g.values.get(name);
  if (!v) throw new Error(`graph ${g.name}: no value '${name}'`);
  return v;
}

export function constantOf(g: Graph, name: string): Tensor | undefined {
  return name === '' ? undefined : g.values.get(name)?.data;
}

/** Consumers of every value, in node order. */
export function consumersOf(g: Graph): Map<string, Node[]> {
  const out = new Map<string, Node[]>();
  for (const n of g.nodes) {
    for (const i of new Set(n.inputs)) {
      if (i === '') continue;
      const list = out.get(i);
      if (list) list.push(n);
      else out.set(i, [n]);
    }
  }
  return out;
}

export function producersOf(g: Graph): Map<string, Node> {
  const out = new Map<string, Node>();
  for (const n of g.nodes) for (const o of n.outputs) out.set(o, n);
  return out;
}

/** Mutable counterpart of Graph, for front ends and passes. Names are made unique on request. */
export class GraphBuilder {
  readonly name: string;
  inputs: string[] = [];
  outputs: string[] = [];
  readonly values = new Map<string, Value>();
  nodes: Node[] = [];
  private counter = 0;

  constructor(name: string, from?: Graph) {
    this.name = name;
    if (from) {
      this.inputs = [...from.inputs];
      this.outputs = [...from.outputs];
      for (const [k, v] of from.values) this.values.set(k, v);
      this.nodes = [...from.nodes];
    }
  }

  /** A value name not in use, starting with `stem`. */
  fresh(stem: string): string {
    if (!this.values.has(stem)) return stem;
    let name: string;
    do name = `${stem}.${++this.counter}`;
    while (this.values.has(name));
    return name;
  }

  input(name: string, type: TensorType): string {
    this.values.set(name, { name, type });
    this.inputs.push(name);
    return name;
  }

  constant(stem: string, data: Tensor, packing?: Packing): string {
    const name = this.fresh(stem);
    this.values.set(name, {
      name,
      type: { dtype: data.dtype, shape: data.shape },
      data,
      ...(packing ? { packing } : {}),
    });
    return name;
  }

  setValue(v: Value): void {
    this.values.set(v.name, v);
  }

  /** Adds a node whose outputs already have types. */
  node(n: Node, outputTypes: readonly TensorType[]): void {
    n.outputs.forEach((o, i) => {
      if (o !== '') this.values.set(o, { name: o, type: outputTypes[i]! });
    });
    this.nodes.push(n);
  }

  /** Drops nodes that no output needs. */
  prune(): void {
    const needed = new Set(this.outputs);
    const live = this.nodes.toReversed().filter((node) => {
      if (!node.outputs.some((o) => o !== '' && needed.has(o))) return false;
      for (const v of node.inputs) needed.add(v);
      return true;
    });
    this.nodes = live.reverse();
  }

  /** Freezes into a Graph and drops values nothing refers to. */
  build(): Graph {
    const used = new Set<string>([...this.inputs, ...this.outputs]);
    for (const n of this.nodes) for (const v of [...n.inputs, ...n.outputs]) if (v !== '') used.add(v);
    const values = new Map([...this.values].filter(([k]) => used.has(k)));
    return { name: this.name, inputs: [...this.inputs], outputs: [...this.outputs], values, nodes: [...this.nodes] };
  }
}
