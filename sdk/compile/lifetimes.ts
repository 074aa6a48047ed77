import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import { byteLength } from '../util/tensor.ts';
import type { KernelContext, KernelText } from './emit/c/context.ts';
import type { Group } from './fuse.ts';
import { type Buffer, type Piece, peakOf } from './memory.ts';
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
  readonly buffers: readonly Buffer[];
  /** Buffer of a value and its first byte there. */
  placeOf(value: string): { readonly buffer: string; readonly at: number };
  /** Step that writes the value; -1 for inputs, undefined when it is never in memory. */
  madeAt(value: string): number | undefined;
  /** Values that are in memory just before step i and needed in or after it. */
  liveAt(step: number): string[];
  /** Steps whose kernels have to be written for a result that takes over memory of their input. */
  readonly overlapped: ReadonlySet<number>;
}

/**
 * Lifetimes of every value in memory, and which results take over memory of operands that are read for the last time. Overlaps that
 * cost nothing are all taken; those that restrict the kernel only where they lower the peak.
 */
export function lifetimes(graph: Graph, written: readonly Written[], alias: (v: string) => string): Lifetimes {
  const used = uses(graph, written, alias);
  const chosen = new Map<number, Overlap>();
  const optional = new Map<number, Overlap>();
  written.forEach((w, i) => {
    const legal = overlapsOf(w, graph, alias).filter((o) => used.made.has(o.read) && used.last.get(o.read) === i);
    const free = legal.find((o) => !o.restricts);
    if (free) chosen.set(i, free);
    else if (legal[0]) optional.set(i, legal[0]);
  });
  let places = placesOf(graph, used, [...chosen.values()]);
  for (;;) {
    const { peakStep } = peakOf(places.buffers, written.length);
    const more = optional.get(peakStep);
    if (!more) break;
    optional.delete(peakStep);
    chosen.set(peakStep, more);
    places = placesOf(graph, used, [...chosen.values()]);
  }
  const { made, last } = used;
  const liveAt = (step: number): string[] =>
    [...made].filter(([v, from]) => from < step && last.get(v)! >= step).map(([v]) => v);
  const overlapped = new Set([...chosen].filter(([, o]) => o.restricts).map(([i]) => i));
  return { ...places, liveAt, madeAt: (v) => made.get(v), overlapped };
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

/** Values that overlap share a buffer; every other value has its own. */
function placesOf(
  graph: Graph,
  { made, last }: Uses,
  overlaps: readonly Overlap[],
): Pick<Lifetimes, 'buffers' | 'placeOf'> {
  const over = new Map(overlaps.map((o) => [o.write, o]));
  const relative = (v: string): { buffer: string; at: number } => {
    const o = over.get(v);
    if (!o) return { buffer: v, at: 0 };
    const { buffer, at } = relative(o.read);
    return { buffer, at: at - o.shift };
  };
  const places = new Map([...made.keys()].map((v) => [v, relative(v)]));
  const lowest = new Map<string, number>();
  for (const { buffer, at } of places.values()) lowest.set(buffer, Math.min(at, lowest.get(buffer) ?? 0));
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
