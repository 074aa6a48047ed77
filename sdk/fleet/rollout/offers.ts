import { hashOf } from './cohorts.ts';
import { runningOf } from './facts.ts';
import type { RolloutSpec } from './spec.ts';
import type { Decision, DeviceView, Rollout } from './state.ts';
import { variantFor } from './variants.ts';
import { isOpen } from './windows.ts';

const MINUTE = 60_000;

/** Whom to tell now, of those whose turn it is: within windows and rates, in an order that is always the same. */
export function offersOf({ spec, wave }: Rollout, views: readonly DeviceView[], now: number): Decision[] {
  const due = views.filter(({ member: m }) => m?.state === 'WAITING' && m.wave <= wave && (m.notBefore ?? 0) <= now);
  const chosen = due.map((view) => ({ view, variant: variantFor(spec, view.facts, new Set(view.member!.refused)) }));
  const skipped = chosen.flatMap(({ view, variant }): Decision[] => {
    const { device, attempt } = view.member!;
    return variant ? [] : [{ kind: 'outcome', device, attempt, state: 'SKIPPED' }];
  });
  if (!isOpen(spec.windows, now)) return skipped;
  const offers = chosen.flatMap(({ view, variant }) =>
    variant ? [{ hash: hashOf(spec.seed, view.facts.device), offer: offerOf(spec, view, variant.sha256, now) }] : [],
  );
  offers.sort((a, b) => a.hash - b.hash);
  return [...skipped, ...offers.slice(0, allowed(spec.rate, views, now)).map((o) => o.offer)];
}

function offerOf(spec: RolloutSpec, { member, facts }: DeviceView, target: string, at: number): Decision {
  const { online: present } = facts;
  const previous = runningOf(spec, facts);
  const had = previous === undefined ? {} : { previous };
  return { kind: 'offer', device: facts.device, attempt: member!.attempt + 1, target, at, present, ...had };
}

/** Who is away takes nobody's place. */
function allowed(rate: Rollout['spec']['rate'], views: readonly DeviceView[], now: number): number {
  const { perMinute = Number.POSITIVE_INFINITY, atOnce = Number.POSITIVE_INFINITY } = rate;
  const recent = views.filter(({ member }) => (member?.offered ?? Number.NEGATIVE_INFINITY) > now - MINUTE).length;
  const busy = views.filter(({ member, facts }) => member?.state === 'OFFERED' && facts.online).length;
  return Math.max(0, Math.min(perMinute - recent, atOnce - busy));
}
