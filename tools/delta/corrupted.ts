import { readFile } from 'node:fs/promises';
import { openBundle } from '../../sdk/bundle/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { corrupted, outcomeOf } from '../../test/support/corruption.ts';

/**
 * Applies so many deltas that are wrong in some way, most with the checksum that belongs to them; gives how many were refused, and how
 * many made the new bundle all the same, for what was wrong says nothing.
 * @throws Error where one made anything else.
 */
export async function tryCorrupted(
  [old, now, delta]: readonly [string, string, string],
  count: number,
): Promise<{ readonly refused: number; readonly harmless: number }> {
  const [oldBytes, wanted, right] = await Promise.all(
    [old, now, delta].map(async (p) => new Uint8Array(await readFile(p))),
  );
  const bundle = openBundle(wanted!);
  const rng = new Rng(7);
  let refused = 0;
  let harmless = 0;
  while (refused + harmless < count) {
    const { bytes } = corrupted(right!, rng);
    if (Buffer.compare(bytes, right!) === 0) continue;
    if ((await outcomeOf(bytes, { old: oldBytes!, now: bundle, wanted: wanted! })) === 'refused') refused++;
    else harmless++;
  }
  return { refused, harmless };
}
