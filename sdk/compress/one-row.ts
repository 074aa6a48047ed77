import type { Activations } from './activations.ts';
import type { Unit } from './allocate.ts';
import { type Context, needsMoments } from './context.ts';
import type { Layer } from './layers.ts';

/** Shares of a network's multiplications: where such layers have less of them together, time is no reason for a plan, and a layer that has less is left as it is. */
const TOGETHER = 1 / 8;
const ALONE = 1 / 32;

/**
 * Layers whose time depends on how wide their codes are: products of bytes with one row, where nothing that is unpacked serves a second one, as far as they
 * are a part of the network's work. Codes of up to `oneRowBits` are multiplied there as they lie in memory.
 */
export function oneRowLayers(ctx: Context, activations: Activations): Set<Layer> {
  const work = (l: Layer): number => (needsMoments(l) ? l.params * l.positions : 0);
  const total = (layers: readonly Layer[]): number => layers.reduce((sum, l) => sum + work(l), 0);
  const all = total(ctx.layers);
  const isOne = (l: Layer): boolean => {
    const plan = activations.get(l)!;
    const bytes = plan.mode === 'dynamic' || (plan.mode === 'static' && plan.bits === 8);
    return l.positions === 1 && isWhole(l) && bytes && work(l) >= ALONE * all;
  };
  const found = ctx.layers.filter(isOne);
  return new Set(total(found) >= TOGETHER * all ? found : []);
}

/** Every output is a product with all of the row. */
const isWhole = ({ spec }: Layer): boolean => spec?.kind === 'linear' || (spec?.kind === 'conv' && spec.groups === 1);

/**
 * The unit with codes of at most so many bits, which take as many in memory; undefined where there are none. What codes took beyond the curves in memory was
 * found with wider ones.
 */
export function narrowed(unit: Unit, bits: number): Unit | undefined {
  const curves = unit.curves
    .filter((c) => c.bits <= bits)
    .map((c) => ({ ...c, resident: c.resident.map((b) => Math.max(b, bits)) }));
  if (curves.length === 0) return undefined;
  return { ...unit, curves, ...(unit.excess ? { excess: { ...unit.excess, resident: 0 } } : {}) };
}
