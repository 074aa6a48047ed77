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

const ALIGN = 64;
export const align = (n: number, to = ALIGN): number => Math.ceil(n / to) * to;

/** Orders tried after the first ones, each with the buffer that reaches highest moved to the front. */
const REPAIRS = 64;

/**
 * Offsets for buffers with known lifetimes. Offline greedy by size: large buffers first, each at the lowest offset
 * that is free during its life (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net Inference").
 * A second ordering, by length of life, is tried as well; where neither reaches the lower bound, whatever ends highest is placed
 * earlier and all is placed again. The smallest arena wins.
 */
export function planMemory(buffers: readonly Buffer[], steps: number): MemoryPlan {
  const limits = peakOf(buffers, steps);
  const size = new Map(buffers.map((b) => [b, extent(b)]));
  const life = (b: Buffer): number => Math.max(...b.pieces.map((p) => p.to)) - Math.min(...b.pieces.map((p) => p.from));
  const first = (b: Buffer): number => Math.min(...b.pieces.map((p) => p.from));
  const tie = (a: Buffer, b: Buffer): number => first(a) - first(b) || (a.id < b.id ? -1 : 1);
  const bySize = [...buffers].sort((a, b) => size.get(b)! - size.get(a)! || tie(a, b));
  const byLife = [...buffers].sort((a, b) => life(b) - life(a) || size.get(b)! - size.get(a)! || tie(a, b));
  let best = place(bySize);
  let order = bySize;
  for (const start of [byLife, bySize]) {
    order = start;
    for (let k = 0; k < REPAIRS && best.arenaBytes > limits.lowerBound; k++) {
      const plan = place(order);
      if (plan.arenaBytes < best.arenaBytes) best = plan;
      const { top } = plan;
      if (!top || order[0] === top) break;
      order = [top, ...order.filter((b) => b !== top)];
    }
  }
  return { offsets: best.offsets, arenaBytes: best.arenaBytes, ...limits };
}

const extent = (b: Buffer): number => Math.max(...b.pieces.map((p) => p.at + p.bytes));

interface Placed extends Piece {
  readonly offset: number;
}

interface Placement {
  readonly offsets: Map<string, number>;
  readonly arenaBytes: number;
  /** The buffer that ends highest. */
  readonly top: Buffer | undefined;
}

function place(order: readonly Buffer[]): Placement {
  const placed: Placed[] = [];
  const offsets = new Map<string, number>();
  let arenaBytes = 0;
  let top: Buffer | undefined;
  for (const b of order) {
    const offset = lowestFree(b, placed);
    offsets.set(b.id, offset);
    for (const p of b.pieces) placed.push({ ...p, offset });
    const end = align(offset + extent(b));
    if (end > arenaBytes) {
      arenaBytes = end;
      top = b;
    }
  }
  return { offsets, arenaBytes, top };
}

/** The lowest aligned offset at which no piece of `b` meets a placed one. */
function lowestFree(b: Buffer, placed: readonly Placed[]): number {
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
    if (t.to > offset) offset = align(t.to);
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
