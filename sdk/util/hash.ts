import { createHash } from 'node:crypto';
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
