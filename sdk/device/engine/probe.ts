import { PROBE_MODULE } from './probe-module.ts';

/** Whether the kernels with the relaxed 7-bit dot product may be used here, and whether they pay. */
export interface DotProbe {
  /** The module loads and every known answer is right, before and after the engine's optimising compiler has seen it. */
  readonly right: boolean;
  /** Why it is not right: the engine knows no such instruction, or gives wrong answers. */
  readonly fault?: 'absent' | 'wrong';
  /** Speed of the relaxed loop over the plain one, measured; 0 when it is not right. */
  readonly speedup: number;
}

interface ProbeExports {
  ew_wrong(rounds: number): number;
  ew_time_dot7(p: number, rounds: number): number;
  ew_time_i16(p: number, rounds: number): number;
  __heap_base: WebAssembly.Global;
}

/** Enough rounds for an engine to tier up: Node 20's baseline compiler has been seen wrong where its optimising one is right. */
const KNOWN_ANSWERS = 2000;
const TIMING_ROUNDS = 400;

let cached: DotProbe | undefined;

export function probeDot7(now: () => number = () => performance.now()): DotProbe {
  cached ??= measure(now);
  return cached;
}

function measure(now: () => number): DotProbe {
  const bytes = Buffer.from(PROBE_MODULE, 'base64');
  if (!WebAssembly.validate(bytes)) return { right: false, fault: 'absent', speedup: 0 };
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const e = instance.exports as unknown as ProbeExports;
  const wrong: DotProbe = { right: false, fault: 'wrong', speedup: 0 };
  for (let i = 0; i < 4; i++) if (e.ew_wrong(KNOWN_ANSWERS) !== 0) return wrong;
  const at = (e.__heap_base.value as number) + 64;
  const time = (f: (p: number, n: number) => number): number => {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 6; i++) {
      const t = now();
      f(at & ~63, TIMING_ROUNDS);
      best = Math.min(best, now() - t);
    }
    return best;
  };
  // The i16 loop runs half as many products a step, so it does twice the steps for the same work.
  const plain = time(e.ew_time_i16);
  const relaxed = time(e.ew_time_dot7);
  return e.ew_wrong(KNOWN_ANSWERS) === 0 ? { right: true, speedup: plain / relaxed } : wrong;
}
