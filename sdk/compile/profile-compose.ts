import type { AccessoryFile, CpuCluster, CpuFeature, ProbedFile, Profile, Provenance } from './profile-schema.ts';
import { FEATURES } from './profile-schema.ts';

/** What a probe of a machine finds (the device side's HostProbe has this form); null where the machine does not say. */
export interface HostFacts {
  readonly name: string;
  readonly arch: string;
  readonly clusters: readonly HostCluster[];
  readonly memoryTotalBytes: number;
  readonly storageFreeBytes: number | null;
  /** Present when the probe timed the machine: copy bandwidth and multiply-accumulate ceilings of one thread in WebAssembly. */
  readonly measured: { readonly copyGBps: number; readonly int16GMACps: number; readonly fp32GMACps: number } | null;
}

export interface HostCluster {
  readonly core: string;
  readonly count: number;
  readonly clockMHz: number;
  /** Where the clock comes from: read from the system, or assumed. */
  readonly clockKnown: boolean;
  readonly l1iKB: number | null;
  readonly l1dKB: number | null;
  readonly l2KB: number | null;
  readonly l2Shared: boolean;
  readonly l3KB: number | null;
  readonly vectorBits: number;
  readonly vectorRegisters: number;
  readonly features: readonly string[];
}

/** A complete profile of the machine at hand: policy from its profile file, numbers from the probe. */
export function profileOfHost(file: ProbedFile, host: HostFacts): Profile {
  const { $schema, form, schemaVersion, memoryReservedBytes, storageReservedBytes, ...common } = file;
  const arch = host.arch === 'x86_64' || host.arch === 'aarch64' ? host.arch : 'other';
  const probed: Provenance = { source: 'probe', confidence: 'measured' };
  const provenance: Record<string, Provenance> = { cpu: probed, memory: probed, storage: probed };
  for (const [key, value] of Object.entries(file.provenance)) {
    if (key === 'memoryReservedBytes') provenance['memory.reservedBytes'] = value;
    else if (key === 'storageReservedBytes') provenance['storage.reservedBytes'] = value;
    else provenance[key] = value;
  }
  host.clusters.forEach((c, i) => {
    if (c.clockKnown) return;
    const note = 'The machine does not tell its clock';
    provenance[`cpu.clusters[${i}].clockMHz`] = { source: 'probe', confidence: 'estimate', note };
  });
  return {
    ...common,
    name: `${file.name} (${host.name})`,
    soc: host.name,
    cpu: { arch, isa: host.arch, clusters: host.clusters.map(clusterOfHost) },
    memory: {
      type: 'system memory',
      totalBytes: [host.memoryTotalBytes],
      reservedBytes: memoryReservedBytes,
      peakGBps: null,
      measuredGBps: host.measured?.copyGBps ?? null,
    },
    storage: {
      kind: 'filesystem',
      bytes: host.storageFreeBytes,
      reservedBytes: storageReservedBytes,
      modelPartitionBytes: null,
      executeInPlace: false,
      readMBps: null,
    },
    modes: [],
    effectiveRates: host.measured === null ? [] : measuredRates(host.measured),
    provenance,
    sources: { ...file.sources, probe: 'Read from this machine when the profile was loaded' },
  };
}

function measuredRates(m: NonNullable<HostFacts['measured']>): Profile['effectiveRates'] {
  const row = { tool: 'probe', device: 'cpu', threads: 1, source: 'probe', confidence: 'measured' } as const;
  return [
    { ...row, precision: 'int8', GMACps: { peak: m.int16GMACps } },
    { ...row, precision: 'fp32', GMACps: { peak: m.fp32GMACps } },
  ];
}

function clusterOfHost(c: HostCluster): CpuCluster {
  const { clockKnown, features, ...rest } = c;
  return { ...rest, features: features.filter((f): f is CpuFeature => (FEATURES as readonly string[]).includes(f)) };
}

/** An accessory on a carrier board: the carrier's profile with the accessory's accelerators in front. */
export function attachAccessory(file: AccessoryFile, carrier: Profile): Profile {
  const shift = file.accelerators.length;
  const provenance: Record<string, Provenance> = {};
  for (const [key, value] of Object.entries(carrier.provenance)) {
    if (key === 'accelerators') {
      carrier.accelerators.forEach((_, i) => {
        provenance[`accelerators[${i + shift}]`] ??= value;
      });
    } else provenance[key.replace(/^accelerators\[(\d+)\]/, (_, i) => `accelerators[${Number(i) + shift}]`)] = value;
  }
  return {
    ...carrier,
    id: file.id,
    name: `${file.name} on ${carrier.name}`,
    family: file.family,
    weightBits: { ...carrier.weightBits, ...file.weightBits },
    accelerators: [...file.accelerators, ...carrier.accelerators],
    latencies: [...file.latencies, ...carrier.latencies],
    throughputs: [...file.throughputs, ...carrier.throughputs],
    effectiveRates: [...file.effectiveRates, ...carrier.effectiveRates],
    notes: [...file.notes, ...carrier.notes],
    provenance: { ...provenance, ...file.provenance },
    sources: { ...carrier.sources, ...file.sources },
  };
}
