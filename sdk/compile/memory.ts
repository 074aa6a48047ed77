import { Rng } from '../util/rng.ts';

/** A part of a buffer that is needed from step `from` to step `to`, both included. */
export interface Piece {
  /** First byte within the buffer. */
  readonly at: number;
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

/** A piece of the arena that stays in one place: pieces of one buffer may overlap, those of different buffers never do while both are needed. */
export interface Buffer {
  readonly id: string;
  readonly pieces: readonly Piece[];
}

export interface MemoryPlan {
  readonly offsets: ReadonlyMap<string, number>;
  readonly arenaBytes: number;
  /** Largest sum of live bytes over all steps: no plan can be smaller. */
  readonly lowerBound: number;
  /** Step at which the lower bound is reached. */
  readonly peakStep: number;
}

/** Buffers begin at cache lines; at vectors where that makes a loose arena closer. No kernel needs either. */
const LINE = 64;
const VECTOR = 16;
export const align = (n: number, to = LINE): number => Math.ceil(n / to) * to;
/** Arenas up to this much above the lower bound are close enough. */
const CLOSE = 1.02;

/** Orders tried after each of the first ones, with the buffer that reaches highest moved to the front. */
const REPAIRS = 64;
/** And then with one buffer moved at random: comparisons of two pieces, so that a large network takes no longer than a small one. */
const COMPARISONS = 100_000;

/**
 * Offsets for buffers with known lifetimes. Offline greedy by size: large buffers first, each at the lowest offset
 * that is free during its life (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net Inference").
 * A second ordering, by length of life, is tried as well. Where neither comes close to the lower bound, whatever ends highest is placed
 * earlier and all is placed again; then one buffer after the other moves to another place in the order, and stays there unless the
 * arena grows. The smallest arena wins.
 */
export function planMemory(buffers: readonly Buffer[], steps: number): MemoryPlan {
  const limits = peakOf(buffers, steps);
  const size = new Map(buffers.map((b) => [b, extent(b)]));
  const life = (b: Buffer): number => Math.max(...b.pieces.map((p) => p.to)) - Math.min(...b.pieces.map((p) => p.from));
  const first = (b: Buffer): number => Math.min(...b.pieces.map((p) => p.from));
  const tie = (a: Buffer, b: Buffer): number => first(a) - first(b) || (a.id < b.id ? -1 : 1);
  const bySize = [...buffers].sort((a, b) => size.get(b)! - size.get(a)! || tie(a, b));
  const byLife = [...buffers].sort((a, b) => life(b) - life(a) || size.get(b)! - size.get(a)! || tie(a, b));
  let best = place(bySize, LINE);
  const attempt = (enough: number, ...plans: readonly (() => Placement)[]): void => {
    for (const plan of plans) {
      if (best.arenaBytes <= enough) return;
      const found = plan();
      if (found.arenaBytes < best.arenaBytes) best = found;
    }
  };
  const { lowerBound } = limits;
  for (const alignment of [LINE, VECTOR]) {
    const enough = alignment === LINE ? lowerBound : CLOSE * lowerBound;
    attempt(
      enough,
      () => repaired(byLife, alignment, lowerBound),
      () => repaired(bySize, alignment, lowerBound),
    );
    attempt(CLOSE * lowerBound, () => shuffled(best.order, alignment, lowerBound));
  }
  return { offsets: best.offsets, arenaBytes: best.arenaBytes, ...limits };
}

/** The best placement of those in which the buffer that ends highest is placed first the next time. */
function repaired(start: readonly Buffer[], alignment: number, lowerBound: number): Placement {
  let plan = place(start, alignment);
  let best = plan;
  for (let k = 0; k < REPAIRS && best.arenaBytes > lowerBound; k++) {
    const { top, order } = plan;
    if (!top || order[0] === top) break;
    plan = place([top, ...order.filter((b) => b !== top)], alignment);
    if (plan.arenaBytes < best.arenaBytes) best = plan;
  }
  return best;
}

/** Random moves in the order, kept where the arena does not grow; the same ones every time. */
function shuffled(start: readonly Buffer[], alignment: number, lowerBound: number): Placement {
  const rng = new Rng(1);
  const pieces = start.reduce((n, b) => n + b.pieces.length, 0);
  const moves = Math.ceil(COMPARISONS / pieces ** 2);
  let best = place(start, alignment);
  for (let k = 0; k < moves && best.arenaBytes > lowerBound; k++) {
    const order = [...best.order];
    const [moved] = order.splice(rng.below(order.length), 1);
    order.splice(rng.below(order.length + 1), 0, moved!);
    const plan = place(order, alignment);
    if (plan.arenaBytes <= best.arenaBytes) best = plan;
  }
  return best;
}

const extent = (b: Buffer): number => Math.max(...b.pieces.map((p) => p.at + p.bytes));

interface Placed extends Piece {
  readonly offset: number;
}

interface Placement {
  readonly order: readonly Buffer[];
  readonly offsets: Map<string, number>;
  readonly arenaBytes: number;
  /** The buffer that ends highest. */
  readonly top: Buffer | undefined;
}

function place(order: readonly Buffer[], alignment: number): Placement {
  const placed: Placed[] = [];
  const offsets = new Map<string, number>();
  let arenaBytes = 0;
  let top: Buffer | undefined;
  for (const b of order) {
    const offset = lowestFree(b, placed, alignment);
    offsets.set(b.id, offset);
    for (const p of b.pieces) placed.push({ ...p, offset });
    const end = align(offset + extent(b), alignment);
    if (end > arenaBytes) {
      arenaBytes = end;
      top = b;
    }
  }
  return { order, offsets, arenaBytes, top };
}

/** The lowest aligned offset at which no piece of `b` meets a placed one. */
function lowestFree(b: Buffer, placed: readonly Placed[], alignment: number): number {
  // Offsets that are taken: from (exclusive) to (exclusive).
  const taken: { from: number; to: number }[] = [];
  for (const p of b.pieces)
    for (const q of placed) {
      if (q.from > p.to || p.from > q.to) continue;
      const start = q.offset + q.at;
      taken.push({ from: start - p.at - p.bytes, to: start + q.bytes - p.at });
    }
  taken.sort((x, y) => x.from - y.from);
  let offset = 0;
  for (const t of taken) {
    if (t.from >= offset) break;
    if (t.to > offset) offset = align(t.to, alignment);
  }
  return offset;
}

/** The largest sum of live bytes over all steps, and the first step that has it. */
export function peakOf(buffers: readonly Buffer[], steps: number): { lowerBound: number; peakStep: number } {
  let lowerBound = 0;
  let peakStep = 0;
  for (let s = 0; s < Math.max(steps, 1); s++) {
    const live = liveBytes(buffers, s);
    if (live > lowerBound) {
      lowerBound = live;
      peakStep = s;
    }
  }
  return { lowerBound, peakStep };
}

/** Bytes that are needed at a step. */
export function liveBytes(buffers: readonly Buffer[], step: number): number {
  let live = 0;
  for (const b of buffers) live += covered(b.pieces.filter((p) => p.from <= step && step <= p.to));
  return live;
}

/** Bytes in the union of pieces. */
function covered(pieces: readonly Piece[]): number {
  let bytes = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (const p of [...pieces].sort((a, b) => a.at - b.at)) {
    bytes += Math.max(0, p.at + p.bytes - Math.max(end, p.at));
    end = Math.max(end, p.at + p.bytes);
  }
  return bytes;
}
