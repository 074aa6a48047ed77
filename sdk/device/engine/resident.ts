import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, keep, used } from '../../util/cache.ts';
import { sha256, sha256OfFile } from '../../util/hash.ts';
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

/** Whether a file ends in the hash of what stands before. */
async function isWhole(file: string): Promise<boolean> {
  let opened: FileHandle | undefined;
  try {
    opened = await open(file);
    const bytes = (await opened.stat()).size - HASH;
    const said = Buffer.alloc(HASH);
    await opened.read(said, 0, HASH, bytes);
    return (await sha256OfFile(opened, bytes)) === said.toString('hex');
  } catch {
    return false;
  } finally {
    await opened?.close();
  }
}
