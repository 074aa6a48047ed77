/** Which processors threads of this process may run on. Sets are arrays of WORDS words, processor p bit p % 32 of word p / 32. */
export interface Affinity {
  /** Processor that the calling thread runs on; negative where that is not known. */
  current(): number;
  /** Writes the set of those that a thread may use, 0 the calling one; 0 when it went well. Threads are numbers of Linux. */
  allowed(thread: number, bytes: number, processors: Uint32Array): number;
  /** Has a thread use these only; 0 when it went well. */
  allow(thread: number, bytes: number, processors: Uint32Array): number;
}

/** Words of a set of processors, and bytes of it: 1,024 of them. */
export const WORDS = 32;
export const BYTES = 4 * WORDS;

/** Undefined where nothing is known about it: on other systems than Linux, or without the package koffi. */
export async function affinity(): Promise<Affinity | undefined> {
  if (process.platform !== 'linux') return undefined;
  const koffi = await import('koffi').then(
    (m) => m.default,
    () => undefined,
  );
  return koffi && callsOf(koffi);
}

/** Calls of the C library, whichever the process has; undefined where it lacks one. */
function callsOf(koffi: typeof import('koffi').default): Affinity | undefined {
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
