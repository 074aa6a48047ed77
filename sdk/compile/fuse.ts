import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import type { KernelKind, KernelOf } from '../ir/kernel.ts';
import { sameShape } from '../util/tensor.ts';
import { gathersRows } from './emit/c/move.ts';
import { reducesColumns } from './emit/c/reduce.ts';
import { isKind, type Lowered } from './lower.ts';
import { mergeTurns } from './merge-turns.ts';

/**
 * One kernel: a root and the elementwise nodes computed on its results while they are in registers. An elementwise root is itself
 * the first of `tail`, and `root` is undefined.
 */
export interface Group {
  readonly root: Lowered | undefined;
  readonly tail: Lowered[];
  /** A Quantize of what a permutation reads, of one number format, that nobody else wants: done as it is loaded. */
  head?: Lowered<KernelOf<'quantize'>>;
  /** A DynQuantize of rows that the kernel has in hand: its input need not be in memory. */
  rowTail?: Lowered;
  /** A permutation that makes columns of the rows of a product, which are all that it reads: they are written so. */
  turned?: Lowered<KernelOf<'strided'>>;
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
  'qattention',
  'qgather',
  'map',
  'quantize',
  'dequantize',
] as const);

/** Roots that finish one row of their results after another. */
const HAS_ROWS: ReadonlySet<KernelKind> = new Set(['layernorm', 'map', 'qattention', 'qgather', 'qlstm'] as const);

const isElementwise = (l: Lowered): boolean =>
  l.spec.kind === 'map' || l.spec.kind === 'quantize' || l.spec.kind === 'dequantize';

export interface Fusion {
  readonly groups: readonly Group[];
  /** Dequantize nodes, by result, that have no kernel: whoever reads the result decodes the codes as it loads them. */
  readonly decoded: ReadonlyMap<string, Lowered>;
}

export function leadOf(g: Group): Lowered {
  return g.root ?? g.tail[0]!;
}

/**
 * Greedy fusion in graph order: an elementwise node joins the group that produces one of its full-shape inputs when all
 * its other inputs exist before that group runs. Values used elsewhere are stored as well, so no use is lost.
 * @param turns kernels of products can write columns (Group.turned), and those of permutations quantize (Group.head).
 */
export function fuse(graph: Graph, lowered: readonly Lowered[], keep: ReadonlySet<string>, turns = true): Fusion {
  const groups: Group[] = [];
  const groupOf = new Map<string, number>();
  const alias = viewAliases(lowered);
  const decoded = decodedOnLoad(graph, lowered, keep);
  const source = (value: string): string => alias(decoded.get(value)?.node.inputs[0] ?? value);
  const indexOf = (value: string): number => groupOf.get(source(value)) ?? -1;
  const computed = lowered.filter((l) => l.spec.kind !== 'view' && decoded.get(l.node.outputs[0]!) !== l);

  for (const l of computed) {
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
  if (turns) mergeTurns(graph, computed, { groups, decoded }, groupOf, source, keep);
  resolveStores(graph, computed, groups, groupOf, alias, source, keep);
  return { groups, decoded };
}

/** Results of Dequantize that only kernels read which can decode what they load. */
function decodedOnLoad(graph: Graph, lowered: readonly Lowered[], keep: ReadonlySet<string>): Map<string, Lowered> {
  const out = new Map<string, Lowered>();
  for (const l of lowered) {
    const d = l.node.outputs[0]!;
    if (l.spec.kind === 'dequantize' && !keep.has(d) && !graph.outputs.includes(d)) out.set(d, l);
  }
  for (const l of lowered)
    l.node.inputs.forEach((v, i) => {
      if (out.has(v) && !decodes(graph, l, i)) out.delete(v);
    });
  return out;
}

function decodes(graph: Graph, l: Lowered, input: number): boolean {
  if (isKind(l, 'map') || isKind(l, 'quantize')) return true;
  if (isKind(l, 'pool')) return true;
  if (isKind(l, 'layernorm'))
    return input === 0 && l.spec.axis === valueNamed(graph, l.node.inputs[0]!).type.shape.length - 1;
  return isKind(l, 'reduce') && input === 0 && reducesColumns(l.spec, valueNamed(graph, l.node.inputs[0]!).type.shape);
}

function hasEpilogue(graph: Graph, l: Lowered): boolean {
  if (isKind(l, 'gather')) return gathersRows(l.spec, valueNamed(graph, l.node.inputs[0]!).type);
  return HAS_EPILOGUE.has(l.spec.kind);
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
    if (!hasEpilogue(graph, lead)) continue;
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
  computed: readonly Lowered[],
  groups: readonly Group[],
  groupOf: ReadonlyMap<string, number>,
  alias: (v: string) => string,
  source: (v: string) => string,
  keep: ReadonlySet<string>,
): void {
  const needed = new Set<string>();
  for (const v of [...graph.outputs, ...keep]) needed.add(alias(v));
  const home = new Map<Lowered, number>();
  groups.forEach((g, i) => {
    if (g.root) home.set(g.root, i);
    for (const t of g.tail) home.set(t, i);
    if (g.rowTail) home.set(g.rowTail, i);
    if (g.turned) home.set(g.turned, i);
    if (g.head) home.set(g.head, i);
  });
  for (const l of computed) {
    for (const v of l.node.inputs) {
      if (v === '') continue;
      // A view of a value inside the same group would need memory as well, so only direct uses stay in registers; a row is one either way, and a permutation knows where all are.
      const { root, head, rowTail, turned } = groups[home.get(l)!]!;
      const inHand = l === rowTail || l === turned || (head && l === root) ? alias(v) : v;
      if (groupOf.get(inHand) !== home.get(l)) needed.add(source(v));
    }
  }
  for (const g of groups) {
    const made = [
      ...(g.root ? g.root.node.outputs : []),
      ...g.tail.map((t) => t.node.outputs[0]!),
      ...(g.rowTail?.node.outputs ?? []),
      ...(g.turned?.node.outputs ?? []),
      ...(g.head?.node.outputs ?? []),
    ];
    g.stores = made.filter((v) => v !== '' && needed.has(v));
  }
}
