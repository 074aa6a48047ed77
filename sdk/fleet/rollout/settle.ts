import { hashOf } from './cohorts.ts';
import { runningOf } from './facts.ts';
import type { RolloutSpec } from './spec.ts';
import { type Decision, type DeviceView, type Member, type Told, tellKey } from './state.ts';
import { variantFor } from './variants.ts';

type Outcome = Decision & { kind: 'outcome' };
type Ending = Omit<Outcome, 'kind' | 'device' | 'attempt'>;

/** A device can be given another bundle of the release after its gate turned one down. */
const GATE = 'EW7005_GATE_FAILED';

/** What became of a device since it was told something, as far as that is known. */
export function settle(spec: RolloutSpec, view: DeviceView, now: number): Decision[] {
  const { member } = view;
  if (!member) return [];
  const { device, attempt } = member;
  const told = view.told?.key === tellKey(member) ? view.told : undefined;
  if (member.state === 'REVERTING' || (member.state === 'STALLED' && member.undone))
    return ended(member, endOfRevert(spec, view, told, now));
  if (member.state === 'STALLED') return ended(member, told && endOfOffer(spec, view, told, now));
  if (member.state !== 'OFFERED') return [];
  const ending = endOfOffer(spec, view, told, now);
  if (ending) return ended(member, ending);
  const { contacted, offered } = member;
  const there = told?.state === 'delivered' || view.lastSeen > offered!;
  if (contacted === undefined) return there ? [{ kind: 'contact', device, attempt, at: now }] : [];
  const late = now >= contacted + spec.deadlineMilliseconds;
  return ended(member, late ? { state: 'STALLED' } : undefined);
}

function ended({ device, attempt, state }: Member, ending: Ending | undefined): Outcome[] {
  return ending && ending.state !== state ? [{ kind: 'outcome', device, attempt, ...ending }] : [];
}

function endOfOffer(
  spec: RolloutSpec,
  { member, facts }: DeviceView,
  told: Told | undefined,
  now: number,
): Ending | undefined {
  const { target, previous, refused } = member!;
  // It had it before it was told.
  if (previous === target && runningOf(spec, facts) === target) return { state: 'COMMITTED' };
  if (!told) return undefined;
  const why = whyOf(told);
  switch (told.state) {
    case 'pending':
    case 'delivered':
      return undefined;
    case 'committed':
      return { state: 'COMMITTED' };
    case 'stalled':
      return { state: 'STALLED' };
    case 'rolled-back':
      return { state: 'FAILED', ...why };
    case 'refused':
    case 'failed': {
      const other = told.code === GATE && variantFor(spec, facts, new Set([...refused, target!]));
      if (other) return { state: 'WAITING', refused: target!, ...why };
      if (told.state === 'refused' || told.code === GATE) return { state: 'FAILED', ...why };
      return { ...(again(spec, member!, now) ?? { state: 'FAILED', failed: true }), ...why };
    }
    default:
      return told.state satisfies never;
  }
}

function whyOf({ code, reason }: Told): Pick<Ending, 'code' | 'reason'> {
  return { ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }) };
}

/** Another try after a wait that doubles, by half to the whole of it so that devices spread; undefined after the last. */
function again({ retries, seed }: RolloutSpec, member: Member, now: number): Ending | undefined {
  const { failures, device, attempt } = member;
  if (failures >= retries.most) return undefined;
  const wait = retries.waitMilliseconds * 2 ** failures;
  const jitter = (1 + hashOf(seed, `${device}/${attempt}`)) / 2;
  return { state: 'WAITING', failed: true, notBefore: now + Math.round(wait * jitter) };
}

/** A device that cannot go back by itself goes on trying; here it is given up. */
function endOfRevert(
  spec: RolloutSpec,
  { member, facts }: DeviceView,
  told: Told | undefined,
  now: number,
): Ending | undefined {
  const { previous, target, offered } = member!;
  if (previous === undefined && spec.kind === 'model') return { state: 'REVERTED' };
  const knows = told !== undefined && told.state !== 'pending';
  // It was only told to leave the new agent alone, and may have had it by then.
  if (knows && previous === undefined) return { state: runningOf(spec, facts) === target ? 'COMMITTED' : 'REVERTED' };
  if (knows && (told.state === 'committed' || runningOf(spec, facts) === previous)) return { state: 'REVERTED' };
  if (knows && told.state !== 'delivered') return { state: 'STALLED', ...whyOf(told) };
  return now >= offered! + spec.deadlineMilliseconds ? { state: 'STALLED' } : undefined;
}
