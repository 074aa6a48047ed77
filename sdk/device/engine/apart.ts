import { readlinkSync } from 'node:fs';
import { affinity, MOST_PROCESSORS, processorSet } from './affinity.ts';

/** Has threads of this process run on other processors than the one that calls it does, where it may use others; threads are numbers of Linux. */
export type KeepApart = (threads: Iterable<number>) => void;

/**
 * Where processors are virtual, Linux takes idle ones for busy and wakes a thread on the processor of the one that wakes it, where they take turns
 * from then on. Undefined where nothing can be done about it: on other systems, or without the package koffi.
 */
export async function apartKeeper(): Promise<KeepApart | undefined> {
  if (process.platform !== 'linux' || !ownNumbers()) return undefined;
  const calls = await affinity();
  if (!calls) return undefined;
  const { current, allowed, allow } = calls;
  const processors = processorSet();
  return (threads) => {
    const here = current();
    if (here < 0 || here >= MOST_PROCESSORS || !allowed(0, processors)) return;
    processors[here >> 5]! &= ~(1 << (here & 31));
    if (processors.every((word) => word === 0)) processors[here >> 5] = 1 << (here & 31);
    for (const thread of threads) if (thread > 0) allow(thread, processors);
  };
}

/** Whether /proc tells the numbers that threads have for this process: those of another container's would be other threads'. */
function ownNumbers(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    return false;
  }
}
