import { affinity, MOST_PROCESSORS, processorSet } from '../../sdk/device/engine/affinity.ts';

/**
 * The processors of a machine are not equally fast at all times: those of a virtual one share their cores with whoever else is on the host. Times
 * that are to be compared are therefore taken on the same one.
 */
export interface Pinning {
  /** Processors that this process may use. */
  readonly processors: readonly number[];
  /** Has the calling thread stay on one of them. Throws when the system refuses. */
  pin(processor: number): void;
  /** Has it use all of them again. */
  release(): void;
}

/** Undefined where threads cannot be told where to run. */
export async function pinning(): Promise<Pinning | undefined> {
  const calls = await affinity();
  const all = processorSet();
  if (!calls?.allowed(0, all)) return undefined;
  const use = (set: Uint32Array): void => {
    if (!calls.allow(0, set)) throw new Error('the system does not let this thread choose its processor');
  };
  return {
    processors: Array.from({ length: MOST_PROCESSORS }, (_, p) => p).filter((p) => (all[p >> 5]! >>> (p & 31)) & 1),
    pin: (processor) => {
      const one = processorSet();
      one[processor >> 5] = 1 << (processor & 31);
      use(one);
    },
    release: () => use(all),
  };
}
