import { execFile } from 'node:child_process';

/** Who starts the agent again when it ends, and ends it when it hangs. */
export interface Supervisor {
  /** Between two signs of life, milliseconds; absent where nobody waits for any. */
  readonly everyMilliseconds?: number;
  tell(state: 'ready' | 'alive' | 'stopping'): void;
}

/** What systemd calls these. */
const WORDS = { ready: 'READY=1', alive: 'WATCHDOG=1', stopping: 'STOPPING=1' } as const;

/**
 * systemd, by what it puts into the environment of a unit of Type=notify; undefined elsewhere. Node has no datagram sockets of the Unix
 * kind, so systemd's own program carries the words.
 */
export function systemdSupervisor(env: Readonly<Record<string, string | undefined>>): Supervisor | undefined {
  if (!env.NOTIFY_SOCKET) return undefined;
  const watchdog = Number(env.WATCHDOG_USEC) / 1000;
  return {
    ...(watchdog > 0 ? { everyMilliseconds: watchdog / 3 } : {}),
    // Where it cannot be told, systemd draws its own conclusions.
    tell: (state) => void execFile('systemd-notify', [WORDS[state]], () => undefined),
  };
}

/** Tells of life for as long as the event loop turns; the returned function ends that. */
export function keepTelling(supervisor: Supervisor): () => void {
  supervisor.tell('ready');
  const { everyMilliseconds } = supervisor;
  const timer = everyMilliseconds && setInterval(() => supervisor.tell('alive'), everyMilliseconds);
  return () => {
    clearInterval(timer);
    supervisor.tell('stopping');
  };
}
