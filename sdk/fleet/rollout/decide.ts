import { applyToMember, applyToRollout } from './apply.ts';
import { cohortOf } from './cohorts.ts';
import { gateVerdict, missing, stopReason } from './gate.ts';
import { isFor } from './join.ts';
import { dueLook, lookAt } from './looks.ts';
import { offersOf } from './offers.ts';
import { parseQuery } from './query/index.ts';
import { settle } from './settle.ts';
import { type Decision, type DeviceView, isActive, type Rollout, tellKey, waveName } from './state.ts';
import { membersOf, tallyOf } from './tally.ts';

/**
 * What is to be done next: a pure function of the rollout, its devices and the time. What it says twice has the same keys twice, so a
 * decision that was taken and forgotten (its controller died) comes to the same.
 */
export function decide(rollout: Rollout, devices: readonly DeviceView[], now: number): Decision[] {
  if (rollout.phase === 'DRAFT' || rollout.phase === 'APPROVED') return [];
  const work = new Work(rollout, devices);
  work.take(devices.flatMap((view) => settle(rollout.spec, view, now)));
  if (rollout.phase === 'ABORTING') abort(work, now);
  else if (isActive(rollout.phase)) proceed(work, now);
  else if (rollout.phase === 'DONE') linger(work, now);
  return work.decisions;
}

/** Decisions so far, and what the world is with them. */
class Work {
  readonly decisions: Decision[] = [];
  rollout: Rollout;
  views: readonly DeviceView[];

  constructor(rollout: Rollout, views: readonly DeviceView[]) {
    this.rollout = rollout;
    this.views = views;
  }

  take(decisions: readonly Decision[]): void {
    if (decisions.length === 0) return;
    this.decisions.push(...decisions);
    for (const decision of decisions) this.rollout = applyToRollout(this.rollout, decision);
    const byDevice = new Map(decisions.flatMap((d) => ('device' in d ? [[d.device, d] as const] : [])));
    this.views = this.views.map((view) => {
      const decision = byDevice.get(view.facts.device);
      const member = decision && applyToMember(view.member, decision);
      return member ? { ...view, member } : view;
    });
  }

  /** Changes the phase of the rollout. */
  turn(phase: Rollout['phase'], wave: number, at: number, more: Partial<Decision & { kind: 'phase' }> = {}): void {
    this.take([{ kind: 'phase', turn: this.rollout.turn, phase, wave, at, ...more }]);
  }

  stop(reason: string, at: number, how = this.rollout.spec.onStop): void {
    this.turn('ABORTING', this.rollout.wave, at, { reason, aborting: { how, to: 'FAILED', since: at } });
  }
}

function proceed(work: Work, now: number): void {
  const { spec, started, phase } = work.rollout;
  const late = now >= started! + spec.endMilliseconds;
  const members = membersOf(work.views);
  const own = members.filter((m) => m.wave === work.rollout.wave);
  const failed = stopReason(work.rollout, tallyOf(members), tallyOf(own));
  if (late) work.stop('it did not end in time', now, 'leave');
  else if (failed !== undefined) work.stop(failed, now);
  if (late || failed !== undefined || phase === 'PAUSED') return;
  work.take(joins(work, spec.query));
  if (judge(work, now)) return;
  work.take(offersOf(work.rollout, work.views, now));
}

/**
 * A rollout that is done goes on for devices that its query finds only now, and for those whose time had not come: until a later one or a
 * person has them, or so many fail that it would have been stopped. Its gates have passed: nobody waits for them.
 */
function linger(work: Work, now: number): void {
  const members = membersOf(work.views);
  const own = members.filter((m) => m.wave === work.rollout.wave);
  if (stopReason(work.rollout, tallyOf(members), tallyOf(own)) !== undefined) return;
  work.take(joins(work, work.rollout.spec.query));
  const free = work.views.filter((view) => !view.taken);
  work.take(offersOf(work.rollout, free, now));
}

/** Devices that the query finds and that are not in it yet: they came later. */
function joins({ rollout, views }: Work, text: string): Decision[] {
  const query = parseQuery(text);
  const { spec, cuts } = rollout;
  return views.flatMap((view): Decision[] => {
    const { member, facts } = view;
    if (member || !isFor(spec, query, view)) return [];
    const cohort = cohortOf(cuts!, spec.seed, facts.device, true);
    const wave = 'control' in cohort ? spec.waves.length : cohort.wave;
    return [{ kind: 'join', device: facts.device, wave, late: true }];
  });
}

/** The gate of the wave; true when the rollout is in another phase for it. */
function judge(work: Work, now: number): boolean {
  const { spec, wave, waveStarted } = work.rollout;
  const members = membersOf(work.views);
  const lacks = missing(work.rollout, tallyOf(members.filter((m) => m.wave === wave)));
  if (work.rollout.soaking === undefined && lacks === undefined)
    work.take([{ kind: 'soak', turn: work.rollout.turn, at: now }]);
  if (work.rollout.soaking === undefined) {
    // Devices have their own time; this is that of waiting for those that are away.
    const waited = now >= waveStarted! + spec.deadlineMilliseconds;
    const busy = members.some(
      (m) =>
        m.wave === wave && !m.late && (m.state === 'WAITING' || (m.contacted !== undefined && m.state === 'OFFERED')),
    );
    if (!waited || busy) return false;
    work.turn('PAUSED', wave, now, { reason: `${waveName(spec, wave)}: ${lacks}` });
    return true;
  }
  const look = dueLook(work.rollout, now);
  if (look !== undefined)
    work.take([{ kind: 'look', turn: work.rollout.turn, look, comparisons: lookAt(work.rollout, work.views) }]);
  const verdict = gateVerdict(work.rollout, tallyOf(members), now);
  if (verdict.kind === 'wait') return false;
  if (verdict.kind === 'stop') work.stop(`${waveName(spec, wave)}: ${verdict.reason}`, now);
  else if (verdict.kind === 'pause')
    work.turn('PAUSED', wave, now, { reason: `${waveName(spec, wave)}: ${verdict.reason}` });
  else next(work, now);
  return true;
}

/** The next wave; those that were held back come after the last. */
function next(work: Work, now: number): void {
  const { spec, wave } = work.rollout;
  const last = spec.control ? spec.waves.length : spec.waves.length - 1;
  if (wave < last) work.turn('WAVE', wave + 1, now);
  else work.turn('DONE', wave, now);
}

function abort(work: Work, now: number): void {
  const { how, to, since } = work.rollout.aborting!;
  work.take(work.views.flatMap((view) => undo(view, how, now)));
  // Who is away hears of it when it is back.
  const busy = work.views.some(({ member, facts }) => member?.state === 'REVERTING' && facts.online);
  if (busy && now < since + work.rollout.spec.deadlineMilliseconds) return;
  work.turn(to, work.rollout.wave, now, { reason: work.rollout.reason ?? 'it was aborted' });
}

/** Tells a device to be what it was. What is under way is taken back, whether what is done stays or not. */
function undo({ member, told }: DeviceView, how: 'revert' | 'leave', now: number): Decision[] {
  // Who has been told something else since is another's business.
  if (!member || member.undone || told?.key !== tellKey(member)) return [];
  const { device, attempt, state, previous, target } = member;
  const done = state === 'COMMITTED';
  const concerned = done
    ? how === 'revert'
    : state === 'OFFERED' || state === 'FAILED' || state === 'STALLED' || state === 'WAITING';
  if (!concerned || (done && (previous === undefined || previous === target))) return [];
  return [
    { kind: 'revert', device, attempt: attempt + 1, at: now, ...(previous === undefined ? {} : { target: previous }) },
  ];
}
