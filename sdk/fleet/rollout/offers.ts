import { hashOf } from './cohorts.ts';
import type { Decision, DeviceView, Rollout } from './state.ts';
import { variantFor } from './variants.ts';
import { isOpen } from './windows.ts';

const MINUTE = 60_000;

/** Whom to tell now, of those whose turn it is: within windows and rates, in an order that is always the same. */
export function offersOf({ spec, wave }: Rollout, views: readonly DeviceView[], now: number): Decision[] {
  const due = views.filter(({ member: m }) => m?.state === 'WAITING' && m.wave <= wave && (m.notBefore ?? 0) <= now);
  const skipped = due.flatMap((view): Decision[] => {
    const { device, attempt, refused } = view.member!;
    const none = !variantFor(spec, view.facts, new Set(refused));
    return none ? [{ kind: 'outcome', device, attempt, state: 'SKIPPED' }] : [];
  });
  if (!isOpen(spec.windows, now)) return skipped;
  const offers = due.flatMap((view): (Decision & { kind: 'offer' })[] => {
    const { device, attempt, refused } = view.member!;
    const variant = variantFor(spec, view.facts, new Set(refused));
    const { online: present, running: previous } = view.facts;
    const had = previous === undefined ? {} : { previous };
    return variant
      ? [{ kind: 'offer', device, attempt: attempt + 1, target: variant.sha256, at: now, present, ...had }]
      : [];
  });
  const order = (d: Decision & { kind: 'offer' }): number => hashOf(spec.seed, d.device);
  offers.sort((a, b) => order(a) - order(b));
  return [...skipped, ...offers.slice(0, allowed(spec.rate, views, now))];
}

/** Who is away takes nobody's place. */
function allowed(rate: Rollout['spec']['rate'], views: readonly DeviceView[], now: number): number {
  const { perMinute = Number.POSITIVE_INFINITY, atOnce = Number.POSITIVE_INFINITY } = rate;
  const recent = views.filter(({ member }) => (member?.offered ?? Number.NEGATIVE_INFINITY) > now - MINUTE).length;
  const busy = views.filter(({ member, facts }) => member?.state === 'OFFERED' && facts.online).length;
  return Math.max(0, Math.min(perMinute - recent, atOnce - busy));
}
