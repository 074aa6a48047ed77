import { EigenError, isEigenError } from '../../util/errors.ts';

/**
 * A delta, wdelta/1: what makes the bytes of one bundle from those of another, part by part and, for the weights, constant by constant.
 *
 *   "EWD1", SHA-256 of the manifest of the old bundle and of the new one,
 *   varint size of the new manifest, its patch (patch.ts) as a block,
 *   of every part of the new manifest, in its order:
 *     SAME     varint index of the old part
 *     PATCH    block: a patch of the old part of that name, inflated where the part is deflated
 *     WHOLE    its bytes
 *     WEIGHTS  block: the lists that start the stream of weights (sdk/wire/container.ts); of every constant:
 *       COPY         varint index of the old constant whose bytes these are
 *       WHOLE        payload and refinements
 *       CHANGES      varint index of the old constant; for codes a block, how they are coded; block: encodeChanges
 *       DIFFERENCES  the same with encodeDifferences (sdk/wire/differences.ts)
 *   CRC-32 of all this.
 *
 * A block is a varint length and as many bytes. Nothing in a delta is trusted: the manifest must have the digest that is expected,
 * and every part the hash that the manifest has for it.
 */
export const MAGIC = Uint8Array.of(0x45, 0x57, 0x44, 0x31);

export const PART_OPS = ['same', 'patch', 'whole', 'weights'] as const;
export type PartOp = (typeof PART_OPS)[number];

export const CONSTANT_OPS = ['copy', 'whole', 'changes', 'differences'] as const;
export type ConstantOp = (typeof CONSTANT_OPS)[number];

/** Bytes of digests in the file. */
export const DIGEST_BYTES = 32;

export function invalidDelta(what: string, cause?: unknown): EigenError {
  return new EigenError('EW6008_DELTA_INVALID', `delta: ${what}`, {
    hint: 'The old bundle was not touched. Fetch the whole new one.',
    cause,
  });
}

/** Runs a step of a delta; what its decoders say is wrong with their bytes is wrong with the delta. */
export async function inDelta<T>(what: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (e) {
    if (isEigenError(e) && /^EW600[123]/.test(e.code)) throw invalidDelta(`${what}: ${e.message}`, e);
    throw e;
  }
}
