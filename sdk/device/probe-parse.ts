/** Parsers of what Linux says about a machine; all pure, text in and data out. */

export interface CpuInfo {
  readonly index: number;
  /** cortex-a72, neoverse-n1, or the vendor's model name. */
  readonly name: string;
  /** Names as in a board profile: neon, dotprod, avx2, ... */
  readonly features: readonly string[];
  readonly clockMHz: number | null;
}

/** Arm's part numbers (implementer 0x41, MIDR_EL1) of cores met on boards and servers. */
const ARM_PARTS: Record<string, string> = {
  '0xd03': 'cortex-a53',
  '0xd04': 'cortex-a35',
  '0xd05': 'cortex-a55',
  '0xd07': 'cortex-a57',
  '0xd08': 'cortex-a72',
  '0xd09': 'cortex-a73',
  '0xd0a': 'cortex-a75',
  '0xd0b': 'cortex-a76',
  '0xd0c': 'neoverse-n1',
  '0xd40': 'neoverse-v1',
  '0xd41': 'cortex-a78',
  '0xd42': 'cortex-a78ae',
  '0xd49': 'neoverse-n2',
  '0xd4f': 'neoverse-v2',
};

/** Kernel flag -> feature name of the profiles. */
const FLAGS: Record<string, string> = {
  asimd: 'neon',
  neon: 'neon',
  aes: 'crypto',
  asimddp: 'dotprod',
  asimdhp: 'fp16',
  bf16: 'bf16',
  i8mm: 'i8mm',
  sve: 'sve',
  sse4_1: 'sse4.1',
  avx2: 'avx2',
  fma: 'fma',
  avx_vnni: 'avx-vnni',
  avx512f: 'avx512',
  avx512_vnni: 'avx512-vnni',
};

/** /proc/cpuinfo of x86 and Arm, one entry a processor; empty when the text has none. */
export function parseCpuinfo(text: string): CpuInfo[] {
  const out: CpuInfo[] = [];
  for (const block of text.split(/\n\s*\n/)) {
    const field = (name: string) => new RegExp(`^${name}\\s*:[ \\t]*(.*)$`, 'mi').exec(block)?.[1]?.trim();
    const index = field('processor');
    if (index === undefined || !/^\d+$/.test(index)) continue;
    const flags = (field('flags') ?? field('Features') ?? '').split(/\s+/);
    const MHz = Number(field('cpu MHz'));
    out.push({
      index: Number(index),
      name: coreName(field('CPU implementer'), field('CPU part')) ?? field('model name') ?? 'unknown',
      features: [...new Set(flags.flatMap((f) => FLAGS[f] ?? []))].sort(),
      clockMHz: MHz > 0 ? Math.round(MHz) : null,
    });
  }
  return out;
}

function coreName(implementer: string | undefined, part: string | undefined): string | undefined {
  if (implementer === undefined || part === undefined) return undefined;
  const known = implementer === '0x41' ? ARM_PARTS[part.toLowerCase()] : undefined;
  return known ?? `implementer ${implementer} part ${part}`;
}

/** /proc/meminfo, bytes. MemAvailable is missing on kernels before 3.14. */
export function parseMeminfo(text: string): { totalBytes: number | undefined; availableBytes: number | undefined } {
  const kB = (name: string) => {
    const m = new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(text);
    return m ? Number(m[1]) * 1024 : undefined;
  };
  return { totalBytes: kB('MemTotal'), availableBytes: kB('MemAvailable') };
}

/** Cache sizes of /sys: '32K', '1M', '512 KB'. */
export function parseCacheKB(text: string): number | null {
  const m = /^(\d+)\s*([KMG]?)/i.exec(text);
  if (!m) return null;
  const unit = { '': 1 / 1024, K: 1, M: 1024, G: 1024 * 1024 }[m[2]!.toUpperCase()]!;
  return Number(m[1]) * unit;
}

/** Processor lists of /sys: '0-3,6' -> [0, 1, 2, 3, 6]. */
export function parseCpuList(text: string): number[] {
  const out: number[] = [];
  for (const range of text.trim().split(',')) {
    const m = /^(\d+)(?:-(\d+))?$/.exec(range);
    if (!m) continue;
    for (let i = Number(m[1]); i <= Number(m[2] ?? m[1]); i++) out.push(i);
  }
  return out;
}

/** Files that may hold a memory limit, from /proc/self/cgroup: this process's group and all above it, version 1 and 2. */
export function parseCgroupPaths(text: string): string[] {
  const out: string[] = [];
  for (const line of text.split('\n')) {
    const m = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!m) continue;
    const controllers = m[1]!.split(',');
    const v2 = m[1] === '';
    if (!v2 && !controllers.includes('memory')) continue;
    const [root, file] = v2 ? ['/sys/fs/cgroup', 'memory.max'] : ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'];
    const parts = m[2]!.split('/').filter((p) => p !== '');
    for (let n = parts.length; n >= 0; n--) out.push([root, ...parts.slice(0, n), file].join('/'));
  }
  return out;
}
