import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import type { KernelKind } from '../ir/kernel.ts';
import { sameShape } from '../util/tensor.ts';
import type { Lowered } from './lower.ts';

/**
 * One kernel: a root and the elementwise nodes computed on its results while they are in registers. A root of kind map
 * or quantize is itself the first of `tail`, and `root` is undefined.
 */
export interface Group {
  readonly root: Lowered | undefined;
  readonly tail: Lowered[];
  /** A DynQuantize of rows that the kernel has in hand: its input need not be in memory. */
  rowTail?: Lowered;
  /** Values that are written to memory, in the order they are computed. */
  stores: string[];
}

/** Roots whose results pass through registers in blocks of channels, so that a tail can be applied. */
const HAS_EPILOGUE: ReadonlySet<KernelKind> = new Set([
  'conv',
  'linear',
  'matmul',
  'qconv',
  'qlinear',
  'pool',
  'layernorm',
  'map',
  'quantize',
] as const);

/** Roots that finish one row of their results after another. */
const HAS_ROWS: ReadonlySet<KernelKind> = new Set(['layernorm', 'map', 'qgather', 'qlstm'] as const);

const isElementwise = (l: Lowered): boolean => l.spec.kind === 'map' || l.spec.kind === 'quantize';

export function leadOf(g: Group): Lowered {
  return g.root ?? g.tail[0]!;
}

/**
 * Greedy fusion in graph order: an elementwise node joins the group that produces one of its full-shape inputs when all
 * its other inputs exist before that group runs. Values used elsewhere are stored as well, so no use is lost.
 */
export function fuse(graph: Graph, lowered: readonly Lowered[], keep: ReadonlySet<string>): Group[] {
  const groups: Group[] = [];
  const groupOf = new Map<string, number>();
  const alias = viewAliases(lowered);
  const indexOf = (value: string): number => groupOf.get(alias(value)) ?? -1;

  for (const l of lowered) {
    if (l.spec.kind === 'view') continue;
    const target = isElementwise(l) ? joinable(graph, l, groups, indexOf, groupOf) : undefined;
    if (target !== undefined) {
      groups[target]!.tail.push(l);
      groupOf.set(l.node.outputs[0]!, target);
      continue;
    }
    const rows = rowsInHand(graph, l, groups, indexOf, alias);
    if (rows !== undefined) groups[rows]!.rowTail = l;
    if (rows !== undefined) for (const o of l.node.outputs) groupOf.set(o, rows);
    if (rows !== undefined) continue;
    groups.push(isElementwise(l) ? { root: undefined, tail: [l], stores: [] } : { root: l, tail: [], stores: [] });
    for (const o of l.node.outputs) if (o !== '') groupOf.set(o, groups.length - 1);
  }
  resolveStores(graph, lowered, groups, groupOf, alias, keep);
  return groups;
}

function joinable(
  graph: Graph,
  l: Lowered,
  groups: readonly Group[],
  indexOf: (v: string) => number,
  groupOf: ReadonlyMap<string, number>,
): number | undefined {
  const shape = valueNamed(graph, l.node.outputs[0]!).type.shape;
  const dynamic = l.node.inputs.filter((v) => v !== '' && valueNamed(graph, v).data === undefined);
  let best: number | undefined;
  for (const v of dynamic) {
    const g = groupOf.get(v);
    if (g === undefined) continue;
    const lead = leadOf(groups[g]!);
    if (!HAS_EPILOGUE.has(lead.spec.kind)) continue;
    if (lead.node.outputs.length > 1 || valueNamed(graph, v).type.dtype !== 'f32') continue;
    if (!sameShape(valueNamed(graph, v).type.shape, shape)) continue;
    if (!sameShape(valueNamed(graph, lead.node.outputs[0]!).type.shape, shape)) continue;
    const othersReady = dynamic.every((o) =>
      groupOf.get(o) === g ? valueNamed(graph, o).type.dtype === 'f32' : indexOf(o) < g,
    );
    if (othersReady && (best === undefined || g > best)) best = g;
  }
  return best;
}

/** The group that makes the rows which a DynQuantize reads, when it can quantize them as it goes. */
function rowsInHand(
  graph: Graph,
  l: Lowered,
  groups: readonly Group[],
  indexOf: (v: string) => number,
  alias: (v: string) => string,
): number | undefined {
  if (l.spec.kind !== 'dynquantize') return undefined;
  const x = l.node.inputs[0]!;
  const g = indexOf(x);
  if (g < 0 || groups[g]!.rowTail) return undefined;
  const { node, spec } = leadOf(groups[g]!);
  const made = valueNamed(graph, alias(x)).type.shape;
  const columns = valueNamed(graph, x).type.shape.at(-1);
  if (!HAS_ROWS.has(spec.kind) || columns !== made.at(-1)) return undefined;
  if (spec.kind === 'layernorm' && spec.axis !== made.length - 1) return undefined;
  return sameShape(made, valueNamed(graph, node.outputs[0]!).type.shape) ? g : undefined;
}

/** Follows views back to the value that owns the bytes. */
export function viewAliases(lowered: readonly Lowered[]): (value: string) => string {
  const source = new Map<string, string>();
  for (const l of lowered) if (l.spec.kind === 'view') source.set(l.node.outputs[0]!, l.node.inputs[0]!);
  return (value) => {
    let v = value;
    for (let s = source.get(v); s !== undefined; s = source.get(v)) v = s;
    return v;
  };
}

function resolveStores(
  graph: Graph,
  lowered: readonly Lowered[],
  groups: readonly Group[],
  groupOf: ReadonlyMap<string, number>,
  alias: (v: string) => string,
  keep: ReadonlySet<string>,
): void {
  const needed = new Set<string>();
  for (const v of [...graph.outputs, ...keep]) needed.add(alias(v));
  const home = new Map<Lowered, number>();
  groups.forEach((g, i) => {
    if (g.root) home.set(g.root, i);
    for (const t of g.tail) home.set(t, i);
    if (g.rowTail) home.set(g.rowTail, i);
  });
  for (const l of lowered) {
    if (l.spec.kind === 'view') continue;
    for (const v of l.node.inputs) {
      if (v === '') continue;
      // A view of a value inside the same group would need memory as well, so only direct uses stay in registers; a row is one either way.
      const source = l === groups[home.get(l)!]!.rowTail ? alias(v) : v;
      if (groupOf.get(source) !== home.get(l)) needed.add(alias(v));
    }
  }
  for (const g of groups) {
    const made = [
      ...(g.root ? g.root.node.outputs : []),
      ...g.tail.map((t) => t.node.outputs[0]!),
      ...(g.rowTail?.node.outputs ?? []),
    ];
    g.stores = made.filter((v) => v !== '' && needed.has(v));
  }
}
