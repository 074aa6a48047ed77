import type { Comparison } from './compare.ts';
import { missing } from './gate.ts';
import { type Member, type Phase, type Rollout, waveName } from './state.ts';
import { type Tally, tallyOf } from './tally.ts';

/** How a rollout stands, for people and programs that watch it. */
export interface Summary {
  readonly id: string;
  readonly phase: Phase;
  /** In work: canary, wave 1, ... */
  readonly wave: string;
  readonly reason?: string;
  /** What the wave in work waits for. */
  readonly waits?: string;
  readonly started?: number;
  readonly waves: readonly (Tally & { readonly name: string; readonly number: number })[];
  /** What metrics were when they were last compared. */
  readonly comparisons: readonly (Comparison & { readonly margin: number })[];
  readonly failures: readonly Pick<Member, 'device' | 'state' | 'code' | 'reason'>[];
}

/** Failures that are named. */
const MOST_FAILURES = 100;

export function summaryOf(rollout: Rollout, members: readonly Member[]): Summary {
  const { id, spec, phase, wave, reason, started, soaking, comparisons = [] } = rollout;
  const count = spec.waves.length + (spec.control ? 1 : 0);
  const waves = Array.from({ length: count }, (_, number) => ({
    name: waveName(spec, number),
    number,
    ...tallyOf(members.filter((m) => m.wave === number)),
  }));
  const active = phase === 'CANARY' || phase === 'WAVE' ? waves[wave] : undefined;
  const waits = active && (soaking === undefined ? missing(rollout, active) : 'it is watched');
  const failed = members.filter((m) => m.state === 'FAILED' || m.state === 'STALLED' || m.code !== undefined);
  return {
    id,
    phase,
    wave: waveName(spec, wave),
    ...(reason === undefined ? {} : { reason }),
    ...(waits === undefined ? {} : { waits }),
    ...(started === undefined ? {} : { started }),
    waves,
    comparisons: comparisons.map((c) => ({ ...c, margin: spec.gate.metrics.find((m) => m.name === c.metric)!.margin })),
    failures: failed.slice(0, MOST_FAILURES).map(({ device, state, code, reason }) => ({
      device,
      state,
      ...(code ? { code } : {}),
      ...(reason ? { reason } : {}),
    })),
  };
}
