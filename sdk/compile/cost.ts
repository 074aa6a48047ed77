import { assumedConstants, calibrate } from './cost-calibrate.ts';
import { cpuPeak } from './cost-peaks.ts';
import { SHARED, type SharedConstants } from './cost-shared.ts';
import { type CostConstants, type CostStep, type Origin, type Sourced, unitTimes } from './cost-step.ts';
import type { CpuCluster, Precision, Profile, RuntimeKind } from './profile-schema.ts';

export type { CostConstants, CostStep, Origin, Sourced } from './cost-step.ts';

export interface StepCost {
  readonly node: string;
  readonly kind: string;
  readonly ms: number;
  readonly bound: 'compute' | 'memory' | 'overhead';
}

export interface LatencyEstimate {
  readonly ms: Sourced;
  readonly threads: number;
  readonly steps: readonly StepCost[];
  readonly constants: CostConstants;
}

export interface CostOptions {
  readonly threads?: number;
  /** Arithmetic of all steps; when absent, steps whose kind starts with q are int8 and the rest fp32. */
  readonly precision?: Precision;
}

export interface CostModel {
  readonly constants: CostConstants;
  estimate(steps: readonly CostStep[], options?: CostOptions): LatencyEstimate;
}

export interface CalibrationOptions {
  /** How the program will run; the profile's first runtime when absent. Published latencies are of native code. */
  readonly runtime?: RuntimeKind;
  /** Reference networks to fit on; all that the profile has latencies of when absent. */
  readonly networks?: readonly string[];
  /** In place of the constants that all boards share: for fitting those without a board, and trying them on it. */
  readonly shared?: SharedConstants;
}

const ORIGINS: readonly Origin[] = ['exact', 'measured', 'calibrated', 'estimated'];

/**
 * Latency of a board: a step takes macs / rate + bytes / bandwidth + overhead, where the rate is the instruction set's
 * peak times an efficiency. The two terms add up instead of the larger one counting: small cores hide little of one
 * behind the other. Three constants a board, from a timed probe, from published latencies, or assumed; a few more that all
 * boards share (cost-shared.ts).
 */
export function createCostModel(profile: Profile, options: CalibrationOptions = {}): CostModel {
  const runtime = options.runtime ?? profile.runtimes[0]!;
  const shared = options.shared ?? SHARED;
  const constants =
    measuredConstants(profile, shared) ??
    calibrate(profile, shared, options.networks) ??
    assumedConstants(profile, shared);
  return {
    constants,
    estimate: (steps, o = {}) => {
      const cores = coreCount(profile);
      const threads = Math.max(1, Math.min(o.threads ?? 1, cores));
      const costs = steps.map((s) => {
        const precision = o.precision ?? (s.kind.startsWith('q') ? 'int8' : 'fp32');
        return costOf(s, unitTimes(s, { profile, shared, runtime, precision, threads }), constants);
      });
      const sum = costs.reduce((t, s) => t + s.ms, 0);
      return { ms: total(sum, constants, runtime), threads, steps: costs, constants };
    },
  };
}

/** What a layer's multiplications are told apart by: elements are inputs, outputs and weights. */
export interface LayerWork {
  readonly macs: number;
  readonly elements: number;
}

/**
 * Time of a layer's multiplications with activations of 8 or 16 bits relative to that of other layers, by the board's instruction set alone:
 * nothing is timed, so that what is planned by it is the same every time.
 */
export type ProductTime = (work: LayerWork, bits: 8 | 16) => number;

export function productTimeOn(profile: Profile, runtime: RuntimeKind): ProductTime {
  const setting = { profile: standing(profile), shared: SHARED, runtime, precision: 'int8', threads: 1 } as const;
  return ({ macs, elements }, bits) =>
    unitTimes({ kind: 'product', macs, bytes: elements, wide: bits === 16 }, setting).compute;
}

/** A profile for what builds depend on: what is probed of a host differs between machines that must build the same. */
function standing(profile: Profile): Profile {
  if (profile.family !== 'host') return profile;
  const cluster = { ...profile.cpu.clusters[0]!, ...HOST_CORE };
  return { ...profile, cpu: { ...profile.cpu, arch: 'x86_64', clusters: [cluster] } };
}

/** What any host is planned for: the best that its kernels are made for. The clock is the same for all layers. */
const HOST_CORE: Pick<CpuCluster, 'core' | 'clockMHz' | 'features'> = {
  core: 'x86-64',
  clockMHz: 1000,
  features: ['fma', 'avx2', 'avx512', 'avx512-vnni'],
};

/** The worse of two origins: a sum is only as good as its weakest part. */
export function worstOrigin(...origins: Origin[]): Origin {
  return origins.reduce((a, b) => (ORIGINS.indexOf(a) >= ORIGINS.indexOf(b) ? a : b), 'exact' as Origin);
}

export function coreCount(profile: Profile): number {
  return profile.cpu.clusters.reduce((n, c) => n + c.count, 0);
}

function total(ms: number, c: CostConstants, runtime: RuntimeKind): Sourced {
  const parts = worstOrigin(c.efficiency.origin, c.bandwidthGBps.origin);
  // A probe times WebAssembly, the published latencies are of native code.
  const known = parts === 'measured' ? 'wasm' : 'native';
  if (parts === 'estimated' || runtime === known) return { value: ms, origin: parts, why: c.efficiency.why };
  const why = `${c.efficiency.why}; carried over to the instruction mix of ${runtime} kernels, which were not timed there`;
  return { value: ms, origin: 'estimated', why };
}

function costOf(step: CostStep, unit: { compute: number; memory: number }, c: CostConstants): StepCost {
  const compute = unit.compute / c.efficiency.value;
  const memory = unit.memory / c.bandwidthGBps.value;
  const overhead = step.macs > 0 ? c.overheadUs.value / 1e3 : 0;
  const bound = overhead > Math.max(compute, memory) ? 'overhead' : compute >= memory ? 'compute' : 'memory';
  return { node: step.node ?? '', kind: step.kind, ms: compute + memory + overhead, bound };
}

/** Constants of a machine that was timed (the host with --measure); undefined otherwise. */
function measuredConstants(profile: Profile, shared: SharedConstants): CostConstants | undefined {
  const row = profile.effectiveRates.find((r) => r.source === 'probe' && r.precision === 'int8');
  const rate = row?.GMACps.peak;
  if (rate === undefined || profile.memory.measuredGBps === null) return undefined;
  return {
    efficiency: {
      value: rate / (cpuPeak(profile, 'int16', 'wasm') * shared.int8Share),
      origin: 'measured',
      why: `the inner loop of an integer kernel ran at ${rate.toFixed(1)} GMAC/s on this machine`,
    },
    bandwidthGBps: { value: profile.memory.measuredGBps, origin: 'measured', why: 'memory copy timed on this machine' },
    overheadUs: { value: 1, origin: 'estimated', why: 'a call into WebAssembly and the start of its loops' },
  };
}
