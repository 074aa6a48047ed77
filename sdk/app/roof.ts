import { cpuPeak } from '../compile/cost-peaks.ts';
import { probeDot7 } from '../device/engine/probe.ts';
import { copyGBps, measureMachine } from '../device/probe-measure.ts';
import { openProfile } from '../pipeline.ts';

/** What this machine could do: no kernel of the same instructions is faster than its roof. */
export interface Roof {
  /** 10^9 multiply-accumulates a second of the threads together, by the arithmetic of the kernel. */
  readonly integerGMACps: number;
  readonly floatGMACps: number;
  /** Copies of so many bytes, 10^9 bytes read or written a second, ascending: caches first, memory last. */
  readonly copies: readonly { readonly bytes: number; readonly GBps: number }[];
}

/** What a step does. */
export interface StepWork {
  readonly kind: string;
  readonly macs: number;
  readonly bytes: number;
}

export interface Bound {
  /** Seconds at the roof. */
  readonly seconds: number;
  readonly by: 'compute' | 'memory';
}

const SIZES = [2 ** 16, 2 ** 18, 2 ** 20, 2 ** 22, 2 ** 26];
/** Up to this size a core copies within caches of its own; beyond, all share one memory. */
const OWN_CACHE = 2 ** 18;

/** How many times the products of the plain WebAssembly loop an instruction set makes at the same clock: lanes, and pairs or fours of bytes. */
const X86: Readonly<Record<string, { readonly integer: number; readonly float: number }>> = {
  sse4: { integer: 1, float: 1 },
  avx2: { integer: 4, float: 2 },
  avxvnni: { integer: 4, float: 2 },
  avx512vnni: { integer: 8, float: 4 },
};

/**
 * The roof over kernels of a variant in one thread; takes about a second. Loops of WebAssembly are timed; what native kernels could do is
 * reckoned from them by the instruction sets, which leaves the clock out.
 */
export function measureRoof(variant: string, native: boolean): Roof {
  const now = (): number => performance.now();
  const { int16GMACps, fp32GMACps } = measureMachine(now);
  const { integer, float } = native ? nativeGain(variant) : { integer: wasmGain(variant), float: 1 };
  return {
    integerGMACps: int16GMACps * integer,
    floatGMACps: fp32GMACps * float,
    copies: SIZES.map((bytes) => ({ bytes, GBps: copyGBps(bytes, now) })),
  };
}

function wasmGain(variant: string): number {
  if (variant === 'simd128') return 1;
  const { whole, chained } = probeDot7();
  return variant === 'dot7' ? whole.speedup : chained.speedup;
}

/** On Arm by the core; floats are neither fused nor wider there. */
function nativeGain(variant: string): { readonly integer: number; readonly float: number } {
  const host = openProfile('host');
  return X86[variant] ?? { integer: cpuPeak(host, 'int8', 'native') / cpuPeak(host, 'int16', 'wasm'), float: 1 };
}

/** The roof over threads on cores of their own, from that over one. */
export function roofOfThreads(roof: Roof, threads: number): Roof {
  return {
    integerGMACps: roof.integerGMACps * threads,
    floatGMACps: roof.floatGMACps * threads,
    copies: roof.copies.map(({ bytes, GBps }) => ({ bytes, GBps: GBps * (bytes <= OWN_CACHE ? threads : 1) })),
  };
}

/** Kernels of quantized operators multiply integers. */
function peakOf(roof: Roof, kind: string): number {
  return kind.startsWith('q') ? roof.integerGMACps : roof.floatGMACps;
}

/** The time that a step takes at least: of its multiplications or of moving its bytes, whichever is longer. */
export function boundOf(roof: Roof, work: StepWork): Bound {
  const compute = work.macs / peakOf(roof, work.kind) / 1e9;
  const memory = work.bytes / (bandwidthFor(roof, work.bytes) * 1e9);
  return compute >= memory ? { seconds: compute, by: 'compute' } : { seconds: memory, by: 'memory' };
}

/** What moves at most as many bytes may still be in a cache: the rate of the largest copy that is not larger. */
function bandwidthFor(roof: Roof, bytes: number): number {
  return (roof.copies.findLast((c) => c.bytes <= bytes) ?? roof.copies[0]!).GBps;
}
