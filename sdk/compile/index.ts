import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import { interfaceScales } from '../ir/scales.ts';
import { isEigenError } from '../util/errors.ts';
import { mapFew } from '../util/map-few.ts';
import { byteLength } from '../util/tensor.ts';
import type { KernelModule } from '../wire/kernels.ts';
import { residentBytes } from '../wire/layout.ts';
import type { Program, Slot, Step } from '../wire/program.ts';
import { DEFAULT_BLOCK, SMALLEST_BLOCK } from './blocks.ts';
import { KernelContext, type Operand, type Tuning } from './emit/c/context.ts';
import { DIRECT } from './emit/c/direct.ts';
import type { StepCall } from './emit/c/module.ts';
import { type Emission, vectorEmission } from './emit/emission.ts';
import { FIRMWARE } from './emit/firmware/module.ts';
import { type Ends, endsOf } from './ends.ts';
import { fuse, type Group, leadOf, viewAliases } from './fuse.ts';
import { type Lifetimes, lifetimes, OVERREAD, type Written } from './lifetimes.ts';
import { lowerGraph } from './lower.ts';
import { align } from './memory.ts';
import type { Target, Vectors } from './target.ts';
import { layOutWeights, type WeightItem, type WeightPlan, weightKey } from './weights.ts';

export type { WeightItem } from './weights.ts';

/** Compilers at work at one time: each takes a core and some hundred megabytes. */
const COMPILERS = 2;

export interface CompileOptions {
  /** Values that must exist in memory under their own name. */
  readonly keep?: readonly string[];
  /** Bytes of activations a kernel should work on at a time; from the board's caches. */
  readonly blockBytes?: number;
  /** In place of it for single kernels, by the node that their steps are named after. Results do not depend on it. */
  readonly blocks?: ReadonlyMap<string, number>;
  /** Constants that will be replaced by others of the same type (writing to their slots): their bytes do not depend on their data. */
  readonly mutable?: readonly string[];
  /** Nothing is held in a form that takes more memory for being faster. */
  readonly compact?: boolean;
  /** The user's own compiler for native kernels, with its arguments. */
  readonly toolchain?: string | undefined;
  /** Variants of the target to build; all of them by default. */
  readonly variants?: readonly string[];
  /** Kernels soon rather than the fastest ones; what they compute is the same. */
  readonly quick?: boolean;
}

export interface CompiledProgram {
  readonly program: Program;
  readonly weights: readonly WeightItem[];
  readonly source: string;
  readonly modules: readonly KernelModule[];
  /** Smallest possible arena for this order of steps, bytes. */
  readonly arenaLowerBound: number;
  /** Every value that is in memory at some time, views included. */
  readonly slots: readonly Slot[];
  /** Step that writes a value; -1 for inputs. */
  readonly produced: ReadonlyMap<string, number>;
  /** First step that reads a value or a constant. */
  readonly firstUse: ReadonlyMap<string, number>;
}

/** Lowers a normalized graph to a program and builds its kernels for a target. */
export async function compileGraph(
  graph: Graph,
  target: Target,
  options: CompileOptions = {},
): Promise<CompiledProgram> {
  const planned = planProgram(graph, target.vectors, options);
  const wanted = target.variants.filter((v) => !options.variants || options.variants.includes(v.id));
  const names = planned.program.steps.map((_, i) => `ew_step_${i}`);
  const built = await mapFew(wanted, COMPILERS, (v): Promise<KernelModule | undefined> => {
    const own = v.vectors ? planProgram(graph, v.vectors, options) : planned;
    if (!samePlan(own.program, planned.program)) throw new Error(`variant ${v.id} has a program of its own`);
    const how = { own: options.toolchain, quick: options.quick === true };
    return target.build(own.source, v, names, how).catch((e: unknown) => {
      if (v.optional && isEigenError(e) && e.code === 'EW5002_COMPILER_FAILED') return undefined;
      throw e;
    });
  });
  return { ...planned, modules: built.filter((m) => m !== undefined) };
}

/** Whether kernels of one program can run the other: everything is the same but working memory, which kernels tell themselves. */
export function samePlan(a: Program, b: Program): boolean {
  const text = (p: Program): string => JSON.stringify({ ...p, scratchBytes: 0 });
  return text(a) === text(b);
}

/** A program and its kernels as text. */
export type PlannedProgram = Omit<CompiledProgram, 'modules'>;

/** Everything but the toolchain: pure, so that it can be tested and compared as text. */
export function planProgram(graph: Graph, vectors: Vectors, options: CompileOptions = {}): PlannedProgram {
  return plan(graph, vectorEmission(vectors), options);
}

/** The program as kernels for microcontrollers run it. */
export function planFirmware(graph: Graph): PlannedProgram {
  return plan(graph, FIRMWARE, { blockBytes: SMALLEST_BLOCK });
}

function plan(graph: Graph, emission: Emission, options: CompileOptions): PlannedProgram {
  const keep = new Set(options.keep ?? []);
  const lowered = lowerGraph(graph);
  const alias = viewAliases(lowered);
  const { groups, decoded } = fuse(graph, lowered, new Set([...keep].map(alias)), emission.turns);
  const tuning: Tuning = {
    blockBytes: options.blockBytes ?? DEFAULT_BLOCK,
    mutable: new Set(options.mutable ?? []),
    sums: emission.sums === true,
    wide: emission.wide,
  };
  const write = (group: Group, overlapped: boolean): Written => {
    const blockBytes = options.blocks?.get(leadOf(group).node.name) ?? tuning.blockBytes;
    const ctx = new KernelContext(graph, group, { ...tuning, blockBytes }, alias, { decoded, overlapped });
    return { group, ctx, text: emission.kernel(ctx) };
  };
  const first = groups.map((g) => write(g, false));
  const lives = lifetimes(graph, first, alias);
  const written = first.map((w, i) => (lives.overlapped.has(i) ? write(w.group, true) : w));
  const { arenaBytes, lowerBound } = lives.plan;
  const at = (v: string): number => lives.offsetOf(alias(v));
  const weights = layOutWeights(graph, written, options.compact ? undefined : arenaBytes + OVERREAD);
  const module = emission.writer();
  const ends = endsOf(graph, written, alias, at);
  const bands = written.map((_, i) => lives.bands.get(i) ?? 1);
  const calls = written.flatMap((w, i): StepCall[] => {
    const addresses = w.ctx.operands.map((o) => address(o, at, weights));
    const direct = w.ctx.operands.map((o, k) => atEnd(o, ends) ?? addresses[k]!);
    const call = {
      kernel: module.add(w.ctx, w.text),
      addresses,
      ...(direct.every((a, k) => a === addresses[k]) ? {} : { direct }),
    };
    return Array.from({ length: bands[i]! }, (_, index) => ({ ...call, band: { index, of: bands[i]! } }));
  });
  const slot = (v: string): Slot => ({
    name: v,
    dtype: valueNamed(graph, v).type.dtype,
    shape: valueNamed(graph, v).type.shape,
    offset: at(v),
  });
  const scales = interfaceScales(graph);
  const interfaceSlot = (v: string): Slot => ({ ...slot(v), ...(scales.has(v) ? { scale: scales.get(v) } : {}) });
  const program: Program = {
    name: graph.name,
    inputs: graph.inputs.map(interfaceSlot),
    outputs: graph.outputs.map(interfaceSlot),
    steps: written.flatMap((w, i) => stepsOf(w, lives.liveAt(i).map(slot), bands[i]!, slot)),
    arenaBytes: arenaBytes + OVERREAD,
    scratchBytes: align(Math.max(0, ...written.map((w) => w.ctx.scratchBytes))),
    weights: weights.items.map((w) => w.slot),
    weightBytes: weights.bytes,
  };
  return {
    program,
    weights: weights.items,
    source: module.source(calls, program, ends),
    arenaLowerBound: lowerBound,
    ...index(graph, written, bands, lives, alias, slot),
  };
}

/** Where and when every value of the graph can be found in memory. */
function index(
  graph: Graph,
  written: readonly Written[],
  bands: readonly number[],
  lives: Lifetimes,
  alias: (v: string) => string,
  slot: (v: string) => Slot,
) {
  // A value is there after the last band of its kernel.
  const ends: number[] = [];
  for (const n of bands) ends.push((ends.at(-1) ?? 0) + n);
  const produced = new Map<string, number>();
  const firstUse = new Map<string, number>();
  const slots: Slot[] = [];
  for (const v of graph.values.values()) {
    const at = v.data === undefined ? lives.madeAt(alias(v.name)) : undefined;
    if (at === undefined) continue;
    produced.set(v.name, at < 0 ? at : ends[at]! - 1);
    slots.push(slot(v.name));
  }
  written.forEach(({ ctx }, i) => {
    for (const o of ctx.operands)
      if (!(o.kind === 'value' && o.write) && !firstUse.has(o.value)) firstUse.set(o.value, ends[i]! - bands[i]!);
  });
  return { slots, produced, firstUse };
}

/** One step, or one a band: with equal shares of the work, and both operands and results in use between two of them. */
function stepsOf(w: Written, live: readonly Slot[], bands: number, slot: (v: string) => Slot): Step[] {
  const lead = leadOf(w.group);
  const bytes = new Map<string, number>();
  for (const o of w.ctx.operands)
    bytes.set(
      `${o.kind}${o.value}`,
      o.kind === 'weight'
        ? residentBytes(o.layout, w.ctx.type(o.value).dtype, w.ctx.type(o.value).shape)
        : byteLength(w.ctx.type(o.value)),
    );
  const total = [...bytes.values()].reduce((a, b) => a + b, 0);
  const share = (n: number, b: number): number => Math.floor((n * (b + 1)) / bands) - Math.floor((n * b) / bands);
  const halfway = [...live, ...w.group.stores.map(slot)];
  return Array.from({ length: bands }, (_, b) => ({
    node: lead.node.name,
    kind: lead.spec.kind,
    macs: share(w.text.macs, b),
    bytes: share(total, b),
    live: b === 0 ? live : halfway,
  }));
}

function address(o: Operand, at: (v: string) => number, weights: WeightPlan): string {
  const offset = o.kind === 'weight' ? weights.offsets.get(weightKey(o.value, o.layout))! : at(o.value);
  return `(void *)(${o.kind === 'weight' ? 'W' : 'A'} + ${offset})`;
}

/** The address of an input or output that is not in the arena. */
function atEnd(o: Operand, { input, output }: Ends): string | undefined {
  if (o.kind !== 'value') return undefined;
  return o.value === input?.value ? DIRECT.input : o.value === output?.value ? DIRECT.output : undefined;
}
