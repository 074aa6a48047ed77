import { SHARED, type SharedConstants } from './cost-shared.ts';
import { type CostConstants, type CostStep, ELEMENT_BYTES, type Sourced, unitTimes } from './cost-step.ts';
import type { Precision, Profile } from './profile-schema.ts';
import { REFERENCE_NETWORKS, type ReferenceLayer } from './reference-networks.ts';

/** What is taken for a board nobody has published anything about. */
export function assumedConstants(profile: Profile, shared: SharedConstants): CostConstants {
  const mcu = profile.cpu.arch === 'thumb';
  const { measuredGBps, peakGBps } = profile.memory;
  // A microcontroller's SRAM gives a word a cycle. One application core moves no more than it can, whatever the memory.
  const fallback = mcu ? (4 * profile.cpu.clusters[0]!.clockMHz) / 1e3 : 1.5;
  const bandwidth = measuredGBps ?? (peakGBps === null ? fallback : Math.min(shared.oneCoreGBps, 0.4 * peakGBps));
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
      mcu ? 5 : shared.overheadUs,
      mcu ? 'a few hundred cycles' : 'typical of the boards with published latencies',
    ),
  };
}

export type Vec3 = readonly [number, number, number];

/** Published latencies below which the assumed constants say as much. */
const FEWEST = 2;

/**
 * One published latency: what each of the assumed constants contributes to its prediction, relative to the latency itself. Times the
 * factors by which the fitted 1/efficiency, 1/bandwidth and overhead differ from the assumed, it is predicted over published.
 */
export type Row = Vec3;

/**
 * Fits the constants to the profile's published latencies: least squares of the relative errors, drawn to the assumed
 * constants where the data says little. The time is linear in 1/efficiency, 1/bandwidth and overhead.
 */
export function calibrate(
  profile: Profile,
  shared: SharedConstants,
  networks: readonly string[] | undefined,
): CostConstants | undefined {
  const start = assumedConstants(profile, shared);
  const published = publishedLatencies(profile).filter((l) => networks === undefined || networks.includes(l.network));
  const rows = rowsOf(published, profile, shared);
  if (rows.length < FEWEST) return undefined;
  const [compute, memory, overhead] = solve(rows, shared.ridge);
  const tools = [...new Set(profile.latencies.filter((l) => l.calibrates).map((l) => l.source))].join(', ');
  const why = `fitted to ${rows.length} published latencies of this board (${tools})`;
  return {
    efficiency: { value: start.efficiency.value / compute, origin: 'calibrated', why },
    bandwidthGBps: { value: start.bandwidthGBps.value / memory, origin: 'calibrated', why },
    overheadUs: { value: start.overheadUs.value * overhead, origin: 'calibrated', why },
  };
}

/** A latency that somebody published of a reference network on a board's processor. */
export interface PublishedLatency {
  readonly network: string;
  readonly precision: Precision;
  readonly threads: number;
  readonly ms: number;
}

/** All that the constants of a board may be fitted to. */
export function publishedLatencies(profile: Profile): PublishedLatency[] {
  return profile.latencies
    .filter((l) => l.calibrates && l.device === 'cpu')
    .flatMap(({ precision, threads, ms }) =>
      Object.entries(ms)
        .filter(([network]) => network in REFERENCE_NETWORKS)
        .map(([network, value]) => ({ network, precision, threads: threads ?? 1, ms: value })),
    );
}

export function rowsOf(published: readonly PublishedLatency[], profile: Profile, shared: SharedConstants): Row[] {
  const start = assumedConstants(profile, shared);
  return published.map((l) => rowOf(l, profile, shared, start));
}

function rowOf(l: PublishedLatency, profile: Profile, shared: SharedConstants, start: CostConstants): Row {
  const { precision, threads, ms } = l;
  const steps = referenceSteps(REFERENCE_NETWORKS[l.network]!, precision, shared);
  let [compute, memory, multiplying] = [0, 0, 0];
  for (const s of steps) {
    const unit = unitTimes(s, { profile, shared, runtime: 'native', precision, threads });
    compute += unit.compute;
    memory += unit.memory;
    if (s.macs > 0) multiplying++;
  }
  return [
    compute / start.efficiency.value / ms,
    memory / start.bandwidthGBps.value / ms,
    (multiplying * start.overheadUs.value) / 1e3 / ms,
  ];
}

/** A reference network as steps; float 3x3 convolutions count the multiplications and moves that the published runtimes make. */
export function referenceSteps(
  layers: readonly ReferenceLayer[],
  precision: Precision,
  shared: SharedConstants = SHARED,
): CostStep[] {
  return layers.map((l) => {
    const transformed = precision === 'int8' ? 0 : l.winograd;
    return {
      kind: l.kind,
      macs: transformed > 0 ? l.macs / shared.winogradGain : l.macs,
      bytes: (l.elements + shared.winogradMoves * transformed) * ELEMENT_BYTES[precision],
    };
  });
}

const SWEEPS = 200;
const CONVERGED = 1e-6;

/** Ridge regression of rows . x = 1 towards (1, 1, 1) by cyclic coordinate descent, no component below a tenth. */
export function solve(rows: readonly Row[], ridge: Vec3): Vec3 {
  const x: [number, number, number] = [1, 1, 1];
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let moved = 0;
    for (const k of [0, 1, 2] as const) {
      let up = ridge[k];
      let down = ridge[k];
      for (const r of rows) {
        const rest = 1 - (r[0] * x[0] + r[1] * x[1] + r[2] * x[2] - r[k] * x[k]);
        up += r[k] * rest;
        down += r[k] * r[k];
      }
      const next = Math.max(0.1, up / down);
      moved = Math.max(moved, Math.abs(next - x[k]));
      x[k] = next;
    }
    if (moved < CONVERGED) break;
  }
  return x;
}
