import type { Profile } from './profile-schema.ts';

const KB = 1024;

/** Where nothing is known of the board: fits half of the smallest second-level caches of application cores. */
export const DEFAULT_BLOCK = 96 * KB;
/**
 * Larger blocks cost memory and gain nothing: timed on x86 (L2 1 MB), layers of 192 KB blocks were 2 to 20 % faster than of 96 KB where
 * rows are long, since weights are unpacked once a block, and of 384 KB as fast but for rows of 16 KB.
 */
const LARGEST = 192 * KB;
/** Without a second level, memory is scarce, and as near as any cache. */
export const SMALLEST_BLOCK = 16 * KB;
/** The rest of the cache holds weights and results. */
const SHARE = 0.75;

/** Bytes of activations that kernels work on at a time: most of a core's share of the second-level cache. */
export function blockBytesOf(profile: Profile): number {
  // What is probed differs between machines that must build the same.
  if (profile.family === 'host') return LARGEST;
  const { l2KB, count } = profile.cpu.clusters[0]!;
  if (l2KB === null) return DEFAULT_BLOCK;
  return Math.max(SMALLEST_BLOCK, Math.min(LARGEST, (SHARE * l2KB * KB) / count));
}
