import { fuse } from './compile/fuse.ts';
import { type CompiledProgram, compileGraph, type WeightItem } from './compile/index.ts';
import { lowerGraph } from './compile/lower.ts';
import type { Target } from './compile/target.ts';
import type { Runner, Session, SessionOptions, Snapshot } from './compress/runner.ts';
import { WasmEngine } from './device/engine/wasm.ts';
import type { Graph } from './ir/graph.ts';
import { Slabs } from './util/slabs.ts';
import { byteLength, type Tensor } from './util/tensor.ts';
import { packWeight } from './wire/layout.ts';
import type { Slot } from './wire/program.ts';

export interface WasmRunnerOptions {
  readonly target: Target;
  readonly threads?: number;
}

/** Which nodes of a graph are compiled into one kernel. */
export function kernelsOf(graph: Graph): Map<string, number> {
  const out = new Map<string, number>();
  fuse(graph, lowerGraph(graph), new Set()).groups.forEach((g, i) => {
    for (const l of [g.head, g.root, ...g.tail, g.turned]) if (l) out.set(l.node.name, i);
  });
  return out;
}

/** The compressor's Runner on the WebAssembly engine: what it measures is what devices compute. */
export function wasmRunner(options: WasmRunnerOptions): Runner {
  const { threads = 1 } = options;
  return {
    threads,
    kernelsOf,
    async open(graph: Graph, session: SessionOptions = {}): Promise<Session> {
      const compiled = await compileGraph(graph, options.target, {
        ...(session.keep ? { keep: session.keep } : {}),
        ...(session.mutable ? { mutable: session.mutable } : {}),
        variants: ['simd128'],
        compact: true,
        // They only measure: what better ones would gain is less than these take to make.
        quick: true,
      });
      session.onProgress?.(1, 1);
      const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled), {
        threads,
        early: true,
      });
      return new WasmSession(compiled, engine, new Set(session.keep ?? []));
    },
  };
}

/** The resident weight block of a compiled program, straight from its tensors. */
export function residentBlock(compiled: Omit<CompiledProgram, 'modules'>): Uint8Array {
  const block = new Uint8Array(compiled.program.weightBytes);
  for (const w of compiled.weights) block.set(packWeight(w.slot.layout, w.tensor), w.slot.offset);
  return block;
}

interface SavedState extends Snapshot {
  readonly ranges: readonly { offset: number; data: Uint8Array }[];
}

class WasmSession implements Session {
  readonly steps: number;
  private readonly compiled: CompiledProgram;
  private readonly engine: WasmEngine;
  private readonly ready = new Map<string, number>();
  private readonly slots = new Map<string, Slot>();
  private readonly uses = new Map<string, number>();
  /** Memory of states. */
  private readonly slabs = new Slabs();

  constructor(compiled: CompiledProgram, engine: WasmEngine, keep: ReadonlySet<string>) {
    this.compiled = compiled;
    this.engine = engine;
    this.steps = compiled.program.steps.length;
    for (const [value, at] of compiled.produced) this.ready.set(value, at + 1);
    for (const [value, at] of compiled.firstUse) this.uses.set(value, at);
    for (const slot of compiled.slots) this.slots.set(slot.name, slot);
    for (const k of keep) if (!this.slots.has(k)) throw new Error(`session: value '${k}' is not in memory`);
  }

  readyAt(value: string): number {
    const at = this.ready.get(value);
    if (at === undefined) throw new Error(`session: value '${value}' is not in memory; list it in keep`);
    return at;
  }

  firstUse(value: string): number {
    return this.uses.get(value) ?? this.steps;
  }

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    return this.engine.run(inputs);
  }

  start(inputs: Readonly<Record<string, Tensor>>): Snapshot {
    this.engine.setInputs(inputs);
    return this.save(0, this.compiled.program.inputs);
  }

  async advance(from: Snapshot, to: number, spent?: 'spent'): Promise<Snapshot> {
    this.restore(from as SavedState);
    // Nothing to run: the state is in place again and is still what was saved.
    if (to === from.step) return from;
    if (spent) this.release(from);
    this.engine.runSteps(from.step, to);
    return this.save(to, this.liveAt(to));
  }

  async play(from: Snapshot, to = this.steps, spent?: 'spent'): Promise<void> {
    this.restore(from as SavedState);
    if (spent) this.release(from);
    this.engine.runSteps(from.step, to);
  }

  release(state: Snapshot): void {
    for (const r of (state as SavedState).ranges) this.slabs.give(r.data);
  }

  bytesAt(step: number): number {
    return this.liveAt(step).reduce((sum, s) => sum + byteLength(s), 0);
  }

  read(value: string): Tensor {
    const slot = this.slots.get(value);
    if (!slot) throw new Error(`session: value '${value}' is not in memory; list it in keep`);
    return this.engine.viewSlot(slot);
  }

  setConstant(value: string, data: Tensor): void {
    const items = this.compiled.weights.filter((w: WeightItem) => w.value === value);
    if (items.length === 0) throw new Error(`session: '${value}' is not a constant of the program`);
    for (const w of items)
      this.engine.writeWeights(w.slot.offset, packWeight(w.slot.layout, { ...data, shape: w.slot.shape }));
  }

  close(): void {
    this.slabs.clear();
    this.engine.close();
  }

  private liveAt(step: number): readonly Slot[] {
    const { steps, inputs, outputs } = this.compiled.program;
    return step === 0 ? inputs : (steps[step]?.live ?? outputs);
  }

  private restore(state: SavedState): void {
    for (const r of state.ranges) this.engine.arena(r.offset, r.data.byteLength).set(r.data);
  }

  private save(step: number, live: readonly Slot[]): SavedState {
    const ranges = live.map((s) => {
      const data = this.slabs.take(byteLength(s));
      data.set(this.engine.arena(s.offset, data.byteLength));
      return { offset: s.offset, data };
    });
    return { step, ranges, bytes: ranges.reduce((a, r) => a + r.data.byteLength, 0) };
  }
}
