import { EigenError } from '../util/errors.ts';
import { sha256 } from '../util/hash.ts';
import { type CborMap, type CborValue, decodeCbor, encodeCbor } from '../wire/cbor.ts';
import { containerLayout, longestHead } from '../wire/container.ts';
import { DEFAULT_PIECE, MAX_PIECE } from '../wire/protocol/messages.ts';
import { type ByteSource, filesOf, type Range, readDirectory } from './archive.ts';
import type { Manifest } from './manifest.ts';
import { MANIFEST, MANIFEST_DIGEST, WEIGHTS } from './names.ts';
import { isPartName, tampered, tarLayout } from './tar.ts';

/**
 * A bundle as chunks, each named by its SHA-256: what a device has already, from another bundle too, it need not fetch, and any source
 * will do for the rest. Chunks start where tensors start, so that a tensor that stayed the same is the same chunks wherever it lies.
 */
export interface Chunk extends Range {
  /** SHA-256 of its bytes. */
  readonly digest: string;
  /** The file of the archive that it is of. */
  readonly file: string;
  /** In the weights: index of the constant that it starts with; none for the lists before the first. */
  readonly constant?: number | undefined;
}

export interface ChunkIndex {
  /** Of the bundle. */
  readonly digest: string;
  /** Of the archive; headers and padding are in no chunk, they follow from names and sizes. */
  readonly bytes: number;
  /** Names and sizes of the archive's files, in order. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** In the order of the archive: every byte of the manifest and the parts is in one. */
  readonly chunks: readonly Chunk[];
}

/** Smaller pieces share a chunk with what follows them. */
const SMALL = 4096;

/** More chunks than any bundle has. */
const MOST_CHUNKS = 1 << 20;
const VERSION = 1;

/** A stretch of a file that starts something. */
interface Piece extends Range {
  readonly constant?: number;
}

/**
 * The chunks of a whole bundle, of at most `largest` bytes; the same bundle has the same ones. Holds a chunk at a time, and verifies
 * nothing: what a chunk holds is what its digest says.
 * @throws EigenError EW6001 to EW6003 when it is not a bundle.
 */
export async function indexBundle(source: ByteSource, largest = DEFAULT_PIECE): Promise<ChunkIndex> {
  const { manifest, manifestBytes, digest, files } = await readDirectory(source);
  const chunks: Chunk[] = [];
  for (const { name, from, bytes } of files.values()) {
    if (name === MANIFEST_DIGEST) continue;
    const pieces = name === WEIGHTS ? await weightPieces(source, { from, bytes }, manifest) : [{ from: 0, bytes }];
    for (const piece of cut(pieces, largest)) {
      const range = { from: from + piece.from, bytes: piece.bytes };
      const own = sha256(await source.read(range.from, range.bytes));
      chunks.push({ ...piece, ...range, digest: own, file: name });
    }
  }
  return { digest, bytes: source.bytes, files: filesOf(manifest, manifestBytes.length), chunks };
}

async function weightPieces(source: ByteSource, { from, bytes }: Range, manifest: Manifest): Promise<Piece[]> {
  const start = await source.read(from, Math.min(bytes, longestHead(manifest.program.weights.length)));
  const layout = containerLayout(start);
  if (layout.bytes !== bytes) throw tampered(`part '${WEIGHTS}' has ${bytes} bytes, its lists say ${layout.bytes}`);
  return [{ from: 0, bytes: layout.head }, ...layout.pieces];
}

/** Small neighbours together, large pieces apart and in equal steps from their start. */
function cut(pieces: readonly Piece[], largest: number): Piece[] {
  const out: Piece[] = [];
  let open: Piece | undefined;
  const close = (): void => {
    if (open) out.push(open);
    open = undefined;
  };
  for (const { from, bytes, constant } of pieces) {
    if (bytes === 0) continue;
    const start = constant === undefined ? {} : { constant };
    if (bytes < SMALL) {
      if (open && open.bytes + bytes > largest) close();
      open = open ? { ...open, bytes: open.bytes + bytes } : { from, bytes, ...start };
      if (open.bytes >= SMALL) close();
      continue;
    }
    close();
    for (let at = 0; at < bytes; at += largest)
      out.push({ from: from + at, bytes: Math.min(largest, bytes - at), ...start });
  }
  close();
  return out;
}

/** The chunks of an index that are in no other one, each once. */
export function newChunks(index: ChunkIndex, others: readonly ChunkIndex[]): Chunk[] {
  const known = new Set(others.flatMap((o) => o.chunks.map((c) => c.digest)));
  return index.chunks.filter(({ digest }) => !known.has(digest) && known.add(digest));
}

/** The index as bytes: what a device fetches first. */
export function encodeIndex({ digest, files, chunks }: ChunkIndex): Uint8Array {
  const digests = new Uint8Array(32 * chunks.length);
  chunks.forEach((c, i) => void digests.set(Buffer.from(c.digest, 'hex'), 32 * i));
  return encodeCbor({
    v: VERSION,
    bundle: new Uint8Array(Buffer.from(digest, 'hex')),
    files: files.map(({ name, bytes }) => [
      name,
      bytes,
      chunks.filter((c) => c.file === name).map((c) => (c.constant === undefined ? [c.bytes] : [c.bytes, c.constant])),
    ]),
    digests,
  });
}

export function invalidChunk(what: string, details: Record<string, unknown> = {}): EigenError {
  return new EigenError('EW6010_CHUNK_INVALID', `chunks: ${what}`, {
    hint: 'Fetch it again, from another source where there is one.',
    details,
  });
}

/**
 * Reads an index for a bundle of this digest and size, both known from elsewhere. What else it says is a claim until the bundle is whole: its manifest then has the digest, and
 * every part the hash in the manifest (assembly.ts). A false index costs the bytes it names and no more.
 * @throws EigenError EW6010_CHUNK_INVALID, EW6006_MESSAGE_INVALID for what is no CBOR.
 */
export function decodeIndex(
  bytes: Uint8Array,
  { digest, bytes: expected }: Pick<ChunkIndex, 'digest' | 'bytes'>,
): ChunkIndex {
  const value = decodeCbor(bytes);
  if (!isMap(value) || value.v !== VERSION) throw invalidChunk('the index is of an unknown version');
  const { bundle, files: listed, digests, ...others } = value;
  if (!(bundle instanceof Uint8Array) || hex(bundle) !== digest)
    throw invalidChunk(`the index is not that of bundle ${digest}`);
  if (!Array.isArray(listed) || !(digests instanceof Uint8Array) || Object.keys(others).length !== 1)
    throw invalidChunk('the index is not complete');
  const files = listed.map(readFile);
  checkFiles(files);
  const { entries, bytes: size } = tarLayout(files);
  if (size !== expected) throw invalidChunk(`the index is for ${size} bytes, the bundle has ${expected}`);
  const chunks: Chunk[] = [];
  files.forEach(({ name, chunks: sizes }, i) => {
    let from = entries[i]!.from;
    for (const { bytes: count, constant } of sizes) {
      const at = 32 * chunks.length;
      const own = hex(digests.subarray(at, at + 32));
      chunks.push({ file: name, from, bytes: count, digest: own, ...(constant === undefined ? {} : { constant }) });
      from += count;
    }
  });
  if (digests.length !== 32 * chunks.length || chunks.length > MOST_CHUNKS)
    throw invalidChunk(`the index has ${digests.length} bytes of digests for ${chunks.length} chunks`);
  return { digest, bytes: size, files: files.map(({ name, bytes: count }) => ({ name, bytes: count })), chunks };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function isMap(value: CborValue): value is CborMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

interface ListedFile {
  readonly name: string;
  readonly bytes: number;
  readonly chunks: readonly { readonly bytes: number; readonly constant?: number }[];
}

/** Larger files are in no bundle: weights must fit the memory of WebAssembly. */
const LARGEST_FILE = 2 ** 32;

function readFile(entry: CborValue): ListedFile {
  const [name, bytes, sizes, ...rest] = Array.isArray(entry) ? entry : [];
  if (typeof name !== 'string' || !isPartName(name) || !isCount(bytes, LARGEST_FILE) || !Array.isArray(sizes))
    throw invalidChunk('a file of the index is not valid');
  const chunks = sizes.map((size: CborValue) => {
    const [count, constant, ...more] = Array.isArray(size) ? size : [];
    if (!isCount(count, MAX_PIECE) || count === 0 || more.length > 0 || !(constant === undefined || isCount(constant)))
      throw invalidChunk(`a chunk of '${name}' is not valid`);
    return constant === undefined ? { bytes: count } : { bytes: count, constant };
  });
  const covered = chunks.reduce((sum, c) => sum + c.bytes, 0);
  if (rest.length > 0 || covered !== (name === MANIFEST_DIGEST ? 0 : bytes))
    throw invalidChunk(`the chunks of '${name}' have ${covered} bytes, the file ${bytes}`);
  return { name, bytes, chunks };
}

function isCount(value: CborValue | undefined, most = Number.MAX_SAFE_INTEGER): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;
}

function checkFiles(files: readonly ListedFile[]): void {
  const names = files.map((f) => f.name);
  if (names[0] !== MANIFEST || names[1] !== MANIFEST_DIGEST || !names.includes(WEIGHTS))
    throw invalidChunk('the index lacks a file that every bundle has');
  if (new Set(names).size !== names.length) throw invalidChunk('the index has a file twice');
}
