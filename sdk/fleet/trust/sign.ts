import { Metadata, type MetadataKind } from '@tufjs/models';
import { sha256 } from '../../util/hash.ts';
import type { Signer } from './keys.ts';

export const SPEC_VERSION = '1.0.31';

/** The signed part of a file, as TUF's specification writes it. */
export interface SignedJson {
  readonly _type: `${MetadataKind}`;
  readonly version: number;
  readonly expires: string;
  readonly [field: string]: unknown;
}

export interface SignatureJson {
  readonly keyid: string;
  readonly sig: string;
}

/** The bytes of a file. `before` are signatures that it has already. */
export function signMetadata(
  signed: SignedJson,
  signers: readonly Signer[],
  before: readonly SignatureJson[] = [],
): Uint8Array {
  const json = { signed: { spec_version: SPEC_VERSION, ...signed }, signatures: before };
  const metadata = modelOf(signed._type, json);
  for (const signer of signers) metadata.sign((data) => signer.sign(data));
  return new TextEncoder().encode(JSON.stringify(metadata.toJSON()));
}

type Json = Parameters<typeof Metadata.fromJSON>[1];

function modelOf(type: SignedJson['_type'], json: object): Metadata<never> {
  // The overloads of the models are by kind; what is done with the result is the same for all.
  return Metadata.fromJSON(type as MetadataKind.Root, json as Json) as unknown as Metadata<never>;
}

/** What was signed, and by which signatures. The bytes are our own: they are not verified. */
export function readMetadata(bytes: Uint8Array): { signed: SignedJson; signatures: SignatureJson[] } {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** What a timestamp or snapshot says of a file. */
export function metaJson(version: number, bytes: Uint8Array): object {
  return { version, length: bytes.length, hashes: { sha256: sha256(bytes) } };
}
