import type { Decision, Member, Rollout } from './state.ts';

/** A rollout after a decision about it as a whole; itself after one about a device. */
export function applyToRollout(rollout: Rollout, decision: Decision): Rollout {
  switch (decision.kind) {
    case 'soak':
      return { ...rollout, soaking: decision.at };
    case 'look':
      return { ...rollout, looks: decision.look + 1, comparisons: decision.comparisons };
    case 'phase':
      return afterPhase(rollout, decision);
    default:
      return rollout;
  }
}

function afterPhase(rollout: Rollout, decision: Decision & { kind: 'phase' }): Rollout {
  const { turn, phase, wave, at, reason, cuts, aborting } = decision;
  const { reason: _, ...rest } = rollout;
  const begins = (phase === 'CANARY' || phase === 'WAVE') && (rollout.phase !== 'PAUSED' || wave !== rollout.wave);
  const resumes = rollout.phase === 'PAUSED' && !begins;
  const { soaking: _s, waveStarted: _w, ...before } = rest;
  return {
    ...(begins ? before : rest),
    phase,
    wave,
    turn: turn + 1,
    looks: begins || resumes ? 0 : rollout.looks,
    ...(begins || resumes ? { waveStarted: at } : {}),
    ...(resumes && rollout.soaking !== undefined ? { soaking: at } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(cuts ? { cuts, started: at } : {}),
    ...(phase === 'DONE' ? { ended: at } : {}),
    ...(aborting ? { aborting } : {}),
  };
}

/** A device's part after a decision; undefined before it joined. */
export function applyToMember(member: Member | undefined, decision: Decision): Member | undefined {
  if (decision.kind === 'join') {
    const { device, wave, late } = decision;
    return member ?? { device, wave, late, state: 'WAITING', undone: false, attempt: 0, failures: 0, refused: [] };
  }
  if (!member || !('device' in decision) || decision.device !== member.device) return member;
  switch (decision.kind) {
    case 'offer': {
      const { attempt, target, at, present, previous } = decision;
      const { contacted: _, notBefore: _n, code: _c, reason: _r, ...rest } = member;
      const first = member.attempt === 0 && previous !== undefined ? { previous } : {};
      const contact = present ? { contacted: at } : {};
      return { ...rest, state: 'OFFERED', attempt, target, offered: at, ...first, ...contact };
    }
    case 'contact':
      return { ...member, contacted: decision.at };
    case 'revert':
      return { ...member, state: 'REVERTING', undone: true, attempt: decision.attempt, offered: decision.at };
    case 'outcome': {
      const { state, code, reason, refused, failed, notBefore } = decision;
      return {
        ...member,
        state,
        failures: member.failures + (failed ? 1 : 0),
        refused: refused === undefined ? member.refused : [...member.refused, refused],
        ...(code === undefined ? {} : { code }),
        ...(reason === undefined ? {} : { reason }),
        ...(notBefore === undefined ? {} : { notBefore }),
      };
    }
    default:
      return decision satisfies never;
  }
}
