import { type Graph, GraphBuilder, type Node, type Packing, valueNamed } from '../ir/graph.ts';
import { scaleFromLog8 } from '../util/log8.ts';
import { tensor } from '../util/tensor.ts';
import { Ranges } from './activations.ts';
import type { Attention, HeadsView } from './attention-match.ts';
import type { Session } from './runner.ts';
import { Stream } from './stream.ts';
import type { Sample } from './types.ts';

/** Ranges of the tensors that queries, keys and values are read from, by name. */
export type AttentionRanges = ReadonlyMap<string, Ranges>;

/** Tensors that must be in memory for the ranges. */
export function attentionValues(attentions: readonly Attention[]): string[] {
  return [...new Set(attentions.flatMap((a) => [a.q.value, a.k.value, a.v.value]))];
}

/** Runs the float network over the samples and notes the ranges, channel by channel. */
export async function attentionRanges(
  attentions: readonly Attention[],
  session: Session,
  samples: readonly Sample[],
): Promise<AttentionRanges> {
  const values = attentionValues(attentions).sort((a, b) => session.readyAt(a) - session.readyAt(b));
  const ranges = new Map<string, Ranges>();
  for (const sample of samples) {
    const stream = new Stream(session, [sample]);
    for (const v of values) {
      const [x] = await stream.read(0, [v]);
      const range = ranges.get(v) ?? new Ranges(x!.shape.at(-1)!);
      range.add(x!);
      ranges.set(v, range);
    }
    stream.close();
  }
  return ranges;
}

/** Largest code of queries, keys and values. */
const LARGEST = 127;
/** Steps of the grid of scales in an octave. */
const GRID = 8;

/** Codes a unit of every channel of one tensor, as exponents of a grid that all tensors of an attention share. */
type Grid = Map<string, Int32Array>;

/**
 * Replaces attentions by QAttention on static i8 codes. Scales go by channel where every head has channels of its own: a key's
 * channel may be as much finer as the query's is coarser, so that the more restless of the two gets the more codes.
 */
export function integerAttention(graph: Graph, attentions: readonly Attention[], ranges: AttentionRanges): Graph {
  const b = new GraphBuilder(graph.name, graph);
  b.nodes = [];
  const byOutput = new Map(attentions.map((a) => [a.output, a]));
  for (const node of graph.nodes) {
    const replaced = node.outputs.map((o) => byOutput.get(o)).find((a) => a !== undefined);
    if (replaced) emit(b, graph, replaced, ranges);
    else b.nodes.push(node);
  }
  b.prune();
  return b.build();
}

function emit(b: GraphBuilder, graph: Graph, a: Attention, ranges: AttentionRanges): void {
  const grid = gridOf(graph, a, ranges);
  const codes = new Map<string, string>();
  for (const [value, exponents] of grid) codes.set(value, emitCodes(b, graph, value, exponents));
  const scale = Float32Array.from({ length: a.heads }, (_, h) => {
    const [q, k] = [channelAt(a.q, ranges, h, 0), channelAt(a.k, ranges, h, 0)];
    const [eq, ek] = [grid.get(a.q.value)![q]!, grid.get(a.k.value)![k]!];
    return a.factor * scaleFromLog8(1, -eq) * scaleFromLog8(1, -ek);
  });
  const shifts = Array.from({ length: a.heads * a.valueSize }, (_, n) => {
    const channel = channelAt(a.v, ranges, Math.floor(n / a.valueSize), n % a.valueSize);
    return -grid.get(a.v.value)![channel]!;
  });
  const inputs = [
    ...[a.q, a.k, a.v].map((s) => codes.get(s.value)!),
    b.constant(`${a.name}.scale`, tensor('f32', [a.heads], scale)),
    log8Constant(b, `${a.name}.values`, shifts),
    ...(a.mask === '' ? [] : [a.mask]),
  ];
  const { batch, heads, queries, keys, size, valueSize, causal } = a;
  const attrs = { batch, heads, queries, keys, size, valueSize, q: a.q.at, k: a.k.at, v: a.v.at, causal };
  const flat = [batch, queries, heads * valueSize];
  const { type } = valueNamed(graph, a.output);
  const asIs = a.sideBySide && type.shape.length === 3 && type.shape.every((n, i) => n === flat[i]);
  const name = asIs ? a.output : b.fresh(`${a.output}.rows`);
  b.node({ name: a.name, op: 'QAttention', inputs, outputs: [name], attrs }, [{ dtype: 'f32', shape: flat }]);
  if (!asIs) emitResult(b, graph, a, name);
}

/** Brings the heads of a position, side by side, to the order and the shape of the float result. */
function emitResult(b: GraphBuilder, graph: Graph, a: Attention, rows: string): void {
  const { type } = valueNamed(graph, a.output);
  const reshape = (from: string, to: string, shape: readonly number[]): void =>
    b.node({ name: to, op: 'Reshape', inputs: [from], outputs: [to], attrs: { shape } }, [{ dtype: 'f32', shape }]);
  if (a.sideBySide) {
    reshape(rows, a.output, type.shape);
    return;
  }
  const split = b.fresh(`${a.output}.split`);
  reshape(rows, split, [a.batch, a.queries, a.heads, a.valueSize]);
  const swapped = b.fresh(`${a.output}.heads`);
  const attrs = { perm: [0, 2, 1, 3] };
  b.node({ name: swapped, op: 'Transpose', inputs: [split], outputs: [swapped], attrs }, [
    { dtype: 'f32', shape: [a.batch, a.heads, a.queries, a.valueSize] },
  ]);
  reshape(swapped, a.output, type.shape);
}

function emitCodes(b: GraphBuilder, graph: Graph, value: string, exponents: Int32Array): string {
  const { shape } = valueNamed(graph, value).type;
  const name = b.fresh(`${value}.qkv`);
  const inv = log8Constant(b, `${value}.inv`, Array.from(exponents));
  const zp = b.constant(`${value}.zp`, tensor('i32', [1], [0]), { kind: 'ints' });
  const node: Node = { name, op: 'Quantize', inputs: [value, inv, zp], outputs: [name], attrs: { to: 'i8' } };
  b.node(node, [{ dtype: 'i8', shape }]);
  return name;
}

function log8Constant(b: GraphBuilder, stem: string, exponents: readonly number[]): string {
  const packing: Packing = { kind: 'log8', base: 1, exponents };
  const data = Float32Array.from(exponents, (e) => scaleFromLog8(1, e));
  return b.constant(stem, tensor('f32', [exponents.length], data), packing);
}

/** Largest exponent whose step count of a magnitude stays within the codes. */
function exponentFor(magnitude: number): number {
  return Math.floor(GRID * Math.log2(LARGEST / magnitude) + 1e-9);
}

const channelAt = (s: HeadsView, ranges: AttentionRanges, head: number, d: number): number =>
  (s.at[0] + head * s.at[2] + d) % ranges.get(s.value)!.low.length;

function gridOf(graph: Graph, a: Attention, ranges: AttentionRanges): Grid {
  const grid: Grid = new Map();
  for (const { value } of [a.q, a.k, a.v]) {
    const range = ranges.get(value)!;
    grid.set(value, new Int32Array(range.low.length).fill(exponentFor(largestOf(range))));
  }
  if (!hasOwnChannels(graph, a)) return grid;
  const magnitude = (s: HeadsView, h: number, d: number): number => {
    const range = ranges.get(s.value)!;
    const c = channelAt(s, ranges, h, d);
    return Math.max(-range.low[c]!, range.high[c]!, 1e-6 * largestOf(range));
  };
  for (let h = 0; h < a.heads; h++) {
    balance(grid, a, ranges, h, (d) => [magnitude(a.q, h, d), magnitude(a.k, h, d)]);
    for (let d = 0; d < a.valueSize; d++)
      grid.get(a.v.value)![channelAt(a.v, ranges, h, d)] = exponentFor(magnitude(a.v, h, d));
  }
  return grid;
}

/** Exponents of a head's queries and keys: their sum is the same in all channels, so that products add up as integers. */
function balance(
  grid: Grid,
  a: Attention,
  ranges: AttentionRanges,
  h: number,
  magnitudes: (d: number) => readonly [number, number],
): void {
  const tilt = (d: number): number => {
    const [q, k] = magnitudes(d);
    return Math.round((GRID / 2) * Math.log2(k / q));
  };
  let [queries, keys] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let d = 0; d < a.size; d++) {
    const [q, k] = magnitudes(d);
    queries = Math.min(queries, exponentFor(q) - tilt(d));
    keys = Math.min(keys, exponentFor(k) + tilt(d));
  }
  for (let d = 0; d < a.size; d++) {
    grid.get(a.q.value)![channelAt(a.q, ranges, h, d)] = queries + tilt(d);
    grid.get(a.k.value)![channelAt(a.k, ranges, h, d)] = keys - tilt(d);
  }
}

function largestOf(range: Ranges): number {
  let largest = 0;
  for (let c = 0; c < range.low.length; c++) largest = Math.max(largest, -range.low[c]!, range.high[c]!);
  return largest > 0 ? largest : 1;
}

/** Whether an element's channel says its head, its place in it, and which of the three it is; positions and samples do not change it. */
function hasOwnChannels(graph: Graph, a: Attention): boolean {
  const taken = new Map<string, Set<number>>();
  for (const [s, size] of [
    [a.q, a.size],
    [a.k, a.size],
    [a.v, a.valueSize],
  ] as const) {
    const channels = valueNamed(graph, s.value).type.shape.at(-1)!;
    const [offset, sample, head, position] = s.at;
    if (sample % channels !== 0 || position % channels !== 0) return false;
    const set = taken.get(s.value) ?? new Set<number>();
    taken.set(s.value, set);
    for (let h = 0; h < a.heads; h++) {
      for (let d = 0; d < size; d++) {
        const c = (offset + h * head + d) % channels;
        if (set.has(c)) return false;
        set.add(c);
      }
    }
  }
  return true;
}
