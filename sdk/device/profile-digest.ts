import { sha256 } from '../util/hash.ts';
import type { HostProbe } from './probe.ts';

/**
 * SHA-256 of what a machine was found to be, as far as it decides how fast a model runs and which model fits: the same for all devices
 * of a kind, and after every start. Clocks that a governor sets, free memory and revisions of a board are not in it.
 */
export function profileDigest({ name, arch, clusters, memoryTotalBytes }: HostProbe): string {
  const cores = clusters.map(({ core, count, l1dKB, l2KB, l3KB, features }) => [
    core,
    count,
    l1dKB,
    l2KB,
    l3KB,
    [...features].sort(),
  ]);
  const board = name.replace(/ Rev [\d.]+$/, '');
  return sha256(JSON.stringify([board, arch, cores, builtIn(memoryTotalBytes)]));
}

/** The memory that a board is sold with: 1, 1.5, 2, 3, 4, 6, ... of something. The system keeps a part, another one with every version. */
function builtIn(bytes: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(1, bytes)));
  return bytes <= 0.75 * power ? 0.75 * power : power;
}
