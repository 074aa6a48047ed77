import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import type { KernelOf } from '../ir/kernel.ts';
import { sizeOf } from '../util/tensor.ts';
import { axesOf } from './emit/c/move.ts';
import { quantizesAsItTurns } from './emit/c/transpose.ts';
import type { Fusion, Group } from './fuse.ts';
import { isKind, type Lowered } from './lower.ts';

/** Fewer rows or channels are not worth it. */
const LEAST_TURNED = 4;

/** Gives permutations that make columns of rows to the products whose rows nobody else wants, and to others the Quantize of what they read. */
export function mergeTurns(
  graph: Graph,
  computed: readonly Lowered[],
  { groups, decoded }: { groups: Group[]; decoded: Fusion['decoded'] },
  groupOf: Map<string, number>,
  source: (v: string) => string,
  keep: ReadonlySet<string>,
): void {
  const reads = new Map<string, number>();
  for (const v of [...computed.flatMap((l) => l.node.inputs), ...graph.outputs, ...keep])
    reads.set(source(v), (reads.get(source(v)) ?? 0) + 1);
  /** Groups that are part of another now. */
  const merged = new Map<Group, Group>();
  for (const g of groups) {
    const l = g.root;
    if (!l || !isKind(l, 'strided')) continue;
    const x = source(l.node.inputs[0]!);
    const at = groupOf.get(x);
    const maker = at === undefined ? undefined : groups[at]!;
    if (!maker || reads.get(x) !== 1 || lastOf(maker) !== x) continue;
    if (makesColumns(graph, l, x) && takesColumns(graph, maker)) {
      maker.turned = l;
      merged.set(g, maker);
    } else if (
      quantizesAsItTurns(valueNamed(graph, l.node.outputs[0]!).type, l.spec) &&
      isOneFormat(graph, maker, decoded)
    ) {
      g.head = maker.tail[0] as Lowered<KernelOf<'quantize'>>;
      merged.set(maker, g);
    }
  }
  if (merged.size === 0) return;
  const before = [...groups];
  const left = groups.filter((g) => !merged.has(g));
  groups.splice(0, groups.length, ...left);
  const place = new Map(left.map((g, i) => [g, i]));
  for (const [v, i] of groupOf) groupOf.set(v, place.get(merged.get(before[i]!) ?? before[i]!)!);
}

/** Whether a permutation makes columns of the rows of a whole matrix. */
function makesColumns(graph: Graph, { node, spec }: Lowered<KernelOf<'strided'>>, x: string): boolean {
  const { shape, dtype } = valueNamed(graph, x).type;
  const channels = shape.at(-1)!;
  const [lines, along, ...more] = axesOf(valueNamed(graph, node.outputs[0]!).type.shape, spec.strides);
  if (dtype !== 'f32' || !lines || !along || more.length > 0 || spec.offset !== 0) return false;
  if (lines.size !== channels || lines.stride !== 1 || along.stride !== channels) return false;
  return Math.min(channels, along.size) >= LEAST_TURNED && along.size * channels === sizeOf(shape);
}

/** Whether all that a group does is to quantize a value with one scale and one zero point. */
function isOneFormat(graph: Graph, { root, tail, rowTail }: Group, decoded: Fusion['decoded']): boolean {
  const [l, ...more] = tail;
  if (root || rowTail || !l || more.length > 0 || !isKind(l, 'quantize')) return false;
  if (decoded.has(l.node.inputs[0]!)) return false;
  return l.node.inputs.slice(1).every((v) => sizeOf(valueNamed(graph, v).type.shape) === 1);
}

const lastOf = ({ root, tail }: Group): string => (tail.at(-1) ?? root!).node.outputs[0]!;

/** Whether a group's kernel can write columns: convolutions that are products of whole tiles of channels. */
function takesColumns(graph: Graph, { root, turned }: Group): boolean {
  return (
    root !== undefined &&
    isKind(root, 'qconv') &&
    root.spec.groups === 1 &&
    !turned &&
    valueNamed(graph, root.node.outputs[0]!).type.shape.length === 4
  );
}
