import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import { byteLength, DTYPE_BYTES } from '../util/tensor.ts';
import type { KernelContext, KernelText } from './emit/c/context.ts';
import type { Group } from './fuse.ts';
import { type Buffer, liveBytes, type MemoryPlan, type Piece, peakOf, planMemory } from './memory.ts';
import { type Overlap, overlapsOf } from './overlap.ts';

/** The arena is followed by room that kernels may read, never write: their last vector may hang over. */
export const OVERREAD = 64;

/** A group whose kernel has been written. */
export interface Written {
  readonly group: Group;
  readonly ctx: KernelContext;
  readonly text: KernelText;
}

export interface Lifetimes {
  readonly plan: MemoryPlan;
  /** First byte of a value in the arena. */
  offsetOf(value: string): number;
  /** Step that writes the value; -1 for inputs, undefined when it is never in memory. */
  madeAt(value: string): number | undefined;
  /** Values that are in memory just before step i and needed in or after it. */
  liveAt(step: number): string[];
  /** Kernels that have to be written for a result that takes over memory of their input. */
  readonly overlapped: ReadonlySet<number>;
  /** Kernels that run in so many bands for the same reason. */
  readonly bands: ReadonlyMap<number, number>;
}

/** Arenas this much above the lower bound are worth another try: more results take over memory, and what is left fits closer. */
const LOOSE = 1.02;
/** So many of the steps that need most memory are looked at for that, each by itself. */
const TRIES = 12;

/**
 * Lifetimes of every value in memory, and which results take over memory of operands that are read for the last time. Overlaps that
 * cost nothing are all taken; those that restrict the kernel only where they make the arena smaller.
 */
export function lifetimes(graph: Graph, written: readonly Written[], alias: (v: string) => string): Lifetimes {
  const used = uses(graph, written, alias);
  const chosen = new Map<number, Overlap>();
  const optional = new Map<number, Overlap>();
  written.forEach((w, i) => {
    const legal = overlapsOf(w, graph, alias).filter((o) => used.made.has(o.read) && used.last.get(o.read) === i);
    const free = legal.find((o) => o.how === 'free');
    if (free) chosen.set(i, free);
    else if (legal[0]) optional.set(i, legal[0]);
  });
  const steps = written.length;
  const layOut = (overlaps: ReadonlyMap<number, Overlap>): Layout => {
    const places = placesOf(graph, used, [...overlaps.values()]);
    return { overlaps, places, plan: planMemory(places.buffers, steps) };
  };
  for (;;) {
    const { peakStep } = peakOf(placesOf(graph, used, [...chosen.values()]).buffers, steps);
    const more = optional.get(peakStep);
    if (!more) break;
    optional.delete(peakStep);
    chosen.set(peakStep, more);
  }
  let best = layOut(chosen);
  const { lowerBound } = best.plan;
  const live = new Map([...optional.keys()].map((i) => [i, liveBytes(best.places.buffers, i)]));
  const busy = [...optional].sort(([i], [j]) => live.get(j)! - live.get(i)! || i - j);
  for (const [i, overlap] of busy.slice(0, TRIES)) {
    if (best.plan.arenaBytes <= LOOSE * lowerBound) break;
    const tried = layOut(new Map([...best.overlaps, [i, overlap]]));
    if (tried.plan.arenaBytes < best.plan.arenaBytes) best = tried;
  }
  return result(used, best);
}

interface Layout {
  readonly overlaps: ReadonlyMap<number, Overlap>;
  readonly places: ReturnType<typeof placesOf>;
  readonly plan: MemoryPlan;
}

function result({ made, last }: Uses, { overlaps, places, plan }: Layout): Lifetimes {
  const liveAt = (step: number): string[] =>
    [...made].filter(([v, from]) => from < step && last.get(v)! >= step).map(([v]) => v);
  const offsetOf = (v: string): number => {
    const { buffer, at } = places.placeOf(v);
    return plan.offsets.get(buffer)! + at;
  };
  const overlapped = new Set([...overlaps].filter(([, o]) => o.how === 'rewritten').map(([i]) => i));
  const bands = new Map([...overlaps].flatMap(([i, { how }]) => (typeof how === 'string' ? [] : [[i, how.bands]])));
  return { plan, offsetOf, liveAt, madeAt: (v) => made.get(v), overlapped, bands };
}

interface Uses {
  /** Step that writes a value, -1 for inputs. */
  readonly made: Map<string, number>;
  /** Last step that needs it; one past the end for outputs. */
  readonly last: Map<string, number>;
}

function uses(graph: Graph, written: readonly Written[], alias: (v: string) => string): Uses {
  const made = new Map<string, number>();
  const last = new Map<string, number>();
  for (const v of graph.inputs) {
    made.set(v, -1);
    last.set(v, 0);
  }
  written.forEach(({ ctx }, i) => {
    for (const o of ctx.operands) {
      if (o.kind !== 'value') continue;
      if (o.write) made.set(o.value, i);
      last.set(o.value, Math.max(i, last.get(o.value) ?? i));
    }
  });
  for (const v of graph.outputs) last.set(alias(v), written.length);
  return { made, last };
}

/** Values that overlap share a buffer; every other value has its own. All lie at multiples of their elements: a result begins a little earlier for that. */
function placesOf(
  graph: Graph,
  { made, last }: Uses,
  overlaps: readonly Overlap[],
): { readonly buffers: readonly Buffer[]; placeOf(value: string): { readonly buffer: string; readonly at: number } } {
  const over = new Map(overlaps.map((o) => [o.write, o]));
  const elementOf = (v: string): number => DTYPE_BYTES[valueNamed(graph, v).type.dtype];
  const down = (at: number, unit: number): number => Math.floor(at / unit) * unit;
  const relative = (v: string): { buffer: string; at: number } => {
    const o = over.get(v);
    if (!o) return { buffer: v, at: 0 };
    const { buffer, at } = relative(o.read);
    return { buffer, at: down(at - o.shift, elementOf(v)) };
  };
  const places = new Map([...made.keys()].map((v) => [v, relative(v)]));
  const unit = new Map<string, number>();
  for (const [v, { buffer }] of places) unit.set(buffer, Math.max(elementOf(v), unit.get(buffer) ?? 1));
  const lowest = new Map<string, number>();
  for (const { buffer, at } of places.values())
    lowest.set(buffer, Math.min(down(at, unit.get(buffer)!), lowest.get(buffer) ?? 0));
  const placeOf = (v: string): { buffer: string; at: number } => {
    const { buffer, at } = places.get(v)!;
    return { buffer, at: at - lowest.get(buffer)! };
  };
  const pieces = new Map<string, Piece[]>();
  for (const [v, from] of made) {
    const { buffer, at } = placeOf(v);
    const piece = { at, bytes: byteLength(valueNamed(graph, v).type), from: Math.max(0, from), to: last.get(v)! };
    pieces.set(buffer, [...(pieces.get(buffer) ?? []), piece]);
  }
  return { buffers: [...pieces].map(([id, list]): Buffer => ({ id, pieces: list })), placeOf };
}
