import { ByteReader, ByteWriter, damaged } from './bits.ts';

/**
 * The weight stream as bytes: everything a model of lower quality needs first, then what makes it better, so that a prefix is
 * a model too.
 *
 *   magic, varint number of constants,
 *   of every constant its kind (one byte) and the varint length of its payload,
 *   varint number of refinements, of every refinement the varint index of its constant and its varint length,
 *   the payloads, the refinements.
 *
 * Names, types and shapes are the program's. Refinements of one constant come in the order in which they apply.
 */
const MAGIC = [0x45, 0x57, 0x54, 0x31]; // EWT1

export interface Chunk {
  readonly kind: number;
  readonly payload: Uint8Array;
}

export interface RefinementChunk {
  /** Index of the constant. */
  readonly item: number;
  readonly payload: Uint8Array;
}

export function writeContainer(chunks: readonly Chunk[], refinements: readonly RefinementChunk[]): Uint8Array {
  const writer = new ByteWriter();
  writer.bytes(Uint8Array.from(MAGIC));
  writer.varint(chunks.length);
  for (const { kind, payload } of chunks) {
    writer.byte(kind);
    writer.varint(payload.length);
  }
  writer.varint(refinements.length);
  for (const { item, payload } of refinements) {
    writer.varint(item);
    writer.varint(payload.length);
  }
  for (const { payload } of chunks) writer.bytes(payload);
  for (const { payload } of refinements) writer.bytes(payload);
  return writer.finish();
}

interface Listed {
  readonly length: number;
  readonly headerBytes: number;
}

interface Directory {
  readonly chunks: readonly (Listed & { readonly kind: number })[];
  readonly refinements: readonly (Listed & { readonly item: number })[];
  /** Bytes of magic and counts. */
  readonly frameBytes: number;
  /** Where the payloads start. */
  readonly end: number;
}

function readDirectory(reader: ByteReader): Directory {
  const length = reader.remaining;
  if (MAGIC.some((b) => reader.byte() !== b)) throw damaged('it does not start with EWT1');
  let frameBytes = MAGIC.length;
  const measured = <T>(read: () => T): T & Listed => {
    const before = reader.remaining;
    const entry = read();
    const size = reader.varint();
    return { ...entry, length: size, headerBytes: before - reader.remaining };
  };
  const counted = (): number => {
    const before = reader.remaining;
    const count = reader.varint();
    // Every entry takes two bytes and more.
    if (2 * count > reader.remaining) throw damaged('a number of constants is not valid');
    frameBytes += before - reader.remaining;
    return count;
  };
  const chunks = Array.from({ length: counted() }, () => measured(() => ({ kind: reader.byte() })));
  const refinements = Array.from({ length: counted() }, () => measured(() => ({ item: reader.varint() })));
  if (refinements.some((r) => r.item >= chunks.length)) throw damaged('a refinement has no constant');
  return { chunks, refinements, frameBytes, end: length - reader.remaining };
}

/** One constant of a stream with the refinements that are there. */
export interface ContainerEntry extends Chunk {
  readonly refinements: readonly Uint8Array[];
  /** Of the list, for the constant and its refinements. */
  readonly headerBytes: number;
  /** Of payload and refinements, whether they are there or not. */
  readonly payloadBytes: number;
}

/**
 * The constants of a stream, and the bytes that belong to none. `prefix`: the end of the stream may be missing, at most its
 * refinements; those that are cut off are left out.
 * @throws EigenError EW6002_BUNDLE_TAMPERED.
 */
export function readContainer(bytes: Uint8Array, prefix = false): { entries: ContainerEntry[]; frameBytes: number } {
  const reader = new ByteReader(bytes);
  const { chunks, refinements, frameBytes } = readDirectory(reader);
  const entries = chunks.map((c) => ({
    kind: c.kind,
    payload: reader.bytes(c.length),
    refinements: [] as Uint8Array[],
    headerBytes: c.headerBytes,
    payloadBytes: c.length,
  }));
  let cut = false;
  for (const r of refinements) {
    const entry = entries[r.item];
    entry.headerBytes += r.headerBytes;
    entry.payloadBytes += r.length;
    cut ||= prefix && r.length > reader.remaining;
    if (!cut) entry.refinements.push(reader.bytes(r.length));
  }
  if (!cut && reader.remaining > 0) throw damaged('bytes are left over');
  return { entries, frameBytes };
}

/** Where the pieces of a stream lie. */
export interface ContainerLayout {
  /** Bytes before the first payload. */
  readonly head: number;
  /** Bytes of the whole stream. */
  readonly bytes: number;
  readonly constants: readonly (Place & { readonly kind: number; readonly refinements: readonly Place[] })[];
  /** The payloads and the refinements as they follow each other, with the index of their constant. */
  readonly pieces: readonly (Place & { readonly constant: number })[];
}

export interface Place {
  readonly from: number;
  readonly bytes: number;
}

/** Refinements of a constant, at most (sdk/util/nested.ts). */
const MOST_REFINEMENTS = 3;

/** Bytes at the start of a stream of so many constants that surely hold its lists. */
export function longestHead(constants: number): number {
  // Lengths and indices are below 2^49, seven bits a byte.
  return MAGIC.length + 2 * 8 + constants * (1 + 7 + MOST_REFINEMENTS * (7 + 7));
}

/**
 * The layout of a stream, of which `start` holds at least the lists.
 * @throws EigenError EW6002_BUNDLE_TAMPERED.
 */
export function containerLayout(start: Uint8Array): ContainerLayout {
  const { chunks, refinements, end } = readDirectory(new ByteReader(start));
  let at = end;
  const place = (bytes: number): Place => {
    at += bytes;
    return { from: at - bytes, bytes };
  };
  const payloads = chunks.map((c, constant) => ({ ...place(c.length), constant }));
  const refining = refinements.map((r) => ({ ...place(r.length), constant: r.item }));
  const constants = payloads.map(({ from, bytes }, i) => ({
    kind: chunks[i].kind,
    from,
    bytes,
    refinements: [] as Place[],
  }));
  for (const { from, bytes, constant } of refining) constants[constant].refinements.push({ from, bytes });
  return { head: end, bytes: at, constants, pieces: [...payloads, ...refining] };
}

/** Segments of a stream: what is verified and used as a whole. */
const MOST_SEGMENTS = 16;
/** Smallest segment, bytes and share of the stream: each costs a hash in the manifest. */
const LEAST_BYTES = 2048;
const LEAST_SHARE = 0.02;

/** Lengths of the segments of a whole stream: everything but the refinements, then these in groups of like size. */
export function segmentsOf(bytes: Uint8Array): number[] {
  const { chunks, refinements, end } = readDirectory(new ByteReader(bytes));
  const base = end + chunks.reduce((sum, c) => sum + c.length, 0);
  const least = Math.max(LEAST_BYTES, LEAST_SHARE * bytes.length, (bytes.length - base) / (MOST_SEGMENTS - 1));
  const out = [base];
  let open = 0;
  for (const { length } of refinements) {
    open += length;
    if (open < least) continue;
    out.push(open);
    open = 0;
  }
  if (open === 0) return out;
  // A small rest goes with its neighbour, the base only where there is no other.
  if (open < least / 2) out[out.length - 1] += open;
  else out.push(open);
  return out;
}
