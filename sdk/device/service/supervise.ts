import { spawn } from 'node:child_process';
import { type Clock, pause } from '../../util/clock.ts';
import type { Log } from './log.ts';
import type { Supervisor } from './supervision.ts';

/** An agent that says nothing for so long hangs, milliseconds. */
const SILENCE = 60_000;
const FIRST_WAIT = 250;
const LONGEST_WAIT = 30_000;

export interface SuperviseParts {
  /** The words that start the agent, without `--supervise`. */
  readonly words: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly silenceMilliseconds?: number;
}

/**
 * Starts an agent, and again whenever it ends, after waits that grow while it does not last; ends one that hangs. For systems whose
 * service manager does not do that. What is started is the agent's to decide: see boot.ts.
 */
export async function supervise(parts: SuperviseParts, signal: AbortSignal): Promise<void> {
  const { clock, log } = parts;
  let wait = FIRST_WAIT;
  while (!signal.aborted) {
    const from = clock.monotonic();
    const end = await runOnce(parts, signal);
    if (signal.aborted) return;
    if (clock.monotonic() - from > LONGEST_WAIT) wait = FIRST_WAIT;
    log('warn', 'agent-ended', { ...end, wait });
    await pause(clock, wait, signal);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
}

interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly hung: boolean;
}

function runOnce({ words, clock, silenceMilliseconds = SILENCE }: SuperviseParts, signal: AbortSignal): Promise<End> {
  const [program, ...args] = words;
  const child = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let hung = false;
  const kill = (): void => {
    hung = true;
    child.kill('SIGKILL');
  };
  let forget = clock.after(silenceMilliseconds, kill);
  child.on('message', () => {
    forget();
    forget = clock.after(silenceMilliseconds, kill);
  });
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop);
  return new Promise((resolve) => {
    const ended = (code: number | null, by: NodeJS.Signals | null): void => {
      forget();
      signal.removeEventListener('abort', stop);
      resolve({ code, signal: by, hung });
    };
    child.on('error', () => ended(null, null));
    child.on('exit', ended);
  });
}

/** The other end: a parent that was started with `--supervise`; undefined where there is none. */
export function parentSupervisor(): Supervisor | undefined {
  if (!process.connected) return undefined;
  return { everyMilliseconds: SILENCE / 6, tell: (state) => void process.send?.(state, () => undefined) };
}
