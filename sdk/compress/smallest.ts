import type { Candidate, Passes } from './passes.ts';
import { checkSignal } from './stream.ts';

/** Sizes grow or shrink by this until one keeps the quality and one does not. */
const STRIDE = 1.4;
/** The two are as close as this at the end. */
const CLOSE = 1.03;
/** Below this share of the size asked for, codes are as fine as they get; above its inverse, as coarse. */
const SATURATED = 0.9;
/** Sizes measured at most; each takes a fit of the whole network. */
const MOST = 16;

/**
 * The smallest size that keeps `minQuality` on the held-out samples with its whole interval, to 3 %: bracketed from `wireBudgetBytes` on,
 * then narrowed. The best of many tries is lucky, so what the quality itself reaches is not enough. When no size keeps it, the one that
 * comes nearest.
 */
export async function smallest(passes: Passes): Promise<Candidate> {
  const { options, signal } = passes.prepared.ctx;
  const { minQuality, wireBudgetBytes } = options;
  const keeps = (c: Candidate): boolean => c.point.low >= minQuality;
  let candidate = await passes.at(wireBudgetBytes);
  // What the first size found out about damping holds for its neighbours.
  const dampings = [candidate.plan.damping ?? 1];
  let passing: Candidate | undefined;
  let failing: Candidate | undefined;
  let best = candidate;
  for (let measured = 1; ; measured++) {
    if (keeps(candidate)) passing = candidate;
    else failing = candidate;
    if (candidate.point.low > best.point.low) best = candidate;
    const next = nextSize(passing, failing, minQuality);
    if (next === undefined || measured === MOST) break;
    checkSignal(signal);
    candidate = await passes.at(next, dampings);
  }
  const found = passing ?? best;
  passes.install(found);
  return found;
}

/** What to measure next; undefined when the two sizes are close, or when no other size is left to try. */
export function nextSize(
  passing: Candidate | undefined,
  failing: Candidate | undefined,
  minQuality: number,
): number | undefined {
  if (!failing) {
    const { wireBytes, point } = passing!;
    return point.wireBytes > wireBytes / SATURATED ? undefined : Math.round(wireBytes / STRIDE);
  }
  if (!passing) {
    const { wireBytes, point } = failing;
    return point.wireBytes < SATURATED * wireBytes
      ? undefined
      : Math.round(Math.max(wireBytes, point.wireBytes) * STRIDE);
  }
  // By what was asked for: small networks have few sizes, and several asked for give the same.
  const low = Math.max(failing.wireBytes, failing.point.wireBytes);
  const high = passing.point.wireBytes;
  if (high <= low * CLOSE) return undefined;
  // The loss falls about exponentially with the size.
  const loss = (kept: number): number => Math.log(Math.max(1e-6, 1 - kept));
  const [from, to] = [loss(failing.point.low), loss(passing.point.low)];
  const at = from > to ? (from - loss(minQuality)) / (from - to) : 0.5;
  return Math.round(low + (high - low) * Math.max(0.2, Math.min(0.8, at)));
}
