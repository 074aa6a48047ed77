/**
 * Memory for many buffers that come and go, taken from the system in large pieces and given back to it. Left to the C library, buffers of a
 * few hundred kilobytes end up in a heap that never shrinks, and next to a garbage collector twice as many of them exist as are used.
 */

/** More than the largest size that glibc may serve from its heap (32 MiB on 64-bit machines, mallopt(3), M_MMAP_THRESHOLD). */
const SLAB_BYTES = 34 << 20;
const GRAIN = 64;

interface Range {
  at: number;
  end: number;
}

interface Slab {
  readonly buffer: ArrayBuffer;
  /** Unused parts in the order of their addresses, none next to another. */
  readonly free: Range[];
}

export class Slabs {
  private slabs: Slab[] = [];

  /** Bytes held, used or not. */
  get bytes(): number {
    return this.slabs.reduce((sum, s) => sum + s.buffer.byteLength, 0);
  }

  /** `bytes` of memory, with whatever is in it: in the first slab that has room, so that the last ones empty. */
  take(bytes: number): Uint8Array {
    const size = Math.max(GRAIN, Math.ceil(bytes / GRAIN) * GRAIN);
    for (const { buffer, free } of this.slabs) {
      const i = free.findIndex((r) => r.end - r.at >= size);
      if (i < 0) continue;
      const range = free[i]!;
      const view = new Uint8Array(buffer, range.at, bytes);
      range.at += size;
      if (range.at === range.end) free.splice(i, 1);
      return view;
    }
    const length = Math.max(SLAB_BYTES, size);
    const buffer = new ArrayBuffer(length);
    this.slabs.push({ buffer, free: size < length ? [{ at: size, end: length }] : [] });
    return new Uint8Array(buffer, 0, bytes);
  }

  /** Takes back what `take` gave; it must not be used any more. */
  give(view: Uint8Array): void {
    const slab = this.slabs.find((s) => s.buffer === view.buffer);
    if (!slab) return;
    const { free } = slab;
    const at = view.byteOffset;
    const end = at + Math.max(GRAIN, Math.ceil(view.byteLength / GRAIN) * GRAIN);
    const next = free.findIndex((r) => r.at > at);
    const i = next < 0 ? free.length : next;
    const [before, after] = [free[i - 1], free[i]];
    const joins = after !== undefined && after.at === end;
    if (before?.end === at) {
      before.end = joins ? after.end : end;
      if (joins) free.splice(i, 1);
    } else if (joins) after.at = at;
    else free.splice(i, 0, { at, end });
    if (free[0]!.at === 0 && free[0]!.end === slab.buffer.byteLength) this.slabs = this.slabs.filter((s) => s !== slab);
  }

  /** Lets go of everything; views that are still used keep their slab. */
  clear(): void {
    this.slabs = [];
  }
}
