/** Of a process that was told that its processor has AVX2 alone. */
export interface Guard {
  /** Trapped cpuid instructions that were answered so far. */
  answered(): number;
  /** Throws where work, which is to be done in this thread, left registers of AVX-512 in use. */
  watch<T>(work: () => Promise<T>): Promise<T>;
}

const REASONS = ['', 'signals cannot be caught', 'the processor does not tell which registers are in use'];

const guards = new Map<string, Promise<Guard>>();

/** Loads the shim, once a process; before the libraries that it is for. */
export function guardOf(shim: string): Promise<Guard> {
  const hit = guards.get(shim) ?? load(shim);
  guards.set(shim, hit);
  return hit;
}

async function load(shim: string): Promise<Guard> {
  const { default: koffi } = await import('koffi');
  const library = koffi.load(shim);
  const problem = library.func('int32_t restrain(void)')() as number;
  if (problem !== 0) throw new Error(`no processor with AVX2 alone can be made here: ${REASONS[problem]}`);
  const answered = library.func('uint32_t answered(void)') as () => number;
  const forget = library.func('void forget(void)') as () => void;
  const inUse = library.func('uint32_t in_use(void)') as () => number;
  return {
    answered,
    watch: async (work) => {
      forget();
      const result = await work();
      const used = inUse();
      if (used !== 0) throw new Error(`AVX-512 was used where AVX2 alone was to be (state 0x${used.toString(16)})`);
      return result;
    },
  };
}
