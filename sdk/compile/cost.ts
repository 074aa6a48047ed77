import { cpuPeak } from './cost-peaks.ts';
import type { Precision, Profile, RuntimeKind } from './profile-schema.ts';
import { REFERENCE_NETWORKS, type ReferenceLayer } from './reference-networks.ts';

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
}

// The shares, exponents and gains below are one set for all boards. They were chosen by their error on the published
// latencies themselves, so that error is not evidence of how well an unpublished board is predicted.

/** Threads share clocks, caches and memory: n of them do n^0.75 of the multiplications of one and move n^0.2 of the bytes. */
const COMPUTE_EXPONENT = 0.75;
const MEMORY_EXPONENT = 0.2;
/** Multiplications per element moved below which a layer cannot keep the multiplier busy: depthwise, matrix-vector. */
const LIGHT_MACS_PER_ELEMENT = 13;
/** Packing and requantizing cost integer kernels this much of their peak, on top of what costs float kernels as well. */
const INT8_SHARE = 0.75;
/** What Winograd saves in the published float runtimes over all, of the 2.25 to 4 that the algorithm could. */
const WINOGRAD_GAIN = 1.5;
const BYTES: Record<Precision, number> = { fp32: 4, fp16: 2, int8: 1 };
const ORIGINS: readonly Origin[] = ['exact', 'measured', 'calibrated', 'estimated'];

/**
 * Latency of a board: a step takes macs / rate + bytes / bandwidth + overhead, where the rate is the instruction set's
 * peak times an efficiency. The two terms add up instead of the larger one counting: small cores hide little of one
 * behind the other, and it predicts the published latencies better. Three constants, from a timed probe, from published
 * latencies, or assumed.
 */
export function createCostModel(profile: Profile, options: CalibrationOptions = {}): CostModel {
  const runtime = options.runtime ?? profile.runtimes[0]!;
  const constants = measuredConstants(profile) ?? calibrate(profile, options.networks) ?? assumedConstants(profile);
  return {
    constants,
    estimate: (steps, o = {}) => {
      const cores = coreCount(profile);
      const threads = Math.max(1, Math.min(o.threads ?? 1, cores));
      const costs = steps.map((s) => {
        const precision = o.precision ?? (s.kind.startsWith('q') ? 'int8' : 'fp32');
        return costOf(s, unitTimes(s, profile, runtime, precision, threads), constants);
      });
      const sum = costs.reduce((t, s) => t + s.ms, 0);
      return { ms: total(sum, constants, runtime), threads, steps: costs, constants };
    },
  };
}

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

function shareOf(precision: Precision): number {
  return precision === 'int8' ? INT8_SHARE : 1;
}

/** Milliseconds of the two terms at efficiency 1 and 1 GB/s. */
function unitTimes(step: CostStep, profile: Profile, runtime: RuntimeKind, precision: Precision, threads: number) {
  const light = step.macs / Math.max(1, step.bytes / BYTES[precision]) < LIGHT_MACS_PER_ELEMENT;
  const peak = light ? cpuPeak(profile, 'light', runtime) : cpuPeak(profile, precision, runtime) * shareOf(precision);
  return {
    compute: step.macs / (peak * threads ** COMPUTE_EXPONENT) / 1e6,
    memory: step.bytes / threads ** MEMORY_EXPONENT / 1e6,
  };
}

/** Elementwise work is fused into its producer as a rule, so only steps that multiply pay for being steps. */
function steps(list: readonly CostStep[]): number {
  return list.filter((s) => s.macs > 0).length;
}

function costOf(step: CostStep, unit: { compute: number; memory: number }, c: CostConstants): StepCost {
  const compute = unit.compute / c.efficiency.value;
  const memory = unit.memory / c.bandwidthGBps.value;
  const overhead = step.macs > 0 ? c.overheadUs.value / 1e3 : 0;
  const bound = overhead > Math.max(compute, memory) ? 'overhead' : compute >= memory ? 'compute' : 'memory';
  return { node: step.node ?? '', kind: step.kind, ms: compute + memory + overhead, bound };
}

/** Constants of a machine that was timed (the host with --measure); undefined otherwise. */
function measuredConstants(profile: Profile): CostConstants | undefined {
  const row = profile.effectiveRates.find((r) => r.source === 'probe' && r.precision === 'int8');
  const rate = row?.GMACps.peak;
  if (rate === undefined || profile.memory.measuredGBps === null) return undefined;
  return {
    efficiency: {
      value: rate / (cpuPeak(profile, 'int8', 'wasm') * INT8_SHARE),
      origin: 'measured',
      why: `the inner loop of an integer kernel ran at ${rate.toFixed(1)} GMAC/s on this machine`,
    },
    bandwidthGBps: { value: profile.memory.measuredGBps, origin: 'measured', why: 'memory copy timed on this machine' },
    overheadUs: { value: 1, origin: 'estimated', why: 'a call into WebAssembly and the start of its loops' },
  };
}

/** Assumed; the calibrated boards spread from 0.4 to over 30. */
const ONE_CORE_GBPS = 6;

/** What is taken for a board nobody has published anything about. */
export function assumedConstants(profile: Profile): CostConstants {
  const mcu = profile.cpu.arch === 'thumb';
  const { measuredGBps, peakGBps } = profile.memory;
  // A microcontroller's SRAM gives a word a cycle. One application core moves no more than ONE_CORE_GBPS, whatever the memory.
  const fallback = mcu ? (4 * profile.cpu.clusters[0]!.clockMHz) / 1e3 : 1.5;
  const bandwidth = measuredGBps ?? (peakGBps === null ? fallback : Math.min(ONE_CORE_GBPS, 0.4 * peakGBps));
  const estimated = (value: number, why: string): Sourced => ({ value, origin: 'estimated', why });
  return {
    efficiency: mcu
      ? estimated(0.5, '0.12 GMAC/s at 160 MHz, the best MLPerf Tiny v1.1 result of a Cortex-M33 on ResNet-8')
      : estimated(1, 'typical of the boards with published latencies'),
    bandwidthGBps: estimated(
      bandwidth,
      measuredGBps !== null
        ? 'measured copy bandwidth of the profile'
        : peakGBps !== null
          ? '0.4 of the peak, at most what one core moves'
          : 'no figure in the profile',
    ),
    overheadUs: estimated(
      mcu ? 5 : 40,
      mcu ? 'a few hundred cycles' : 'typical of the boards with published latencies',
    ),
  };
}

type Vec3 = readonly [number, number, number];

/** One published latency: what each of the assumed constants contributes to it, relative to the latency itself. */
type Row = Vec3;

/** How strongly the fit is drawn to the assumed constants, in published latencies. */
const RIDGE: Vec3 = [0.1, 0.05, 0.05];

/**
 * Fits the constants to the profile's published latencies: least squares of the relative errors, drawn to the assumed
 * constants where the data says little. The time is linear in 1/efficiency, 1/bandwidth and overhead.
 */
function calibrate(profile: Profile, networks: readonly string[] | undefined): CostConstants | undefined {
  const start = assumedConstants(profile);
  const rows = calibrationRows(profile, start, networks);
  if (rows.length < 3) return undefined;
  const [compute, memory, overhead] = solve(rows);
  const tools = [...new Set(profile.latencies.filter((l) => l.calibrates).map((l) => l.source))].join(', ');
  const why = `fitted to ${rows.length} published latencies of this board (${tools})`;
  return {
    efficiency: { value: start.efficiency.value / compute, origin: 'calibrated', why },
    bandwidthGBps: { value: start.bandwidthGBps.value / memory, origin: 'calibrated', why },
    overheadUs: { value: start.overheadUs.value * overhead, origin: 'calibrated', why },
  };
}

function calibrationRows(profile: Profile, start: CostConstants, networks: readonly string[] | undefined): Row[] {
  const rows: Row[] = [];
  for (const l of profile.latencies) {
    if (!l.calibrates || l.device !== 'cpu') continue;
    for (const [name, ms] of Object.entries(l.ms)) {
      const layers = REFERENCE_NETWORKS[name];
      if (layers === undefined || (networks !== undefined && !networks.includes(name))) continue;
      const list = referenceSteps(layers, l.precision);
      const units = list.map((s) => unitTimes(s, profile, 'native', l.precision, l.threads ?? 1));
      rows.push([
        units.reduce((t, u) => t + u.compute, 0) / start.efficiency.value / ms,
        units.reduce((t, u) => t + u.memory, 0) / start.bandwidthGBps.value / ms,
        (steps(list) * start.overheadUs.value) / 1e3 / ms,
      ]);
    }
  }
  return rows;
}

/** A reference network as steps; float 3x3 convolutions count the multiplications that the published runtimes make. */
export function referenceSteps(layers: readonly ReferenceLayer[], precision: Precision): CostStep[] {
  return layers.map((l) => ({
    kind: l.kind,
    macs: l.winograd && precision !== 'int8' ? l.macs / WINOGRAD_GAIN : l.macs,
    bytes: l.elements * BYTES[precision],
  }));
}

/** Ridge regression of rows . x = 1 towards (1, 1, 1) by cyclic coordinate descent, no component below a tenth. */
function solve(rows: readonly Row[]): Vec3 {
  const x: [number, number, number] = [1, 1, 1];
  for (let sweep = 0; sweep < 200; sweep++) {
    for (const k of [0, 1, 2] as const) {
      let up = RIDGE[k];
      let down = RIDGE[k];
      for (const r of rows) {
        const rest = 1 - (r[0] * x[0] + r[1] * x[1] + r[2] * x[2] - r[k] * x[k]);
        up += r[k] * rest;
        down += r[k] * r[k];
      }
      x[k] = Math.max(0.1, up / down);
    }
  }
  return x;
}
