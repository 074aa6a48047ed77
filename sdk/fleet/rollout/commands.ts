import { EigenError } from '../../util/errors.ts';
import { cohortOf, cutsOf } from './cohorts.ts';
import { isFor } from './join.ts';
import { parseQuery } from './query/index.ts';
import { rolloutInvalid } from './spec.ts';
import { type AbortHow, type Decision, type DeviceView, isActive, type Rollout } from './state.ts';

/** What people do with a rollout. Each gives the decisions that do it, or says why it cannot be done now. */

export function approve(rollout: Rollout, now: number): Decision[] {
  if (rollout.phase !== 'DRAFT') throw wrongState(rollout, 'approved');
  return [phase(rollout, 'APPROVED', 0, now)];
}

/** Divides the devices that the query finds now, and begins with the canary. */
export function start(rollout: Rollout, devices: readonly DeviceView[], now: number): Decision[] {
  const { spec } = rollout;
  if (rollout.phase === 'DRAFT' && spec.approval)
    throw wrongState(rollout, 'started', 'Somebody who may approve has to approve it first.');
  if (rollout.phase !== 'DRAFT' && rollout.phase !== 'APPROVED') throw wrongState(rollout, 'started');
  const query = parseQuery(spec.query);
  const found = devices.filter((d) => isFor(spec, query, d)).map((d) => d.facts.device);
  if (found.length === 0)
    throw rolloutInvalid('query', 'it finds no device that a bundle is for and that is in no other rollout');
  const cuts = cutsOf(spec, found);
  const joins = found.map((device): Decision => {
    const cohort = cohortOf(cuts, spec.seed, device, false);
    const wave = 'control' in cohort ? spec.waves.length : cohort.wave;
    return { kind: 'join', device, wave, late: false };
  });
  return [{ ...phase(rollout, 'CANARY', 0, now), cuts }, ...joins];
}

export function pause(rollout: Rollout, reason: string, now: number): Decision[] {
  if (rollout.phase !== 'CANARY' && rollout.phase !== 'WAVE') throw wrongState(rollout, 'paused');
  return [{ ...phase(rollout, 'PAUSED', rollout.wave, now), reason }];
}

/** Goes on with the wave in which it was paused; its metrics are looked at anew. */
export function resume(rollout: Rollout, now: number): Decision[] {
  if (rollout.phase !== 'PAUSED') throw wrongState(rollout, 'resumed');
  return [phase(rollout, rollout.wave === 0 ? 'CANARY' : 'WAVE', rollout.wave, now)];
}

/** Ends it before its end; `revert` also ends one that is done, and takes back what it did. */
export function abort(rollout: Rollout, how: AbortHow, reason: string, now: number): Decision[] {
  const { phase: current, wave } = rollout;
  if (current === 'DRAFT' || current === 'APPROVED') return [{ ...phase(rollout, 'ABORTED', 0, now), reason }];
  const again = rollout.aborting?.how === 'revert' || how === 'leave';
  if ((current === 'ABORTING' && again) || (!isActive(current) && again)) throw wrongState(rollout, 'aborted');
  return [{ ...phase(rollout, 'ABORTING', wave, now), reason, aborting: { how, to: 'ABORTED', since: now } }];
}

function phase({ turn }: Rollout, to: Rollout['phase'], wave: number, at: number): Decision & { kind: 'phase' } {
  return { kind: 'phase', turn, phase: to, wave, at };
}

function wrongState({ id, phase: current, reason }: Rollout, done: string, hint?: string): EigenError {
  const why = reason === undefined ? '' : ` (${reason})`;
  return new EigenError('EW7301_ROLLOUT_STATE', `rollout ${id} is ${current}${why} and cannot be ${done}`, {
    hint: hint ?? 'Look at it with `eigenweights rollout watch`.',
    details: { id, phase: current },
  });
}
