/** Which processors threads of this process may run on. In a set, processor p is bit p % 32 of word p / 32; threads are numbers of Linux, 0 the calling one. */
export interface Affinity {
  /** Processor that the calling thread runs on; negative where that is not known. */
  current(): number;
  /** Writes those that a thread may use to a set; false where the system does not tell. */
  allowed(thread: number, processors: Uint32Array): boolean;
  /** Has a thread use these only; false where the system refuses. */
  allow(thread: number, processors: Uint32Array): boolean;
}

/** Processors that a set has room for. */
export const MOST_PROCESSORS = 1024;

/** An empty set. */
export const processorSet = (): Uint32Array => new Uint32Array(MOST_PROCESSORS / 32);

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
    const get = library.func('int sched_getaffinity(int thread, size_t bytes, _Out_ void *processors)');
    const set = library.func('int sched_setaffinity(int thread, size_t bytes, const void *processors)');
    return {
      current: library.func('int sched_getcpu(void)'),
      allowed: (thread, processors) => get(thread, processors.byteLength, processors) === 0,
      allow: (thread, processors) => set(thread, processors.byteLength, processors) === 0,
    };
  } catch {
    return undefined;
  }
}
