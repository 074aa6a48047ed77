import type { DeviceView, Member } from './state.ts';

/** How far the devices of a wave are, or those of all waves. */
export interface Tally {
  readonly devices: number;
  readonly committed: number;
  readonly failed: number;
  readonly stalled: number;
  /** Told, and not there since. */
  readonly absent: number;
  /** To be told, or told and at it; those that came late do not count. */
  readonly open: number;
  readonly skipped: number;
  readonly reverted: number;
  readonly reverting: number;
}

export function executed({ committed, failed, stalled }: Tally): number {
  return committed + failed + stalled;
}

export function errorsOf({ failed, stalled }: Tally): number {
  return failed + stalled;
}

export function tallyOf(members: Iterable<Member>): Tally {
  const tally = {
    devices: 0,
    committed: 0,
    failed: 0,
    stalled: 0,
    absent: 0,
    open: 0,
    skipped: 0,
    reverted: 0,
    reverting: 0,
  };
  for (const member of members) {
    if (member.state === 'SKIPPED') tally.skipped++;
    else tally.devices++;
    const field = fieldOf(member);
    if (field) tally[field]++;
  }
  return tally;
}

function fieldOf(member: Member): Exclude<keyof Tally, 'devices' | 'skipped'> | undefined {
  switch (member.state) {
    case 'WAITING':
      return member.late ? undefined : 'open';
    case 'OFFERED':
      if (member.contacted === undefined) return 'absent';
      return member.late ? undefined : 'open';
    case 'COMMITTED':
      return 'committed';
    case 'FAILED':
      return 'failed';
    case 'STALLED':
      return 'stalled';
    case 'REVERTING':
      return 'reverting';
    case 'REVERTED':
      return 'reverted';
    case 'SKIPPED':
      return undefined;
    default:
      return member.state satisfies never;
  }
}

export function membersOf(views: Iterable<DeviceView>): Member[] {
  return [...views].flatMap((v) => (v.member ? [v.member] : []));
}
