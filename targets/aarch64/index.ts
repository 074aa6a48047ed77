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

/** Kernels for the cores that a board has. */
function coresOf({ cpu }: Profile): Set<string> {
  return new Set(cpu.clusters.map((c) => c.core));
}

function target(id: Profile['family'], boards: string, cores: readonly string[]): Target {
  return {
    id,
    summary: `${boards}: shared objects for ${cores.join(', ')}; needs the aarch64 cross gcc or zig`,
    platform: 'linux-arm64',
    vectors: { header: NEON_HEADER, sums: true, entry: sharedObjectEntry },
    variants: cores.map(variant),
    serves: (profile) => profile.family === id && cores.some((c) => coresOf(profile).has(c)),
    variantsFor: (profile) => cores.filter((c) => coresOf(profile).has(c)),
    ...sharedObjects('linux-arm64'),
  };
}

export const raspberryPiTarget: Target = target('raspberry-pi', 'Raspberry Pi', [
  'cortex-a53',
  'cortex-a72',
  'cortex-a76',
]);

export const jetsonTarget: Target = target('jetson', 'CPUs of Jetson boards', ['cortex-a57', 'cortex-a78ae']);

export const coralTarget: Target = target('coral', 'CPUs of Coral boards', ['cortex-a35', 'cortex-a53']);
