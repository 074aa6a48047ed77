import { applyToMember } from './apply.ts';
import type { Decision, Member, MemberState } from './state.ts';

/** How many devices were in which state after a moment. */
export interface TimelinePoint {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly committed: number;
  /** Or stalled. */
  readonly failed: number;
  readonly reverted: number;
}

const FIELDS: Partial<Record<MemberState, 'committed' | 'failed' | 'reverted'>> = {
  COMMITTED: 'committed',
  FAILED: 'failed',
  STALLED: 'failed',
  REVERTED: 'reverted',
};

/** One point for each moment at which something was decided, in order. */
export function timelineOf(events: readonly { readonly at: number; readonly decision: Decision }[]): TimelinePoint[] {
  const members = new Map<string, Member>();
  const counts = { committed: 0, failed: 0, reverted: 0 };
  const points: TimelinePoint[] = [];
  for (const { at, decision } of events) {
    if ('device' in decision) {
      const before = members.get(decision.device);
      const after = applyToMember(before, decision);
      if (after) members.set(decision.device, after);
      const [from, to] = [before, after].map((m) => m && FIELDS[m.state]);
      if (from) counts[from]--;
      if (to) counts[to]++;
    }
    if (points.at(-1)?.at === at) points.pop();
    points.push({ at, ...counts });
  }
  return points;
}
