import { readFileSync } from 'node:fs';
import type { KernelId } from '../../wire/kernels.ts';

/** What /proc/cpuinfo must list for a variant of native kernels; variants of a platform in ascending order of preference. */
const NEEDS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'linux-x64': {
    sse4: ['sse4_2', 'popcnt'],
    avx2: ['avx2', 'popcnt'],
    avxvnni: ['avx2', 'avx_vnni', 'popcnt'],
    avx512vnni: ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512_vnni', 'avx512vbmi', 'avx512_vbmi2', 'popcnt'],
  },
  'linux-arm64': {
    'cortex-a35': ['asimd'],
    'cortex-a53': ['asimd'],
    'cortex-a57': ['asimd'],
    'cortex-a72': ['asimd'],
    'cortex-a76': ['asimd', 'asimddp', 'atomics'],
    'cortex-a78ae': ['asimd', 'asimddp', 'atomics'],
  },
};

/** Instruction sets that the first processor of this machine lists; none where the system does not tell. */
export function processorFlags(cpuinfo: string = readCpuinfo()): ReadonlySet<string> {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo);
  return new Set(line ? line[1]!.trim().split(/\s+/) : []);
}

function readCpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

/** Those of the kernels that this processor runs, the best first. */
export function runnable<K extends KernelId>(
  kernels: readonly K[],
  platform: string | undefined,
  flags: ReadonlySet<string>,
): K[] {
  const needs = Object.entries(NEEDS[platform ?? ''] ?? {}).reverse();
  return needs.flatMap(([variant, list]) =>
    kernels.filter((k) => k.platform === platform && k.variant === variant && list.every((f) => flags.has(f))),
  );
}
