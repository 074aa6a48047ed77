import { inflateRawSync } from 'node:zlib';
import { PROBE_MODULE } from './probe-module.ts';
import { compileModule } from './relaxed.ts';

/** A dot product of bytes, with sums in 32 bits at once (`whole`) or in 16 bits first (`chained`), whose second operand may have 8 bits then. */
interface Dot {
  /** Every known answer is right, before and after the engine's optimising compiler has seen it. */
  readonly right: boolean;
  /** Speed of its loop over the plain one, measured; 0 when it is not right. */
  readonly speedup: number;
}

/** Whether the kernels with the relaxed 7-bit dot product may be used here, and whether they pay. */
export interface DotProbe {
  /** The engine knows the instructions. */
  readonly known: boolean;
  readonly whole: Dot;
  readonly chained: Dot;
  readonly eight: Eight;
}

/**
 * What the engine takes the second operand of `whole` for, of which 7 bits are specified: 8 bits without a sign, 8 bits with one, or
 * something else.
 */
export type Eight = 'unsigned' | 'signed' | 'none';

interface ProbeExports {
  ew_wrong(rounds: number): number;
  ew_wrong_chained(rounds: number): number;
  ew_wrong_fitting(rounds: number): number;
  ew_wrong_unsigned(rounds: number): number;
  ew_wrong_signed(rounds: number): number;
  ew_sum(p: number): number;
  ew_time_dot7(p: number, rounds: number): number;
  ew_time_chained(p: number, rounds: number): number;
  ew_time_i16(p: number, rounds: number): number;
  __heap_base: WebAssembly.Global;
}

/**
 * Enough rounds for an engine to tier up: Node 20's baseline compiler has been seen wrong where its optimising one is right, in loops with many
 * sums only, which is why what is timed is looked at too.
 */
const KNOWN_ANSWERS = 2000;
const TIMING_ROUNDS = 400;
/** Bytes that the loops read; the plain one reads more. */
const OPERANDS = 8192;
/** The fastest of so many: enough for an engine to have replaced its first code. */
const TIMINGS = 60;

let cached: DotProbe | undefined;

export function probeDot7(now: () => number = () => performance.now()): DotProbe {
  cached ??= measure(now);
  return cached;
}

function measure(now: () => number): DotProbe {
  const none: Dot = { right: false, speedup: 0 };
  let module: WebAssembly.Module;
  try {
    module = compileModule(inflateRawSync(Buffer.from(PROBE_MODULE, 'base64')));
  } catch {
    return { known: false, whole: none, chained: none, eight: 'none' };
  }
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const e = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as ProbeExports;
  const at = ((e.__heap_base.value as number) + 64) & ~63;
  new Uint8Array(memory.buffer, at, OPERANDS).forEach((_, i, p) => {
    p[i] = (7 * i + (i >> 6)) % 31;
  });
  const sum = Math.imul(e.ew_sum(at), TIMING_ROUNDS);
  const time = (f: (p: number, n: number) => number): { best: number; sums: Set<number> } => {
    let best = Number.POSITIVE_INFINITY;
    const sums = new Set<number>();
    for (let i = 0; i < TIMINGS; i++) {
      const t = now();
      sums.add(f(at, TIMING_ROUNDS));
      best = Math.min(best, now() - t);
    }
    return { best, sums };
  };
  // The i16 loop runs half as many products a step, so it does twice the steps for the same work.
  const plain = time(e.ew_time_i16).best;
  const dot = (wrong: (rounds: number) => number, timed: (p: number, rounds: number) => number): Dot => {
    for (let i = 0; i < 4; i++) if (wrong(KNOWN_ANSWERS) !== 0) return none;
    const { best, sums } = time(timed);
    const right = sums.size === 1 && sums.has(sum) && wrong(KNOWN_ANSWERS) === 0;
    return right ? { right, speedup: plain / best } : none;
  };
  const whole = dot(e.ew_wrong, e.ew_time_dot7);
  const always = (wrong: (rounds: number) => number): boolean =>
    Array.from({ length: 5 }, () => wrong(KNOWN_ANSWERS)).every((n) => n === 0);
  const eight = !whole.right
    ? 'none'
    : always(e.ew_wrong_unsigned)
      ? 'unsigned'
      : always(e.ew_wrong_signed)
        ? 'signed'
        : 'none';
  const wrongInChains = (rounds: number): number => e.ew_wrong_chained(rounds) + e.ew_wrong_fitting(rounds);
  return { known: true, whole, chained: dot(wrongInChains, e.ew_time_chained), eight };
}
