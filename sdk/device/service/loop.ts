import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, pause } from '../../util/clock.ts';
import type { Assignment } from '../../wire/assignment.ts';
import type { Agent, Taken } from '../agent/agent.ts';
import { errorFields, type Log } from './log.ts';
import type { Director, Kind } from './upstream.ts';

export interface LoopParts {
  /** What is kept up to date, in the logs. */
  readonly kind: Kind;
  readonly agent: Agent;
  readonly director: Director;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** Between two times that the director is asked, on average, milliseconds. */
  readonly exchangeMilliseconds: number;
  /** Told of every step that was taken. */
  readonly taken?: (taken: Taken) => void;
  /** Called before the director is asked. Throws nothing. */
  readonly exchanging?: () => Promise<void>;
}

/** Between two looks at what is on probation or waits for live inputs, and after a step that failed, milliseconds. */
const LOOK = 1000;

/**
 * Keeps an agent at its steps: asks the director now and then, takes a step, and sleeps until the next one is due. Times between two
 * exchanges differ by up to half, so that devices which started together do not stay together.
 */
export class Loop {
  private readonly parts: LoopParts;
  private assignment: Assignment | undefined;
  private exchangeAt = Number.NEGATIVE_INFINITY;
  private alarm = new AbortController();
  private said = '';
  private asked = false;

  constructor(parts: LoopParts) {
    this.parts = parts;
  }

  /** Whether the director was asked with success since the start. */
  get reached(): boolean {
    return this.asked;
  }

  /** Asks the director as soon as the step that is being taken has ended. */
  exchange(): void {
    this.exchangeAt = Number.NEGATIVE_INFINITY;
    this.alarm.abort();
  }

  /** Returns when `signal` is aborted, after the step that is being taken then. */
  async run(signal: AbortSignal): Promise<void> {
    const { agent, clock } = this.parts;
    let wake = (): void => undefined;
    // A director may wait long for a network.
    const ended = new Promise<void>((resolve) => {
      wake = () => {
        this.alarm.abort();
        resolve();
      };
    });
    signal.addEventListener('abort', wake);
    while (!signal.aborted) {
      this.alarm = new AbortController();
      if (clock.monotonic() >= this.exchangeAt) await Promise.race([this.ask(), ended]);
      if (signal.aborted) break;
      const taken = await agent.step(this.assignment);
      this.note(taken);
      const rest = Math.min(restAfter(taken, clock.now()), this.exchangeAt - clock.monotonic());
      // Applications get their turn between two steps.
      if (rest > 0) await pause(clock, rest, this.alarm.signal);
      else await nextTurn();
    }
    signal.removeEventListener('abort', wake);
  }

  private async ask(): Promise<void> {
    const { kind, director, clock, random, exchangeMilliseconds, log } = this.parts;
    this.exchangeAt = clock.monotonic() + exchangeMilliseconds * (0.5 + random());
    await this.parts.exchanging?.();
    try {
      this.assignment = await director.assignment();
      this.asked = true;
    } catch (e) {
      log('warn', 'exchange-failed', { kind, ...errorFields(e) });
    }
  }

  /** What was said already is not said again. */
  private note(taken: Taken): void {
    const { step, ended, reason } = taken;
    this.parts.taken?.(taken);
    const why = step.name === 'IDLE' || step.name === 'ROLLBACK' ? step.why : undefined;
    const words = [step.name, ended, step.name === 'PROBATION' ? '' : reason, why].join(' ');
    if (words === this.said) return;
    this.said = words;
    const release = 'assignment' in step ? step.assignment.release : undefined;
    const fields = { kind: this.parts.kind, step: step.name, ended, reason, why, release };
    this.parts.log(ended === 'failed' ? 'error' : 'info', 'step', fields);
  }
}

/** Milliseconds from a step to the next one. */
export function restAfter({ step, ended }: Taken, now: number): number {
  if (step.name === 'IDLE') return step.until === undefined ? Number.POSITIVE_INFINITY : Math.max(0, step.until - now);
  if (step.name === 'PROBATION') return Math.min(step.milliseconds, LOOK);
  return ended === 'done' ? 0 : LOOK;
}
