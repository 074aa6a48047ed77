import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { arch, availableParallelism, totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import { type Measured, measureMachine } from './probe-measure.ts';
import {
  type CpuInfo,
  parseCacheKB,
  parseCgroupPaths,
  parseCpuinfo,
  parseCpuList,
  parseMeminfo,
} from './probe-parse.ts';

export type { Measured } from './probe-measure.ts';
export { parseCacheKB, parseCgroupPaths, parseCpuinfo, parseCpuList, parseMeminfo } from './probe-parse.ts';

/** What a probe asks of the machine. */
export interface HostSystem {
  /** Text of a file; undefined when it cannot be read. */
  read(path: string): string | undefined;
  list(folder: string): string[];
  /** Bytes free to this user on the file system of `path`; null when unknown. */
  freeBytes(path: string): number | null;
  /** Node's name of the architecture: x64, arm64, ... */
  readonly arch: string;
  readonly parallelism: number;
  readonly memoryBytes: number;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

/** Cores of one kind. null where the machine does not say; caches in KB of 1024 bytes, l2KB over all cores of the cluster. */
export interface ProbedCluster {
  readonly core: string;
  readonly count: number;
  readonly clockMHz: number;
  /** False when the machine does not tell its clock and `clockMHz` is an assumption. */
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

export interface HostProbe {
  /** Board model from the device tree, else the processor's name. */
  readonly name: string;
  readonly arch: string;
  readonly clusters: readonly ProbedCluster[];
  /** Cores this process may use. */
  readonly availableCores: number;
  /** Physical memory or the limit of the control group, whichever is less. */
  readonly memoryTotalBytes: number;
  readonly memoryAvailableBytes: number;
  readonly storageFreeBytes: number | null;
  readonly measured: Measured | null;
}

export interface ProbeOptions {
  /** Also time the machine: memory copies and multiply-accumulates, about 0.5 s. Off by default. */
  readonly measure?: boolean;
  /** Folder whose file system counts as storage; the working directory when absent. */
  readonly storagePath?: string;
}

const ARCH: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64', arm: 'armv7' };
const ASSUMED_MHZ = 1000;

/** Describes the machine this runs on: cores, caches, features, memory, storage. Never throws: what is unknown is null. */
export function probeHost(options: ProbeOptions = {}, system: HostSystem = nodeSystem()): HostProbe {
  const cpus = parseCpuinfo(system.read('/proc/cpuinfo') ?? '');
  const memory = parseMeminfo(system.read('/proc/meminfo') ?? '');
  const limit = cgroupLimit(system);
  const total = Math.min(memory.totalBytes ?? system.memoryBytes, limit ?? Number.POSITIVE_INFINITY);
  const clusters = clustersOf(cpus, system);
  return {
    name: boardModel(system) ?? cpus[0]?.name ?? system.arch,
    arch: ARCH[system.arch] ?? system.arch,
    clusters,
    availableCores: system.parallelism,
    memoryTotalBytes: total,
    memoryAvailableBytes: Math.min(total, memory.availableBytes ?? total),
    storageFreeBytes: system.freeBytes(options.storagePath ?? '.'),
    measured: options.measure ? measureMachine(() => system.now()) : null,
  };
}

/** The real machine. */
export function nodeSystem(): HostSystem {
  const quiet = <T>(f: () => T, otherwise: T): T => {
    try {
      return f();
    } catch {
      return otherwise;
    }
  };
  return {
    read: (path) => quiet<string | undefined>(() => readFileSync(path, 'utf8'), undefined),
    list: (folder) => quiet(() => readdirSync(folder), []),
    freeBytes: (path) =>
      quiet<number | null>(() => {
        const s = statfsSync(path);
        return s.bavail * s.bsize;
      }, null),
    arch: arch(),
    parallelism: availableParallelism(),
    memoryBytes: totalmem(),
    now: () => performance.now(),
  };
}

function boardModel(system: HostSystem): string | undefined {
  const model = system.read('/proc/device-tree/model')?.replaceAll('\0', '').trim();
  return model === '' ? undefined : model;
}

/** Groups processors by core kind; a machine without /proc/cpuinfo is one cluster of unknown cores. */
function clustersOf(cpus: readonly CpuInfo[], system: HostSystem): ProbedCluster[] {
  const groups = new Map<string, CpuInfo[]>();
  const all =
    cpus.length > 0 ? cpus : Array.from({ length: system.parallelism }, (_, index) => unknownCpu(index, system));
  for (const cpu of all) {
    const key = `${cpu.name}|${cpu.features.join()}`;
    groups.set(key, [...(groups.get(key) ?? []), cpu]);
  }
  return [...groups.values()].map((group) => clusterOf(group, system));
}

function unknownCpu(index: number, system: HostSystem): CpuInfo {
  return { index, name: system.arch, features: system.arch === 'arm64' ? ['neon'] : [], clockMHz: null };
}

function clusterOf(group: readonly CpuInfo[], system: HostSystem): ProbedCluster {
  const first = group[0]!;
  const kHz = Number(system.read(`/sys/devices/system/cpu/cpu${first.index}/cpufreq/cpuinfo_max_freq`)?.trim());
  const clock = kHz > 0 ? Math.round(kHz / 1000) : first.clockMHz;
  return {
    core: first.name,
    count: group.length,
    clockMHz: clock ?? ASSUMED_MHZ,
    clockKnown: clock !== null,
    ...cachesOf(first.index, group.length, system),
    ...vectorsOf(first.features, system.arch),
    features: first.features,
  };
}

function cachesOf(cpu: number, count: number, system: HostSystem) {
  const out = { l1iKB: null, l1dKB: null, l2KB: null, l2Shared: false, l3KB: null } as {
    l1iKB: number | null;
    l1dKB: number | null;
    l2KB: number | null;
    l2Shared: boolean;
    l3KB: number | null;
  };
  const root = `/sys/devices/system/cpu/cpu${cpu}/cache`;
  for (const entry of system.list(root)) {
    if (!/^index\d+$/.test(entry)) continue;
    const read = (file: string) => system.read(`${root}/${entry}/${file}`)?.trim() ?? '';
    const size = parseCacheKB(read('size'));
    const sharers = parseCpuList(read('shared_cpu_list')).length;
    const level = read('level');
    if (level === '1' && read('type') === 'Instruction') out.l1iKB = size;
    else if (level === '1') out.l1dKB = size;
    else if (level === '2' && size !== null) {
      out.l2Shared = sharers > 1 || count === 1;
      out.l2KB = size * Math.max(1, Math.round(count / Math.max(1, sharers)));
    } else if (level === '3') out.l3KB = size;
  }
  return out;
}

/** Register file of the widest vector extension that the features name (Intel and Arm architecture manuals). */
function vectorsOf(features: readonly string[], nodeArch: string): { vectorBits: number; vectorRegisters: number } {
  if (features.includes('avx512')) return { vectorBits: 512, vectorRegisters: 32 };
  if (features.includes('avx2')) return { vectorBits: 256, vectorRegisters: 16 };
  if (nodeArch === 'x64') return { vectorBits: 128, vectorRegisters: 16 };
  if (nodeArch === 'arm64') return { vectorBits: 128, vectorRegisters: 32 };
  return { vectorBits: features.includes('neon') ? 128 : 0, vectorRegisters: features.includes('neon') ? 16 : 0 };
}

/** Smallest memory limit of the control groups this process is in; undefined when there is none. */
function cgroupLimit(system: HostSystem): number | undefined {
  let least: number | undefined;
  for (const path of parseCgroupPaths(system.read('/proc/self/cgroup') ?? '')) {
    const bytes = Number(system.read(path)?.trim());
    // An unlimited group says 'max' (v2) or a number near 2^63 (v1).
    if (bytes > 0 && bytes < 2 ** 60 && bytes < (least ?? Number.POSITIVE_INFINITY)) least = bytes;
  }
  return least;
}
