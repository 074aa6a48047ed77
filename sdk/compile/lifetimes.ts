import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import { byteLength } from '../util/tensor.ts';
import type { KernelContext, KernelText } from './emit/c/context.ts';
import type { Group } from './fuse.ts';
import { isKind, type Lowered } from './lower.ts';
import type { Buffer } from './memory.ts';

/** A tensor in the arena is followed by room that kernels may read, never write: their last vector may hang over. */
export const OVERREAD = 64;

/** A group whose kernel has been written. */
export interface Written {
  readonly group: Group;
  readonly ctx: KernelContext;
  readonly text: KernelText;
}

export interface Lifetimes {
  readonly buffers: Buffer[];
  bufferOf(value: string): string;
  /** Step that writes the value; -1 for inputs, undefined when it is never in memory. */
  madeAt(value: string): number | undefined;
  /** Values that are in memory just before step i and needed in or after it. */
  liveAt(step: number): string[];
}

/** Lifetimes of every value in memory; a result takes over the buffer of an operand read at the same index for the last time. */
export function lifetimes(graph: Graph, written: readonly Written[], alias: (v: string) => string): Lifetimes {
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
