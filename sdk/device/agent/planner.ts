import type { Assignment } from '../../wire/assignment.ts';
import type { SlotState } from '../store/slots.ts';
import { type Failure, retryAt } from './ledger.ts';

/** Steps of an update, in order. */
const INSTALLATION = ['CHECK', 'PREFLIGHT', 'FETCH', 'VERIFY', 'LOAD', 'GATE', 'SHADOW', 'SWAP'] as const;
export type InstallStep = (typeof INSTALLATION)[number];

export type StepName = InstallStep | 'PROBATION' | 'COMMIT' | 'ROLLBACK' | 'REPORT' | 'IDLE';

export type Step =
  /** Nothing is to be done, before a time (milliseconds since 1970) if there is one. */
  | { readonly name: 'IDLE'; readonly why: string; readonly until?: number }
  | { readonly name: InstallStep; readonly assignment: Assignment }
  /** The new model runs and is watched. */
  | { readonly name: 'PROBATION'; readonly milliseconds: number }
  | { readonly name: 'COMMIT' }
  | { readonly name: 'ROLLBACK'; readonly why: string }
  | { readonly name: 'REPORT' };

/** What is known about the device when a step is planned. */
export interface DeviceState {
  /** Name of the device: what its waits differ by. */
  readonly device: string;
  readonly slots: SlotState;
  /** SHA-256 of the blob whose model runs; absent while none does. */
  readonly serving?: string;
  /** Present while what runs is on probation. */
  readonly trial?: Trial;
  /** Of the blob that is assigned. */
  readonly failure?: Failure;
  /** There is an outcome to be reported now. */
  readonly reportDue?: boolean;
  /** Steps that are done for an assignment since the device was started. */
  readonly progress?: Progress;
}

/** What is measured of a model on probation since it runs. */
export interface Trial {
  readonly milliseconds: number;
  /** What is wrong with it. */
  readonly unhealthy?: string;
}

export interface Progress {
  readonly sha256: string;
  readonly release: number;
  readonly done: ReadonlySet<InstallStep>;
  /** A condition of the device (a window, its power, its temperature) asks to wait for so long. */
  readonly waiting?: { readonly milliseconds: number; readonly why: string };
}

/**
 * The steps from what a device is to what it is to be, the first to be taken now; the others are what follows if nothing changes. Pure:
 * the same state gives the same steps.
 * @param now milliseconds since 1970.
 */
export function plan(assignment: Assignment | undefined, state: DeviceState, now: number): Step[] {
  const ending = endingOf(state);
  if (ending) return ending;
  const report: Step[] = state.reportDue ? [{ name: 'REPORT' }] : [];
  const idle = idleReason(assignment, state, now);
  if (idle) return [...report, idle];
  return [...report, ...installation(assignment!, state)];
}

/** What a probation comes to, whatever is assigned and however old that is. */
function endingOf({ slots, serving, trial }: DeviceState): Step[] | undefined {
  const { active } = slots;
  if (!slots.trial || !active) return undefined;
  const back = (why: string): Step[] => [{ name: 'ROLLBACK', why }, { name: 'REPORT' }];
  if (serving !== slots.slots[active]?.sha256) return back('it could not be started');
  if (!trial) return undefined;
  if (trial.unhealthy !== undefined) return back(trial.unhealthy);
  const milliseconds = slots.trial.milliseconds - trial.milliseconds;
  const commit: Step[] = [{ name: 'COMMIT' }, { name: 'REPORT' }];
  return milliseconds > 0 ? [{ name: 'PROBATION', milliseconds }, ...commit] : commit;
}

function idleReason(assignment: Assignment | undefined, state: DeviceState, now: number): Step | undefined {
  const idle = (why: string, until?: number): Step => ({
    name: 'IDLE',
    why,
    ...(until === undefined ? {} : { until }),
  });
  if (!assignment) return idle('nothing is assigned');
  const { slots, serving, failure } = state;
  const { blob, release } = assignment;
  if (serving === blob.sha256 && slots.active && slots.slots[slots.active]?.sha256 === serving)
    return idle('what is assigned runs');
  // Not "lower or equal": a number that is none is no higher release.
  const higher = failure === undefined || release > failure.release;
  if (failure?.poisoned && !higher)
    return idle(`release ${failure.release} of it failed in ${failure.step}: ${failure.reason}`);
  if (now >= assignment.expires) return idle('what is assigned has expired');
  if (failure && !higher) {
    const until = retryAt(failure, state.device);
    // A clock that was set back says nothing about when that was.
    if (now >= failure.at && now < until)
      return idle(`attempt ${failure.attempts} failed in ${failure.step}: ${failure.reason}`, until);
  }
  const waiting = progressFor(assignment, state)?.waiting;
  return waiting && idle(waiting.why, now + waiting.milliseconds);
}

function installation(assignment: Assignment, state: DeviceState): Step[] {
  const done = progressFor(assignment, state)?.done ?? new Set();
  const shadowed = assignment.shadowInputs > 0 && state.serving !== undefined;
  const names = INSTALLATION.filter((name) => !done.has(name) && (name !== 'SHADOW' || shadowed));
  return [
    ...names.map((name): Step => ({ name, assignment })),
    { name: 'PROBATION', ...assignment.probation },
    { name: 'COMMIT' },
    { name: 'REPORT' },
  ];
}

function progressFor({ blob, release }: Assignment, { progress }: DeviceState): Progress | undefined {
  return progress?.sha256 === blob.sha256 && progress.release === release ? progress : undefined;
}

/** A plan as a line, for people: CHECK PREFLIGHT ... */
export function describePlan(steps: readonly Step[]): string {
  return steps.map((s) => (s.name === 'IDLE' ? `IDLE (${s.why})` : s.name)).join(' ');
}
