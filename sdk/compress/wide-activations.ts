import { valueNamed } from '../ir/graph.ts';
import { sizeOf } from '../util/tensor.ts';
import type { StorageCost } from './activations.ts';
import { type Context, needsMoments } from './context.ts';
import type { Layer } from './layers.ts';

/**
 * Share of the weights' divergence that 8-bit activations may add before some get 16 bits. 0.25 left the text recogniser six
 * times the divergence of 0.05.
 */
const ACTIVATION_SHARE = 0.05;
/** Divergence that changes no answers, nats a row: no activation gets 16 bits for less, since they take twice the memory. */
const NEGLIGIBLE = 3e-4;
/** What time is worth: a network may take 1 % longer for this many per cent less divergence. */
const TIME_PRICE = 1;
/**
 * Share of the weights' divergence that 8 bits may be expected to add before 16 are worth any time. What is expected is what rounding costs before the fit, which makes
 * a part of it good: the text recogniser, where 8 bits are then expected to double it, diverges half more on labelled lines (0.025 nats in place of 0.016), has as many characters
 * right, and its products take 1.03 times what they would without any 16 bits in place of 1.30.
 */
const MADE_GOOD = 1;

/**
 * What has 16 bits, best worth it first: what reaches an output past all layers; then of what is worth its time, whatever costs most. Where time
 * is limited, the limit says what time is worth, and what saves most for it goes first.
 */
export function wideStorages(ctx: Context, costs: readonly StorageCost[], weightDivergence: number): StorageCost[] {
  const { wideActivations, maxLatencyMs } = ctx.options;
  if (wideActivations === 'none') return [];
  if (wideActivations === 'all') return [...costs];
  const wide = costs.filter(({ cost }) => cost === Number.POSITIVE_INFINITY);
  const finite = costs.filter((c) => !wide.includes(c));
  const others = maxLatencyMs === undefined ? worthTheirTime(ctx, finite, weightDivergence) : finite;
  const chosen: StorageCost[] = [];
  let left = others.reduce((sum, c) => sum + c.cost, 0);
  for (const c of others) {
    if (left <= Math.max(NEGLIGIBLE, ACTIVATION_SHARE * weightDivergence)) break;
    chosen.push(c);
    left -= c.cost;
  }
  return [...wide, ...(maxLatencyMs === undefined ? chosen : byTime(ctx, chosen))];
}

/**
 * Those of the storages whose 16 bits are worth their time: as many, in the order of what they save for it, as leave the least divergence x time ^ TIME_PRICE, those that
 * take time only until the others are expected to add no more than the weights.
 */
function worthTheirTime(ctx: Context, costs: readonly StorageCost[], weightDivergence: number): StorageCost[] {
  if (!ctx.options.productTime) return [...costs];
  let time = ctx.layers.reduce((t, l) => t + (needsMoments(l) ? productTimeOf(ctx, l, 8) : 0), 0);
  const weights = NEGLIGIBLE + weightDivergence;
  let divergence = weights + costs.reduce((sum, c) => sum + c.cost, 0);
  const loss = (): number => Math.log(divergence) + TIME_PRICE * Math.log(time);
  const order = byTime(ctx, costs);
  let [best, least] = [0, loss()];
  for (const [i, c] of order.entries()) {
    const added = addedTime(ctx, c);
    if (added > 0 && divergence <= (1 + MADE_GOOD) * weights) break;
    divergence -= c.cost;
    time += added;
    if (loss() <= least) [best, least] = [i + 1, loss()];
  }
  const worth = new Set(order.slice(0, best));
  return costs.filter((c) => worth.has(c));
}

/** By the divergence saved for the time that it takes, most first; of what takes none, by divergence. */
function byTime(ctx: Context, costs: readonly StorageCost[]): StorageCost[] {
  const rates = new Map(
    costs.map((c) => {
      const time = addedTime(ctx, c);
      return [c, time > 0 ? c.cost / time : Number.POSITIVE_INFINITY];
    }),
  );
  const rateOf = (c: StorageCost): number => rates.get(c)!;
  return [...costs].sort((a, b) => (rateOf(a) === rateOf(b) ? b.cost - a.cost : rateOf(b) - rateOf(a)));
}

/** What the products with 16-bit activations take longer. */
function addedTime(ctx: Context, { storage }: StorageCost): number {
  return storage.layers.reduce((t, l) => t + productTimeOf(ctx, l, 16) - productTimeOf(ctx, l, 8), 0);
}

function productTimeOf({ graph, options }: Context, l: Layer, bits: 8 | 16): number {
  const elements = sizeOf(valueNamed(graph, l.input).type.shape) + l.positions * l.matrices[0]!.rows + l.params;
  return options.productTime?.({ macs: l.params * l.positions, elements }, bits) ?? 0;
}
