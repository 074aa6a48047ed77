import { MetadataKind } from '@tufjs/models';
import { type AssignmentHead, encodeTerms, formatTime, type Terms } from '../../wire/metadata.ts';
import type { Signer } from './keys.ts';
import { signMetadata } from './sign.ts';

/** What a device is to run, as it is to be signed. */
export interface Order extends AssignmentHead {
  /** Of the file: higher than that of every file that was signed for the device before. A new signature of the same order is one. */
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly expires: number;
  /** Absent where the device is to leave everything as it is. */
  readonly bundle?: OrderedBundle;
}

export interface OrderedBundle extends Terms {
  /** Under which targets list it. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The file of a device's assignment, as `assignmentRole` names it. @param signers the director's, as many as its threshold. */
export function signAssignment(order: Order, signers: readonly Signer[]): Uint8Array {
  const { device, board, release, version, expires, bundle } = order;
  const targets = bundle && {
    [bundle.path]: { length: bundle.bytes, hashes: { sha256: bundle.sha256 }, custom: encodeTerms(bundle) },
  };
  const head = { device, board, release };
  const signed = {
    _type: MetadataKind.Targets,
    version,
    expires: formatTime(expires),
    targets: targets ?? {},
    ...head,
  };
  return signMetadata(signed, signers);
}
