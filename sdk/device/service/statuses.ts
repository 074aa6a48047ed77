import type { Clock } from '../../util/clock.ts';
import type { UpdateStep } from '../../wire/protocol/messages.ts';
import type { Taken } from '../agent/agent.ts';
import type { InstallStep } from '../agent/planner.ts';
import type { Status } from '../link/index.ts';
import type { Progress } from './counted-source.ts';
import { textOf } from './reports.ts';
import type { Kind } from './upstream.ts';

export interface StatusParts {
  readonly clock: Pick<Clock, 'after'>;
  /** Revision of the desired state that the device works on. */
  rev(): number | undefined;
  /** Of what is being fetched. */
  progress(): Progress | undefined;
  say(status: Status): Promise<void>;
}

/** Between two statuses, milliseconds: a controller has many devices. */
const EVERY = 1000;
/** And where a download has come further and nothing else has changed. */
const PROGRESS_EVERY = 20_000;

/** Says what the device does and what it waits for when that has changed, at most once a second; the last word is said. */
export class Statuses {
  private readonly parts: StatusParts;
  private readonly newest = new Map<Kind, Pick<Status, 'step' | 'why'>>();
  /** What was said last. */
  private said = '';
  private cancel: (() => void) | undefined;
  private urgent = false;
  private closed = false;

  constructor(parts: StatusParts) {
    this.parts = parts;
  }

  /** A step of an installation begins: it may take long. */
  begun(kind: Kind, step: InstallStep): void {
    this.set(kind, { step: nameOf(step) });
  }

  taken(kind: Kind, { step, ended, reason }: Taken): void {
    // Of an installation the beginning of the next step is said, or why there is none.
    if (step.name === 'REPORT' || ('assignment' in step && ended !== 'waiting')) return;
    const why = step.name === 'PROBATION' ? undefined : 'why' in step ? step.why : reason;
    this.set(kind, { step: nameOf(step.name), ...(why ? { why: textOf(why) } : {}) });
  }

  close(): void {
    this.closed = true;
    this.cancel?.();
  }

  private set(kind: Kind, status: Pick<Status, 'step' | 'why'>): void {
    this.newest.set(kind, status);
    if (this.urgent) return;
    this.urgent = true;
    this.sayAfter(EVERY);
  }

  private sayAfter(milliseconds: number): void {
    this.cancel?.();
    if (this.closed) return;
    this.cancel = this.parts.clock.after(milliseconds, () => void this.say());
  }

  private async say(): Promise<void> {
    const { newest, parts } = this;
    this.urgent = false;
    // The agent itself is seldom updated, and says nothing about the model.
    const own = newest.get('agent');
    const status = (own && own.step !== 'idle' ? own : newest.get('model')) ?? own!;
    const fetching = status.step === 'fetch' ? parts.progress() : undefined;
    if (status.step === 'fetch') this.sayAfter(PROGRESS_EVERY);
    const { done, total } = fetching ?? { done: 0, total: 0 };
    const words = `${parts.rev()} ${status.step} ${done} ${status.why}`;
    if (words === this.said) return;
    this.said = words;
    await parts.say({ ...status, done, total });
  }
}

function nameOf(step: Exclude<Taken['step']['name'], 'REPORT'>): UpdateStep {
  return step.toLowerCase() as UpdateStep;
}
