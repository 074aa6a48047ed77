import type { Runner, Session, SessionOptions, Snapshot } from '../compress/runner.ts';
import { type Graph, valueNamed } from '../ir/graph.ts';
import { opOf } from '../ir/ops/index.ts';
import { kernelsOf } from '../runner.ts';
import { byteLength, type Tensor } from '../util/tensor.ts';

/** A Runner on the reference semantics of the operators: one step a node. Slow, for small graphs. */
export const referenceRunner: Runner = {
  open: async (graph, options) => new ReferenceSession(graph, options),
  kernelsOf,
};

interface State extends Snapshot {
  readonly live: ReadonlyMap<string, Tensor>;
}

class ReferenceSession implements Session {
  readonly steps: number;
  private readonly graph: Graph;
  private readonly mutable: ReadonlySet<string>;
  private readonly constants = new Map<string, Tensor>();
  private readonly lastUse = new Map<string, number>();
  private current: State = { step: 0, bytes: 0, live: new Map() };

  constructor(graph: Graph, options: SessionOptions = {}) {
    this.graph = graph;
    this.steps = graph.nodes.length;
    this.mutable = new Set(options.mutable ?? []);
    for (const v of graph.values.values()) if (v.data) this.constants.set(v.name, v.data);
    graph.nodes.forEach((n, i) => {
      for (const v of n.inputs) this.lastUse.set(v, i);
    });
    for (const v of graph.outputs) this.lastUse.set(v, this.steps);
    options.onProgress?.(1, 1);
  }

  readyAt(value: string): number {
    if (this.graph.inputs.includes(value)) return 0;
    const at = this.graph.nodes.findIndex((n) => n.outputs.includes(value));
    if (at < 0) throw new Error(`session: no value '${value}'`);
    return at + 1;
  }

  firstUse(value: string): number {
    const at = this.graph.nodes.findIndex((n) => n.inputs.includes(value));
    return at < 0 ? this.steps : at;
  }

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    await this.advance(this.start(inputs), this.steps);
    return Object.fromEntries(this.graph.outputs.map((o) => [o, this.read(o)]));
  }

  start(inputs: Readonly<Record<string, Tensor>>): Snapshot {
    return this.save(0, new Map(this.graph.inputs.map((i) => [i, inputs[i]!])));
  }

  async advance(from: Snapshot, to: number): Promise<Snapshot> {
    const live = new Map((from as State).live);
    for (let i = from.step; i < to; i++) {
      const node = this.graph.nodes[i]!;
      const inputs = node.inputs.map((v) => (v === '' ? undefined : (live.get(v) ?? this.constants.get(v))));
      const outputs = opOf(node.op).evaluate(inputs, node.attrs);
      node.outputs.forEach((o, k) => {
        if (o !== '') live.set(o, { ...outputs[k]!, shape: valueNamed(this.graph, o).type.shape });
      });
      for (const v of node.inputs) if ((this.lastUse.get(v) ?? -1) <= i) live.delete(v);
    }
    return this.save(to, live);
  }

  async play(from: Snapshot, to = this.steps): Promise<void> {
    await this.advance(from, to);
  }

  release(): void {}

  bytesAt(step: number): number {
    let bytes = 0;
    for (const [name, last] of this.lastUse)
      if (last >= step && !this.constants.has(name) && name !== '' && this.readyAt(name) <= step)
        bytes += byteLength(valueNamed(this.graph, name).type);
    return bytes;
  }

  read(value: string): Tensor {
    const t =
      this.current.live.get(value) ?? (this.graph.outputs.includes(value) ? this.constants.get(value) : undefined);
    if (!t) throw new Error(`session: '${value}' is not live at step ${this.current.step}`);
    return t;
  }

  setConstant(value: string, data: Tensor): void {
    if (!this.mutable.has(value)) throw new Error(`session: '${value}' is not listed as mutable`);
    this.constants.set(value, data);
  }

  close(): void {
    this.constants.clear();
  }

  private save(step: number, live: ReadonlyMap<string, Tensor>): State {
    let bytes = 0;
    for (const t of live.values()) bytes += byteLength(t);
    this.current = { step, live, bytes };
    return this.current;
  }
}
