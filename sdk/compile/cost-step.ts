import { cpuPeak } from './cost-peaks.ts';
import type { SharedConstants } from './cost-shared.ts';
import type { Precision, Profile, RuntimeKind } from './profile-schema.ts';

/** Where a number comes from, best first. `calibrated`: fitted to published latencies of this board. */
export type Origin = 'exact' | 'measured' | 'calibrated' | 'estimated';

/** A number with where it comes from; every figure shown to a user is one. */
export interface Sourced {
  readonly value: number;
  readonly origin: Origin;
  /** One sentence. */
  readonly why: string;
}

/** What the model needs of a step; a Program's Step is one. */
export interface CostStep {
  readonly node?: string;
  readonly kind: string;
  readonly macs: number;
  /** Activations and weights read and written, each counted once. */
  readonly bytes: number;
  /** Whether integer activations have 16 bits. */
  readonly wide?: boolean;
}

/** The three constants of a board. */
export interface CostConstants {
  /** Share of the peaks in cost-peaks.ts that kernels reach; about 1, since those are rough. */
  readonly efficiency: Sourced;
  /** 10^9 B/s that layers get from caches and memory together, one thread. */
  readonly bandwidthGBps: Sourced;
  /** Microseconds a step costs before it does anything. */
  readonly overheadUs: Sourced;
}

/** How a step runs. */
export interface Setting {
  readonly profile: Profile;
  readonly shared: SharedConstants;
  readonly runtime: RuntimeKind;
  readonly precision: Precision;
  readonly threads: number;
}

export const ELEMENT_BYTES: Record<Precision, number> = { fp32: 4, fp16: 2, int8: 1 };

/** Milliseconds of the two terms at efficiency 1 and 1 GB/s. */
export function unitTimes(step: CostStep, setting: Setting): { readonly compute: number; readonly memory: number } {
  const { shared, precision, threads } = setting;
  const light = step.macs / Math.max(1, step.bytes / ELEMENT_BYTES[precision]) < shared.lightMacsPerElement;
  return {
    compute: step.macs / (peakOf(setting, light, step.wide === true) * threads ** shared.computeExponent) / 1e6,
    memory: step.bytes / threads ** shared.memoryExponent / 1e6,
  };
}

function peakOf({ profile, shared, runtime, precision }: Setting, light: boolean, wide: boolean): number {
  if (light) return cpuPeak(profile, 'light', runtime);
  if (precision !== 'int8') return cpuPeak(profile, precision, runtime);
  return cpuPeak(profile, wide ? 'int16' : 'int8', runtime) * shared.int8Share;
}
