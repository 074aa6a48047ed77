import { sharedObjectEntry } from '../../sdk/compile/emit/c/shared-object.ts';
import type { Profile } from '../../sdk/compile/profile.ts';
import type { KernelVariant, Target } from '../../sdk/compile/target.ts';
import { sharedObjects } from '../../sdk/compile/toolchains/shared-object.ts';
import { NEON_HEADER } from './simd.ts';

/**
 * Shared objects for boards with 64-bit Arm cores, one target a family. A variant is a core: it fixes the instructions that may be used and
 * the order in which the compiler puts them.
 */

const FLAGS = [
  // Scheduling before registers are assigned makes the accumulators of products spill.
  '-fno-schedule-insns',
  // Atomic operations as they are, not by functions of a library that is not linked.
  '-mno-outline-atomics',
] as const;

/** What older steppings of a core compute wrongly unless the compiler avoids it. */
const ERRATA: Readonly<Record<string, readonly string[]>> = {
  'cortex-a53': ['-mfix-cortex-a53-835769', '-mfix-cortex-a53-843419'],
};

function variant(core: string): KernelVariant {
  return { id: core, defines: ['EW_DOT7'], flags: [`-mcpu=${core}`, ...FLAGS, ...(ERRATA[core] ?? [])] };
}

/** Cores with the dot product of bytes. */
const DOT_PRODUCT: ReadonlySet<string> = new Set(['cortex-a76', 'cortex-a78ae']);

/** The variant for each kind of core of a board: its own, or the newest whose instructions it has. */
function variantsOn({ cpu }: Profile, cores: readonly string[]): string[] {
  return cpu.clusters.map(({ core, features }) => {
    const runs = cores.filter((c) => !DOT_PRODUCT.has(c) || features.includes('dotprod'));
    return cores.includes(core) ? core : runs.at(-1)!;
  });
}

interface Boards {
  readonly id: Profile['family'];
  readonly name: string;
  readonly cores: readonly string[];
  /** Other boards that its kernels are for. */
  readonly alsoServes?: Profile['family'];
}

function target({ id, name, cores, alsoServes }: Boards): Target {
  return {
    id,
    summary: `${name}: shared objects for ${cores.join(', ')}; needs the aarch64 cross gcc or zig`,
    platform: 'linux-arm64',
    vectors: { header: NEON_HEADER, sums: true, entry: sharedObjectEntry },
    variants: cores.map(variant),
    serves: ({ family, cpu }) => cpu.arch === 'aarch64' && (family === id || family === alsoServes),
    variantsFor: (profile) => variantsOn(profile, cores),
    ...sharedObjects('linux-arm64'),
  };
}

/** Also for the machine at hand, where it is a board with such cores. */
export const raspberryPiTarget: Target = target({
  id: 'raspberry-pi',
  name: 'Raspberry Pi',
  cores: ['cortex-a53', 'cortex-a72', 'cortex-a76'],
  alsoServes: 'host',
});

export const jetsonTarget: Target = target({
  id: 'jetson',
  name: 'CPUs of Jetson boards',
  cores: ['cortex-a57', 'cortex-a78ae'],
});

export const coralTarget: Target = target({
  id: 'coral',
  name: 'CPUs of Coral boards',
  cores: ['cortex-a35', 'cortex-a53'],
});
