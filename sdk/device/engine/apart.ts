import { readlinkSync } from 'node:fs';

/** Has threads of this process run on other processors than the one that calls it does, where it may use others; threads are numbers of Linux. */
export type KeepApart = (threads: Iterable<number>) => void;

/** Words of a set of processors, and bytes of it: 1,024 of them. */
const WORDS = 32;
const BYTES = 4 * WORDS;

/**
 * Where processors are virtual, Linux takes idle ones for busy and wakes a thread on the processor of the one that wakes it, where they take turns
 * from then on. Undefined where nothing can be done about it: on other systems, or without the package koffi.
 */
export async function apartKeeper(): Promise<KeepApart | undefined> {
  if (process.platform !== 'linux' || !ownNumbers()) return undefined;
  const koffi = await import('koffi').then(
    (m) => m.default,
    () => undefined,
  );
  const calls = koffi && callsOf(koffi);
  if (!calls) return undefined;
  const { current, allowed, allow } = calls;
  const processors = new Uint32Array(WORDS);
  return (threads) => {
    const here = current();
    if (here < 0 || here >= 32 * WORDS || allowed(0, BYTES, processors) !== 0) return;
    processors[here >> 5]! &= ~(1 << (here & 31));
    if (processors.every((word) => word === 0)) processors[here >> 5] = 1 << (here & 31);
    for (const thread of threads) if (thread > 0) allow(thread, BYTES, processors);
  };
}

/** Calls of the C library, whichever the process has; undefined where it lacks one. */
function callsOf(koffi: typeof import('koffi').default) {
  try {
    const library = koffi.load(null);
    return {
      current: library.func('int sched_getcpu(void)'),
      allowed: library.func('int sched_getaffinity(int thread, size_t bytes, _Out_ void *processors)'),
      allow: library.func('int sched_setaffinity(int thread, size_t bytes, const void *processors)'),
    };
  } catch {
    return undefined;
  }
}

/** Whether /proc tells the numbers that threads have for this process: those of another container's would be other threads'. */
function ownNumbers(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    return false;
  }
}
