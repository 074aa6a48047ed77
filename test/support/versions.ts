import { makeDelta } from '../../sdk/bundle/index.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { Rng } from '../../sdk/util/rng.ts';
import type { Assignment } from '../../sdk/wire/assignment.ts';
import type { BlobSpec } from '../../sdk/wire/blob.ts';
import { openState, stateBundle } from './trained-bundles.ts';

/** A file of noise that stands for the bundle of a version; its size is no multiple of a sector or a piece. */
export function versionBytes(version: number, size = 5000): Uint8Array {
  const rng = new Rng(version);
  return Uint8Array.from({ length: size + 7 * version }, () => rng.below(256));
}

export function specOf(bytes: Uint8Array, pieceBytes = 700): BlobSpec {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) => {
    const piece = bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes);
    return { bytes: piece.length, sha256: sha256(piece) };
  });
  return { sha256: sha256(bytes), bytes: bytes.length, pieces };
}

/** Where a piece of a blob lies. */
export function pieceOf(bytes: Uint8Array, spec: BlobSpec, index: number): Uint8Array {
  const at = spec.pieces.slice(0, index).reduce((sum, p) => sum + p.bytes, 0);
  return bytes.subarray(at, at + spec.pieces[index]!.bytes);
}

interface Version {
  readonly version: number;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly specs: Map<number, BlobSpec>;
}

function versionOfBytes(version: number, bytes: Uint8Array): Version {
  return { version, bytes, sha256: sha256(bytes), specs: new Map() };
}

/** Versions 4 and 5 are bundles, and 0 no version but the delta between them: the others are noise. */
export const VERSIONS = [
  versionOfBytes(0, makeDelta(openState(0, 16), openState(3, 16)).bytes),
  ...[1, 2, 3].map((version) => versionOfBytes(version, versionBytes(version))),
  versionOfBytes(4, stateBundle(0, 16)),
  versionOfBytes(5, stateBundle(3, 16)),
];
/** The delta's place in it. */
export const DELTA = 0;

export function blobOf(version: number, pieceBytes = 700): BlobSpec {
  const { bytes, specs } = VERSIONS[version]!;
  const spec = specs.get(pieceBytes) ?? specOf(bytes, pieceBytes);
  specs.set(pieceBytes, spec);
  return spec;
}

export function assign(version: number, change: Partial<Assignment> = {}): Assignment {
  return {
    release: version,
    expires: Number.MAX_SAFE_INTEGER,
    board: 'board',
    blob: blobOf(version),
    limits: {},
    shadowInputs: 0,
    probation: { milliseconds: 1000 },
    ...change,
  };
}
