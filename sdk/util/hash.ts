import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { bytesOf, type Tensor } from './tensor.ts';

/** SHA-256 of the concatenated chunks, 64 lower-case hex digits. */
export function sha256(...chunks: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

/** SHA-256 of a tensor's bytes: the unit of golden outputs. */
export function sha256OfTensor(t: Tensor): string {
  return sha256(bytesOf(t.data));
}

const CHUNK = 1 << 16;

/**
 * SHA-256 of the first bytes of a file, undefined when it has fewer. One buffer is read into: nothing of the file stays in memory.
 * Throws the platform's errors.
 */
export async function sha256OfFile(file: FileHandle, bytes: number): Promise<string | undefined> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(CHUNK);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, bytes - at), at);
    if (bytesRead === 0) return undefined;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}
