import type { Graph, Packing } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import { byteLength, type Tensor } from '../util/tensor.ts';
import { residentBytes } from '../wire/layout.ts';
import type { Program, Slot, Step, WeightLayout, WeightSlot } from '../wire/program.ts';
import { KernelContext, type KernelText, type Operand, type Tuning } from './emit/c/context.ts';
import { emitKernel } from './emit/c/kernel.ts';
import { ModuleWriter, type StepCall } from './emit/c/module.ts';
import { fuse, type Group, leadOf, viewAliases } from './fuse.ts';
import { isKind, type Lowered, lowerGraph } from './lower.ts';
import { align, type Buffer, planMemory } from './memory.ts';
import type { CompiledModule, Target } from './target.ts';

export interface CompileOptions {
  /** Values that must exist in memory under their own name. */
  readonly keep?: readonly string[];
  /** Bytes of activations a kernel should work on at a time; from the board's caches. */
  readonly blockBytes?: number;
  /** Variants of the target to build; all of them by default. */
  readonly variants?: readonly string[];
}

/** One constant of the program: where it lives, its logical data, and how it travels. */
export interface WeightItem {
  readonly slot: WeightSlot;
  readonly tensor: Tensor;
  readonly packing: Packing | undefined;
  /** Name of the graph value it is the data of. */
  readonly value: string;
}

export interface CompiledProgram {
  readonly program: Program;
  readonly weights: readonly WeightItem[];
  readonly source: string;
  readonly modules: readonly CompiledModule[];
  /** Smallest possible arena for this order of steps, bytes. */
  readonly arenaLowerBound: number;
  /** Every value that is in memory at some time, views included. */
  readonly slots: readonly Slot[];
  /** Step that writes a value; -1 for inputs. */
  readonly produced: ReadonlyMap<string, number>;
  /** First step that reads a value or a constant. */
  readonly firstUse: ReadonlyMap<string, number>;
}

/** A slot in the arena pads its last vector: kernels may read, never write, up to this many bytes past a tensor. */
const OVERREAD = 64;
const DEFAULT_BLOCK = 96 * 1024;

/** Lowers a normalized graph to a program and builds its kernels for a target. */
export async function compileGraph(
  graph: Graph,
  target: Target,
  options: CompileOptions = {},
): Promise<CompiledProgram> {
  const planned = planProgram(graph, target.simdHeader, options);
  const wanted = target.variants.filter((v) => !options.variants || options.variants.includes(v.id));
  const names = planned.program.steps.map((_, i) => `ew_step_${i}`);
  const modules: CompiledModule[] = [];
  for (const v of wanted) modules.push(await target.build(planned.source, v, names));
  return { ...planned, modules };
}

interface Written {
  readonly group: Group;
  readonly ctx: KernelContext;
  readonly text: KernelText;
}

/** Everything but the toolchain: pure, so that it can be tested and compared as text. */
export function planProgram(
  graph: Graph,
  simdHeader: string,
  options: CompileOptions = {},
): Omit<CompiledProgram, 'modules'> {
  const keep = new Set(options.keep ?? []);
  const lowered = lowerGraph(graph);
  const alias = viewAliases(lowered);
  const groups = fuse(graph, lowered, new Set([...keep].map(alias)));
  const tuning: Tuning = { blockBytes: options.blockBytes ?? DEFAULT_BLOCK };
  const written = groups.map((group): Written => {
    const ctx = new KernelContext(graph, group, tuning, alias);
    return { group, ctx, text: emitKernel(ctx) };
  });
  const lives = lifetimes(graph, written, alias);
  const plan = planMemory(lives.buffers, written.length);
  const at = (v: string): number => plan.offsets.get(lives.bufferOf(alias(v)))!;
  const weights = layOutWeights(graph, written);
  const module = new ModuleWriter();
  const calls = written.map(
    (w): StepCall => ({
      kernel: module.add(w.ctx, w.text),
      addresses: w.ctx.operands.map((o) => address(o, at, weights)),
    }),
  );
  const slot = (v: string): Slot => ({
    name: v,
    dtype: valueNamed(graph, v).type.dtype,
    shape: valueNamed(graph, v).type.shape,
    offset: at(v),
  });
  const program: Program = {
    name: graph.name,
    inputs: graph.inputs.map(slot),
    outputs: graph.outputs.map(slot),
    steps: written.map((w, i) => stepOf(w, lives.liveAt(i).map(slot))),
    arenaBytes: plan.arenaBytes + OVERREAD,
    scratchBytes: align(Math.max(0, ...written.map((w) => w.ctx.scratchBytes))),
    weights: weights.items.map((w) => w.slot),
    weightBytes: weights.bytes,
  };
  return {
    program,
    weights: weights.items,
    source: module.source(simdHeader, calls),
    arenaLowerBound: plan.lowerBound,
    ...index(graph, written, lives, alias, slot),
  };
}

/** Where and when every value of the graph can be found in memory. */
function index(
  graph: Graph,
  written: readonly Written[],
  lives: Lifetimes,
  alias: (v: string) => string,
  slot: (v: string) => Slot,
) {
  const produced = new Map<string, number>();
  const firstUse = new Map<string, number>();
  const slots: Slot[] = [];
  for (const v of graph.values.values()) {
    const at = v.data === undefined ? lives.madeAt(alias(v.name)) : undefined;
    if (at === undefined) continue;
    produced.set(v.name, at);
    slots.push(slot(v.name));
  }
  written.forEach(({ ctx }, i) => {
    for (const o of ctx.operands)
      if (!(o.kind === 'value' && o.write) && !firstUse.has(o.value)) firstUse.set(o.value, i);
  });
  return { slots, produced, firstUse };
}

function stepOf(w: Written, live: readonly Slot[]): Step {
  const lead = leadOf(w.group);
  const bytes = new Map<string, number>();
  for (const o of w.ctx.operands)
    bytes.set(
      `${o.kind}${o.value}`,
      o.kind === 'weight'
        ? residentBytes(o.layout, w.ctx.type(o.value).dtype, w.ctx.type(o.value).shape)
        : byteLength(w.ctx.type(o.value)),
    );
  return {
    node: lead.node.name,
    kind: lead.spec.kind,
    macs: w.text.macs,
    bytes: [...bytes.values()].reduce((a, b) => a + b, 0),
    live,
  };
}

function address(o: Operand, at: (v: string) => number, weights: WeightPlan): string {
  const offset = o.kind === 'weight' ? weights.offsets.get(weightKey(o.value, o.layout))! : at(o.value);
  return `(void *)(${o.kind === 'weight' ? 'W' : 'A'} + ${offset})`;
}

interface WeightPlan {
  readonly items: WeightItem[];
  readonly offsets: Map<string, number>;
  readonly bytes: number;
}

const weightKey = (value: string, layout: WeightLayout): string => `${value}|${JSON.stringify(layout)}`;

function layOutWeights(graph: Graph, written: readonly Written[]): WeightPlan {
  const items: WeightItem[] = [];
  const offsets = new Map<string, number>();
  let bytes = 0;
  for (const { ctx } of written) {
    for (const o of ctx.operands) {
      if (o.kind !== 'weight') continue;
      const key = weightKey(o.value, o.layout);
      if (offsets.has(key)) continue;
      const value = valueNamed(graph, o.value);
      if (!value.data) throw new Error(`value '${o.value}' is used as a constant but has no data`);
      const size = residentBytes(o.layout, value.type.dtype, value.type.shape);
      const name = items.some((i) => i.value === o.value) ? `${o.value}#${o.layout.kind}` : o.value;
      offsets.set(key, bytes);
      items.push({
        slot: { name, ...value.type, offset: bytes, bytes: size, layout: o.layout },
        tensor: value.data,
        packing: value.packing,
        value: o.value,
      });
      bytes = align(bytes + size);
    }
  }
  return { items, offsets, bytes: bytes + OVERREAD };
}

interface Lifetimes {
  readonly buffers: Buffer[];
  bufferOf(value: string): string;
  /** Step that writes the value; -1 for inputs, undefined when it is never in memory. */
  madeAt(value: string): number | undefined;
  /** Values that are in memory just before step i and needed in or after it. */
  liveAt(step: number): string[];
}

/** Lifetimes of every value in memory; a result takes over the buffer of an operand read at the same index for the last time. */
function lifetimes(graph: Graph, written: readonly Written[], alias: (v: string) => string): Lifetimes {
  const made = new Map<string, number>();
  const last = new Map<string, number>();
  const end = written.length;
  for (const v of graph.inputs) {
    made.set(v, -1);
    last.set(v, -1);
  }
  written.forEach(({ ctx }, i) => {
    for (const o of ctx.operands) {
      if (o.kind !== 'value') continue;
      if (o.write) made.set(o.value, i);
      last.set(o.value, Math.max(i, last.get(o.value) ?? i));
    }
  });
  for (const v of graph.outputs) last.set(alias(v), end);
  const home = new Map<string, string>();
  const find = (v: string): string => {
    let r = v;
    for (let p = home.get(r); p !== undefined; p = home.get(r)) r = p;
    return r;
  };
  written.forEach((w, i) => {
    const over = inPlace(w, graph, alias).find(
      (p) => last.get(p.read) === i && (made.get(p.read) ?? 0) >= 0 && !graph.inputs.includes(p.read),
    );
    if (over) home.set(over.write, find(over.read));
  });
  const ranges = new Map<string, { from: number; to: number; bytes: number }>();
  for (const [v, from] of made) {
    const root = find(v);
    const to = last.get(v) ?? from;
    const r = ranges.get(root);
    const bytes = byteLength(valueNamed(graph, v).type) + OVERREAD;
    if (!r) ranges.set(root, { from: Math.max(0, from), to: Math.max(0, to), bytes });
    else {
      r.from = Math.min(r.from, Math.max(0, from));
      r.to = Math.max(r.to, to);
      r.bytes = Math.max(r.bytes, bytes);
    }
  }
  const buffers = [...ranges].map(([id, r]): Buffer => ({ id, ...r }));
  const liveAt = (step: number): string[] =>
    [...made].filter(([v, from]) => from < step && (last.get(v) ?? from) >= step).map(([v]) => v);
  return { buffers, bufferOf: find, liveAt, madeAt: (v) => made.get(v) };
}

/** Pairs (operand, result) of one step that are read and written at the same element index by the same lane. */
function inPlace(w: Written, graph: Graph, alias: (v: string) => string): { read: string; write: string }[] {
  const { group, ctx } = w;
  const internal = new Set([...(group.root?.node.outputs ?? []), ...group.tail.map((t) => t.node.outputs[0]!)]);
  const rootReads = new Set((group.root?.node.inputs ?? []).map(alias));
  const out: { read: string; write: string }[] = [];
  for (const s of group.stores) {
    const t = ctx.type(s);
    if (t.dtype !== 'f32' && t.dtype !== 'bool') continue;
    const rows = group.root && readsRowsFirst(group.root, ctx) ? group.root.node.inputs[0]! : undefined;
    if (rows && !valueNamed(graph, rows).data && byteLength(ctx.type(rows)) === byteLength(t))
      out.push({ read: alias(rows), write: s });
    for (const n of group.tail) {
      if (!isKind(n, 'map')) continue;
      for (const v of n.node.inputs) {
        if (v === '' || internal.has(v) || valueNamed(graph, v).data) continue;
        const tv = ctx.type(v);
        if (tv.dtype !== t.dtype || byteLength(tv) !== byteLength(t) || rootReads.has(alias(v))) continue;
        out.push({ read: alias(v), write: s });
      }
    }
  }
  return out;
}

/** Kernels that have read all they need of a row, beyond the block in hand, before they write it. */
function readsRowsFirst(l: Lowered, ctx: KernelContext): boolean {
  if (isKind(l, 'layernorm')) return true;
  return isKind(l, 'softmax') && l.spec.axis === ctx.type(l.node.inputs[0]!).shape.length - 1;
}
