import type { DeviceFacts } from './facts.ts';
import type { RolloutSpec, Variant } from './spec.ts';

/**
 * The bundle for a device: the first for its board that keeps the limits and was not refused by it. What the device itself measured counts
 * most, then figures of its own profile, then those of its board.
 * @param refused SHA-256 of bundles that its gate turned down.
 */
export function variantFor(
  { variants, limits }: Pick<RolloutSpec, 'variants' | 'limits'>,
  facts: Pick<DeviceFacts, 'board' | 'profile' | 'running' | 'p95' | 'memory'>,
  refused: ReadonlySet<string> = new Set(),
): Variant | undefined {
  const within = (value: number | undefined, limit: number | undefined): boolean =>
    value === undefined || limit === undefined || value <= limit;
  return bestKnown(variants, facts).find((variant) => {
    if (variant.board !== facts.board || refused.has(variant.sha256)) return false;
    const measured = facts.running === variant.sha256 ? facts : undefined;
    return (
      within(measured?.p95 ?? variant.p95Milliseconds, limits.p95Milliseconds) &&
      within(measured?.memory ?? variant.modelBytes, limits.modelBytes)
    );
  });
}

/** Every bundle once, in their order, with the figures that say most about the device. */
function bestKnown(
  variants: readonly Variant[],
  { profile, board }: Pick<DeviceFacts, 'profile' | 'board'>,
): Variant[] {
  const best = new Map<string, Variant>();
  for (const variant of variants) {
    if (variant.board !== board) continue;
    if (variant.profile !== undefined && variant.profile !== profile) continue;
    const known = best.get(variant.sha256);
    if (!known || (variant.profile !== undefined && known.profile === undefined)) best.set(variant.sha256, variant);
  }
  return [...best.values()];
}
