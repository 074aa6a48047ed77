import type { Activations } from './activations.ts';
import type { Unit } from './allocate.ts';
import { type Context, needsMoments } from './context.ts';
import type { Layer } from './layers.ts';

/** Layers with a smaller share of a network's multiplications have no say in how long a run takes. */
const SHARE = 1 / 32;

/**
 * Layers whose time depends on how wide their codes are: products of bytes with one row, where nothing that is unpacked serves a second one, as far as they
 * are a part of the network's work. Codes of up to `oneRowBits` are multiplied there as they lie in memory.
 */
export function oneRowLayers(ctx: Context, activations: Activations): Set<Layer> {
  const work = (l: Layer): number => (needsMoments(l) ? l.params * l.positions : 0);
  const least = SHARE * ctx.layers.reduce((sum, l) => sum + work(l), 0);
  const isOne = (l: Layer): boolean => {
    const plan = activations.get(l)!;
    const bytes = plan.mode === 'dynamic' || (plan.mode === 'static' && plan.bits === 8);
    return l.positions === 1 && isWhole(l) && bytes && work(l) >= least;
  };
  return new Set(ctx.layers.filter(isOne));
}

/** Every output is a product with all of the row. */
const isWhole = ({ spec }: Layer): boolean =>
  spec?.kind === 'linear' || (spec?.kind === 'conv' && spec.groups === 1);

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
