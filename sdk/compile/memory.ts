/** A piece of the arena: needed from step `from` to step `to`, both included. */
export interface Buffer {
  readonly id: string;
  readonly bytes: number;
  readonly from: number;
  to: number;
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

/**
 * Offsets for buffers with known lifetimes. Offline greedy by size: large buffers first, each at the lowest offset
 * that is free during its life (Pisarchyk and Lee 2020, "Efficient Memory Management for Deep Neural Net Inference").
 * A second ordering, by first use, is tried as well and the smaller arena wins.
 */
export function planMemory(buffers: readonly Buffer[], steps: number): MemoryPlan {
  const bySize = [...buffers].sort((a, b) => b.bytes - a.bytes || a.from - b.from || (a.id < b.id ? -1 : 1));
  const byLife = [...buffers].sort(
    (a, b) => b.to - b.from - (a.to - a.from) || b.bytes - a.bytes || (a.id < b.id ? -1 : 1),
  );
  const plans = [place(bySize), place(byLife)];
  const best = plans[0]!.arenaBytes <= plans[1]!.arenaBytes ? plans[0]! : plans[1]!;
  return { ...best, ...bound(buffers, steps) };
}

function place(order: readonly Buffer[]): { offsets: Map<string, number>; arenaBytes: number } {
  const placed: { b: Buffer; offset: number; end: number }[] = [];
  const offsets = new Map<string, number>();
  let arenaBytes = 0;
  for (const b of order) {
    const size = align(b.bytes);
    const clashes = placed.filter((p) => p.b.from <= b.to && b.from <= p.b.to).sort((p, q) => p.offset - q.offset);
    let offset = 0;
    for (const p of clashes) {
      if (p.offset - offset >= size) break;
      offset = Math.max(offset, p.end);
    }
    offsets.set(b.id, offset);
    placed.push({ b, offset, end: offset + size });
    arenaBytes = Math.max(arenaBytes, offset + size);
  }
  return { offsets, arenaBytes };
}

function bound(buffers: readonly Buffer[], steps: number): { lowerBound: number; peakStep: number } {
  let lowerBound = 0;
  let peakStep = 0;
  for (let s = 0; s < Math.max(steps, 1); s++) {
    let live = 0;
    for (const b of buffers) if (b.from <= s && s <= b.to) live += align(b.bytes);
    if (live > lowerBound) {
      lowerBound = live;
      peakStep = s;
    }
  }
  return { lowerBound, peakStep };
}
