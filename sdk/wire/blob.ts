/** A stretch of a blob that can be verified by itself. */
export interface Piece {
  readonly bytes: number;
  readonly sha256: string;
}

/** A file by what is in it. */
export interface BlobSpec {
  /** SHA-256 of the whole, its name in the store. */
  readonly sha256: string;
  readonly bytes: number;
  /** In order and without gaps: together they are the blob. */
  readonly pieces: readonly Piece[];
}

const SHA256 = /^[0-9a-f]{64}$/;

/** Most pieces that a device keeps books of: 4 GiB in pieces of 64 KiB. */
const MOST_PIECES = 65536;

/** Why a description from outside is not one of a blob; undefined when it is. */
export function blobProblem({ sha256, bytes, pieces }: BlobSpec): string | undefined {
  if (!SHA256.test(sha256)) return `'${sha256}' is not a SHA-256`;
  if (pieces.length > MOST_PIECES) return `${pieces.length} pieces, at most ${MOST_PIECES} are allowed`;
  const wrong = pieces.findIndex((p) => !SHA256.test(p.sha256) || !Number.isSafeInteger(p.bytes) || p.bytes <= 0);
  if (wrong >= 0) return `piece ${wrong} has a wrong size or hash`;
  const sum = pieces.reduce((total, p) => total + p.bytes, 0);
  return sum === bytes ? undefined : `its pieces have ${sum} bytes, it has ${bytes}`;
}

/** Where every piece begins. */
export function offsetsOf(pieces: readonly Piece[]): number[] {
  const offsets: number[] = [];
  let at = 0;
  for (const piece of pieces) {
    offsets.push(at);
    at += piece.bytes;
  }
  return offsets;
}
