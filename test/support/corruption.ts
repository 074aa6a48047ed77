import { applyDelta, type Bundle, bytesSource } from '../../sdk/bundle/index.ts';
import { crc32 } from '../../sdk/util/crc32.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import type { Rng } from '../../sdk/util/rng.ts';
import { memoryTarget } from './trained-bundles.ts';

const WAYS = ['flip', 'set', 'swap', 'cut', 'drop', 'double', 'zero'] as const;

/** A delta with one or a few things wrong; sometimes with the checksum that would belong to it. */
export function corrupted(delta: Uint8Array, rng: Rng): { readonly bytes: Uint8Array; readonly how: string } {
  let bytes = delta.slice();
  const how: string[] = [];
  for (let n = 1 + rng.below(3); n > 0 && bytes.length > 8; n--) {
    const way = WAYS[rng.below(WAYS.length)]!;
    const at = rng.below(bytes.length);
    const other = rng.below(bytes.length);
    const span = 1 + rng.below(64);
    how.push(`${way} ${at}`);
    if (way === 'flip') bytes[at]! ^= 1 << rng.below(8);
    else if (way === 'set') bytes[at] = rng.below(256);
    else if (way === 'swap') [bytes[at], bytes[other]] = [bytes[other]!, bytes[at]!];
    else if (way === 'cut') bytes = bytes.slice(0, at);
    else if (way === 'drop') bytes = Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + span));
    else if (way === 'double') bytes = Uint8Array.of(...bytes.subarray(0, at + span), ...bytes.subarray(at));
    else bytes.fill(0, at, at + span);
  }
  if (bytes.length > 8 && rng.below(4) > 0) {
    how.push('checksum');
    new DataView(bytes.buffer).setUint32(bytes.length - 4, crc32(bytes.subarray(0, -4)), true);
  }
  return { bytes, how: how.join(', ') };
}

/**
 * Applies a delta that may be anything. `refused`, or `made` when it made exactly the new bundle; throws when it made something else,
 * wrote past its end or failed in a way that is not an answer.
 */
export async function outcomeOf(
  delta: Uint8Array,
  { old, now, wanted }: { readonly old: Uint8Array; readonly now: Bundle; readonly wanted: Uint8Array },
): Promise<'refused' | 'made'> {
  const target = memoryTarget(now.bytes);
  try {
    await applyDelta({ delta: bytesSource(delta), old: bytesSource(old), target, digest: now.digest });
  } catch (e) {
    if (isEigenError(e) && /^EW600[89]/.test(e.code)) return 'refused';
    throw e;
  }
  if (Buffer.compare(target.content, wanted) !== 0) throw new Error('a corrupted delta was accepted');
  return 'made';
}
