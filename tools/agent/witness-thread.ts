import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';

/** What the thread and who started it share. */
export interface Watch {
  readonly processor: number;
  /** How often it stood still; whether to end; nothing, to wait for. */
  readonly state: Int32Array;
  /** From when to when, milliseconds by the system's clock that nobody sets; the oldest are written over. */
  readonly times: Float64Array;
}

const SCHED_FIFO = 1;
const RANK = 50;
/** Between two looks, milliseconds; later by so much it has stood still. */
const LOOK = 0.5;
const NOTICED = 0.25;

/** What is to be added to `performance.now` of this thread for the system's clock, milliseconds. */
export function monotonicTime(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6 - performance.now();
}

/** Processors as the system takes them: a bit each, this one only. */
export function maskOf(processor: number): Uint8Array {
  const mask = new Uint8Array(128);
  mask[processor >> 3] = 1 << (processor & 7);
  return mask;
}

function watch({ processor, state, times }: Watch): void {
  const libc = koffi.load('libc.so.6');
  const mask = maskOf(processor);
  libc.func('int sched_setaffinity(int thread, size_t size, void *mask)')(0, mask.length, mask);
  const rank = libc.func('int sched_setscheduler(int thread, int policy, void *priority)');
  const ranked = rank(0, SCHED_FIFO, new Int32Array([RANK])) === 0;
  parentPort!.postMessage(ranked);
  if (!ranked) return;
  const offset = monotonicTime();
  for (let last = performance.now(); Atomics.load(state, 1) === 0; ) {
    Atomics.wait(state, 2, 0, LOOK);
    const now = performance.now();
    if (now - last > LOOK + NOTICED) {
      const at = (2 * Atomics.load(state, 0)) % times.length;
      times[at] = last + offset;
      times[at + 1] = now + offset;
      Atomics.add(state, 0, 1);
    }
    last = now;
  }
}

if (!isMainThread) watch(workerData as Watch);
