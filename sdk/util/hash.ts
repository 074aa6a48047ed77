import { createHash } from 'node:crypto';

/** SHA-256 of the concatenated chunks, 64 lower-case hex digits. */
export function sha256(...chunks: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}
