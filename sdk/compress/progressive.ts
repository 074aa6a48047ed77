import { coarsen, type PlanedCodes, refinementOrder } from '../util/nested.ts';
import type { Context } from './context.ts';
import { evaluate, type HeldOut } from './evaluate.ts';
import { nearnessOf } from './gate.ts';
import type { QuantizedLayer } from './integer.ts';
import type { Layer } from './layers.ts';
import { qualityAlone } from './quality.ts';
import type { Measured } from './report.ts';
import { install, type Pair } from './sequential.ts';
import { checkSignal } from './stream.ts';
import type { ProgressivePoint } from './types.ts';

/** Held-out samples that are enough to see what a prefix is worth. */
const SAMPLES = 24;
/** Prefixes of about equal distance, base and whole among them; the last one within half of the bytes comes on top. */
const PREFIXES = 7;

/** Runs of the integer network that measuring takes, for `held` samples. */
export const prefixRuns = (held: number): number => (PREFIXES + 1) * Math.min(SAMPLES, held);

/** Codes of one matrix of a layer that travels in planes. */
interface Planed extends PlanedCodes {
  readonly layer: Layer;
  readonly matrix: number;
}

/**
 * Quality of what a receiver has that holds only the first bytes of the weights, in the order in which bundles send them. Leaves the
 * integer session with the whole weights. Undefined when nothing tells how codes travel.
 */
export async function measurePrefixes(
  ctx: Context,
  pair: Pair,
  result: Measured,
  reference: HeldOut,
): Promise<ProgressivePoint[] | undefined> {
  const items = planedCodes(ctx, result);
  if (!items) return undefined;
  const order = refinementOrder(items);
  const ends = prefixEnds(
    order.map(({ item, level }) => bytesOf(items[item]!, level)),
    result.size.wireBytes,
  );
  const levels = items.map((i) => i.bytes.length);
  const held = firstOf(reference, SAMPLES);
  const out: ProgressivePoint[] = [];
  let changed = new Set(items.map((i) => i.layer));
  let taken = 0;
  for (const { count, bytes } of ends) {
    checkSignal(ctx.signal);
    ctx.progress({ stage: 'progressive', done: out.length, total: ends.length });
    for (; taken < count; taken++) {
      const { item, level } = order[taken]!;
      levels[item] = level;
      changed.add(items[item]!.layer);
    }
    for (const layer of changed) install(pair, layer, truncated(result.quantized.get(layer)!, layer, items, levels));
    changed = new Set();
    const evaluation = await evaluate(pair.integer, held, ctx.options.metric);
    const { divergence, agreement } = nearnessOf(evaluation);
    const quality = qualityAlone(evaluation, ctx.options.seed);
    const { samples } = evaluation;
    out.push({ bytes, share: bytes / result.size.wireBytes, divergence, quality, agreement, samples });
  }
  ctx.progress({ stage: 'progressive', done: out.length, total: out.length });
  return out;
}

function planedCodes(ctx: Context, { quantized }: Measured): Planed[] | undefined {
  const { planer } = ctx.options;
  if (!planer) return undefined;
  return ctx.layers.flatMap((layer) => {
    const { gain, matrices } = quantized.get(layer)!;
    if (gain === undefined) return [];
    return layer.matrices.flatMap(({ rows, cols }, matrix) => {
      const { codes } = matrices[matrix]!;
      const { planes, points } = planer(codes, rows, cols);
      return planes.length === 0 ? [] : [{ layer, matrix, codes, gain, bytes: planes.map((p) => p.length), points }];
    });
  });
}

/** Bytes of the plane that brings an item to `level`. */
function bytesOf({ bytes }: PlanedCodes, level: number): number {
  return bytes[bytes.length - 1 - level]!;
}

/** Prefixes to measure, by the number of refinements in them and their bytes, ascending. */
function prefixEnds(refinements: readonly number[], wireBytes: number): { count: number; bytes: number }[] {
  const base = wireBytes - refinements.reduce((sum, n) => sum + n, 0);
  const ends = [{ count: 0, bytes: base }];
  for (const n of refinements) ends.push({ count: ends.length, bytes: ends.at(-1)!.bytes + n });
  const within = (bytes: number): number =>
    Math.max(
      0,
      ends.findLastIndex((e) => e.bytes <= bytes),
    );
  const chosen = new Set([within(wireBytes / 2)]);
  for (let i = 0; i < PREFIXES; i++) chosen.add(within(base + ((wireBytes - base) * i) / (PREFIXES - 1)));
  return [...chosen].sort((a, b) => a - b).map((i) => ends[i]!);
}

/** A layer as a receiver has it that lacks planes of its codes. */
function truncated(
  q: QuantizedLayer,
  layer: Layer,
  items: readonly Planed[],
  levels: readonly number[],
): QuantizedLayer {
  const matrices = q.matrices.map((m, matrix) => {
    const i = items.findIndex((item) => item.layer === layer && item.matrix === matrix);
    const points = items[i]?.points[levels[i]! - 1];
    return points ? { ...m, codes: coarsen(m.codes, points) } : m;
  });
  return { ...q, matrices };
}

function firstOf(held: HeldOut, count: number): HeldOut {
  return { ...held, samples: held.samples.slice(0, count), metric: held.metric?.slice(0, count) };
}
