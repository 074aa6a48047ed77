import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, keep, used } from '../../util/cache.ts';
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
  if (await isWhole(file)) {
    await used(file);
    return { file };
  }
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

const CHUNK = 1 << 16;

/** Whether a file ends in the hash of what stands before. One buffer is read into: nothing of the file stays in memory. */
async function isWhole(file: string): Promise<boolean> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(CHUNK);
  let opened: FileHandle | undefined;
  try {
    opened = await open(file);
    for (let left = (await opened.stat()).size - HASH; left > 0; ) {
      const { bytesRead } = await opened.read(buffer, 0, Math.min(CHUNK, left));
      if (bytesRead === 0) return false;
      hash.update(buffer.subarray(0, bytesRead));
      left -= bytesRead;
    }
    const { bytesRead } = await opened.read(buffer, 0, HASH);
    return bytesRead === HASH && hash.digest().equals(buffer.subarray(0, HASH));
  } catch {
    return false;
  } finally {
    await opened?.close();
  }
}
