import { sha256 } from '../../util/hash.ts';
import type { RolloutSpec, Size } from './spec.ts';

/** Where a device stands in a rollout: in the group that is held back, or in a wave (0 is the canary). */
export type Cohort = { readonly control: true } | { readonly wave: number };

/**
 * How devices are divided: a device's hash in [0, 1) and limits on it that are drawn once, when the rollout starts. So every device has its
 * cohort whenever it appears, and keeps it however many come.
 */
export interface Cuts {
  /** Below it a device is held back. */
  readonly control: number;
  /** Of the others, those below the first are the canary, and so on; the last is 1. */
  readonly waves: readonly number[];
  /** Waves that are so many devices: those that come later are not in them but in the next that is a share. */
  readonly closed: readonly boolean[];
}

/** In [0, 1), evenly spread over devices; the same for the same seed and name. */
export function hashOf(seed: number, device: string): number {
  return Number.parseInt(sha256(`${seed}/${device}`).slice(0, 12), 16) / 2 ** 48;
}

/** The limits that give the devices there are now waves of the sizes asked for. */
export function cutsOf(
  { seed, control, waves }: Pick<RolloutSpec, 'seed' | 'control' | 'waves'>,
  devices: readonly string[],
): Cuts {
  const hashes = devices.map((device) => hashOf(seed, device)).sort((a, b) => a - b);
  const held = control ? cutAt(hashes, 0, control) : 0;
  const treated = hashes.filter((h) => h >= held);
  const cuts: number[] = [];
  let taken = 0;
  for (const wave of waves) {
    const cut = cutAt(treated, taken, wave, held);
    cuts.push(Math.max(cut, cuts.at(-1) ?? 0));
    taken = treated.filter((h) => h < cuts.at(-1)!).length;
  }
  return { control: held, waves: cuts, closed: waves.map((w) => 'count' in w) };
}

/**
 * Below which hash there are `size.count` more than `taken`, or the share of all. A share of few devices is rounded up: a canary of 1 % of
 * 20 devices is one device.
 */
function cutAt(hashes: readonly number[], taken: number, size: Size, from = 0): number {
  if ('share' in size && size.share === 1) return 1;
  if ('share' in size && hashes.length === 0) return from + size.share * (1 - from);
  const wanted = 'count' in size ? taken + size.count : Math.ceil(size.share * hashes.length - 1e-9);
  return hashes[wanted] ?? 1;
}

/** The cohort of a device; `late` when it was not there when the rollout started. */
export function cohortOf(cuts: Cuts, seed: number, device: string, late: boolean): Cohort {
  const hash = hashOf(seed, device);
  if (hash < cuts.control) return { control: true };
  const wave = cuts.waves.findIndex((cut, i) => hash < cut && !(late && cuts.closed[i]));
  return { wave };
}
