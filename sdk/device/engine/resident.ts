import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, keep } from '../../util/cache.ts';
import { sha256 } from '../../util/hash.ts';
import type { ResidentWeights } from './native.ts';

/**
 * The resident weights of a bundle as a file that can be mapped: decoded once and kept in the cache, behind them their own hash. Their
 * bytes, where files cannot be kept.
 * @param name of what they are decoded from: the bundle's digest, and how much of it.
 */
export async function residentWeights(name: string, make: () => Uint8Array): Promise<ResidentWeights> {
  const folder = cacheFolder();
  if (folder === undefined) return make();
  const file = join(folder, 'weights', `${name}.bin`);
  if (await isWhole(file)) return { file };
  const weights = make();
  const content = new Uint8Array(weights.length + HASH);
  content.set(weights);
  content.set(Buffer.from(sha256(weights), 'hex'), weights.length);
  return keep(file, content).then(
    () => ({ file }),
    // Read-only or full: not shared, then.
    () => weights,
  );
}

/** Bytes of the hash. */
const HASH = 32;

/** Whether a file ends in the hash of what stands before; it is never in memory as a whole. */
async function isWhole(file: string): Promise<boolean> {
  const hash = createHash('sha256');
  let tail = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      const known = Buffer.concat([tail, chunk]);
      const end = Math.max(0, known.length - HASH);
      hash.update(known.subarray(0, end));
      tail = known.subarray(end);
    }
  } catch {
    return false;
  }
  return tail.length === HASH && hash.digest().equals(tail);
}
