import { inflateRawSync } from 'node:zlib';
import { deflateSync } from 'fflate';
import { unreadable } from './tar.ts';

/** Raw deflate by fflate: unlike zlib's, its output does not change with the Node version. */
export function deflate(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes, { level: 9 });
}

/**
 * Inflates to exactly `size` bytes.
 * @throws EigenError EW6001_BUNDLE_UNREADABLE.
 */
export function inflate(bytes: Uint8Array, size: number, part: string): Uint8Array {
  let out: Uint8Array | undefined;
  try {
    out = new Uint8Array(inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) }));
  } catch (e) {
    throw unreadable(`part '${part}' does not inflate`, e);
  }
  if (out.length !== size) throw unreadable(`part '${part}' inflates to ${out.length} bytes, not ${size}`);
  return out;
}
