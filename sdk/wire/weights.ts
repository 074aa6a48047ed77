import { EigenError } from '../util/errors.ts';
import { isHalf } from '../util/half.ts';
import { scaleFromLog8 } from '../util/log8.ts';
import { type Points, refinementOrder } from '../util/nested.ts';
import { bytesOf, DTYPE_BYTES, type DType, newArray, sizeOf, type Tensor, tensor, viewBytes } from '../util/tensor.ts';
import { ByteWriter, damaged } from './bits.ts';
import { codeSizes, decodeCodes, encodeCodes, panelPoints, planesOf } from './codes.ts';
import { type ContainerEntry, readContainer, writeContainer } from './container.ts';
import { decodeHalves, encodeHalves } from './halves.ts';
import { decodeInts, encodeInts } from './ints.ts';
import { packWeight, residentBytes } from './layout.ts';
import { WEIGHT_ALIGN, type WeightSlot } from './program.ts';

/**
 * How a constant travels; without one its plain bytes do. The tensor is always the decoded data.
 *  - codes: i8 weight codes of `bits` bits, entropy-coded; `gain`, the cost of a squared code error per code, lets them travel in
 *    planes.
 *  - f16: f32 whose every element is exact in half precision.
 *  - log8: f32 with data[i] = scaleFromLog8(base, exponents[i]).
 *  - ints: small integers of any integer dtype, entropy-coded.
 */
export type WireEncoding =
  | { readonly kind: 'codes'; readonly bits: number; readonly gain?: number }
  | { readonly kind: 'f16' }
  | { readonly kind: 'log8'; readonly base: number; readonly exponents: readonly number[] }
  | { readonly kind: 'ints' };

export interface WireItem {
  readonly name: string;
  readonly tensor: Tensor;
  readonly encoding?: WireEncoding;
}

export type WireKind = 'plain' | WireEncoding['kind'];

/** What one constant takes on the wire. */
export interface WireSize {
  readonly name: string;
  readonly kind: WireKind;
  readonly headerBytes: number;
  readonly payloadBytes: number;
}

interface WireEntry extends Omit<ContainerEntry, 'kind'> {
  readonly kind: WireKind;
}

const KINDS: readonly WireKind[] = ['plain', 'codes', 'f16', 'log8', 'ints'];
const ALIGN = 64;

/** What the kind of a constant in a container means; undefined when it is unknown. */
export function wireKind(kind: number): WireKind | undefined {
  return KINDS[kind];
}

/**
 * Codes constants in program order (container.ts); `sizes` has one entry for each, and the first one's header includes the stream's.
 * Codes with a gain travel in planes, those that matter most for their bytes first.
 */
export function encodeWeights(items: readonly WireItem[]): { bytes: Uint8Array; sizes: WireSize[] } {
  const encoded = items.map(encodeItem);
  const planed = encoded.map((e, i) => ({ ...e, index: i })).filter((e) => e.planes.length > 0);
  const order = refinementOrder(
    planed.map(({ index, planes, points }) => {
      const { tensor: t, encoding } = items[index];
      const gain = encoding?.kind === 'codes' ? (encoding.gain ?? 0) : 0;
      return { codes: t.data as Int8Array, gain, bytes: planes.map((p) => p.length), points };
    }),
  );
  const refinements = order.map(({ item, level }) => {
    const { index, planes } = planed[item];
    return { item: index, payload: planes[planes.length - 1 - level] };
  });
  const chunks = encoded.map(({ kind, payload }) => ({ kind: KINDS.indexOf(kind), payload }));
  const bytes = writeContainer(chunks, refinements);
  return { bytes, sizes: wireSizes(bytes, items) };
}

interface Encoded {
  readonly kind: WireKind;
  readonly payload: Uint8Array;
  readonly planes: readonly Uint8Array[];
  readonly points: readonly Points[];
}

function encodeItem({ name, tensor: t, encoding }: WireItem): Encoded {
  const whole = (kind: WireKind, payload: Uint8Array): Encoded => ({ kind, payload, planes: [], points: [] });
  switch (encoding?.kind) {
    case undefined:
      return whole('plain', bytesOf(t.data));
    case 'codes': {
      if (t.dtype !== 'i8') throw new TypeError(`weight '${name}': codes are i8, not ${t.dtype}`);
      const matrix = [t.data as Int8Array, ...matrixOf(t.shape)] as const;
      const { base, planes, points } = encodeCodes(
        ...matrix,
        encoding.gain === undefined ? undefined : panelPoints(...matrix),
      );
      return { kind: 'codes', payload: base, planes, points };
    }
    case 'f16': {
      const floats = floatsOf(name, t);
      if (!floats.every(isHalf)) throw new RangeError(`weight '${name}': not exact in half precision`);
      return whole('f16', encodeHalves(floats));
    }
    case 'log8':
      return whole('log8', encodeLog8(name, floatsOf(name, t), encoding.base, encoding.exponents));
    case 'ints': {
      const ints = toInt32(t);
      // Values beyond 32 bits have no short form.
      return ints ? whole('ints', encodeInts(ints, ...matrixOf(t.shape))) : whole('plain', bytesOf(t.data));
    }
  }
}

/** What an entry in the list of refinements takes: an index of up to two bytes and a length of up to three. */
const REFINEMENT_ENTRY = 5;

/** Bytes of weight codes [rows, cols] with a gain, their entries in the list of refinements counted in: within a few bytes. */
export function codesWireSize(codes: Int8Array, rows: number, cols: number): number {
  const sizes = codeSizes(codes, rows, cols);
  return sizes.reduce((sum, n) => sum + n, 0) + REFINEMENT_ENTRY * (sizes.length - 1);
}

function encodeLog8(name: string, floats: Float32Array, base: number, exponents: readonly number[]): Uint8Array {
  if (exponents.length !== floats.length || !floats.every((f, i) => f === scaleFromLog8(base, exponents[i]))) {
    throw new RangeError(`weight '${name}': data and log8 exponents do not agree`);
  }
  const writer = new ByteWriter();
  writer.bytes(bytesOf(Float32Array.of(base)));
  writer.bytes(encodeInts(Int32Array.from(exponents)));
  return writer.finish();
}

function floatsOf(name: string, t: Tensor): Float32Array {
  if (t.dtype !== 'f32') throw new TypeError(`weight '${name}': f16 and log8 are for f32, not ${t.dtype}`);
  return t.data as Float32Array;
}

/** Rows and columns, for the coder's row classes: the first axis, or the first two of [directions, rows, columns]. */
export function matrixOf(shape: readonly number[]): [rows: number, cols: number] {
  const n = sizeOf(shape);
  const axes = shape.length === 3 ? 2 : Math.min(1, shape.length - 1);
  const rows = n > 0 ? sizeOf(shape.slice(0, Math.max(0, axes))) : 1;
  return [rows, n / rows];
}

function toInt32(t: Tensor): Int32Array | undefined {
  if (t.dtype === 'f32' || t.dtype === 'f64') throw new TypeError(`integers cannot be ${t.dtype}`);
  const out = new Int32Array(t.data.length);
  for (let i = 0; i < out.length; i++) {
    const value = Number(t.data[i]);
    out[i] = value;
    if (out[i] !== value) return undefined;
  }
  return out;
}

/** The entries of a stream that must hold exactly `count` constants, and its bytes that belong to none. */
function entriesOf(bytes: Uint8Array, count: number, prefix = false): { entries: WireEntry[]; frameBytes: number } {
  const { entries, frameBytes } = readContainer(bytes, prefix);
  if (entries.length !== count) throw damaged(`it holds ${entries.length} constants, the program has ${count}`);
  const named = entries.map((entry, i): WireEntry => {
    const kind = KINDS[entry.kind];
    if (kind === undefined) throw damaged(`constant ${i} has an unknown kind`);
    if (kind !== 'codes' && entry.refinements.length > 0) throw damaged(`constant ${i} has refinements`);
    return { ...entry, kind };
  });
  return { entries: named, frameBytes };
}

/**
 * Bytes of every constant on the wire, without decoding; a prefix of the stream will do. Sums to the stream's length unless there
 * are none.
 * @throws EigenError EW6002_BUNDLE_TAMPERED.
 */
export function wireSizes(bytes: Uint8Array, slots: readonly { readonly name: string }[]): WireSize[] {
  const { entries, frameBytes } = entriesOf(bytes, slots.length, true);
  return entries.map((entry, i) => ({
    name: slots[i].name,
    kind: entry.kind,
    headerBytes: entry.headerBytes + (i === 0 ? frameBytes : 0),
    payloadBytes: entry.payloadBytes,
  }));
}

/** Bytes of the block that holds all slots, a multiple of 64. */
export function residentBlockBytes(slots: readonly WeightSlot[]): number {
  const end = slots.reduce((most, s) => Math.max(most, s.offset + s.bytes), 0);
  return Math.ceil(end / ALIGN) * ALIGN;
}

/** How much of a stream must be there: all, or at least everything but the refinements. */
export type Extent = 'whole' | 'prefix';

/**
 * Installs a weight stream: decodes every constant and packs it at its slot's offset, into `block` (zeroed memory of at
 * least residentBlockBytes) or new memory. The result is the same on every machine.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when the stream or the slots are not consistent.
 */
export function decodeWeights(
  bytes: Uint8Array,
  slots: readonly WeightSlot[],
  block: Uint8Array = new Uint8Array(residentBlockBytes(slots)),
  extent: Extent = 'whole',
): Uint8Array {
  forEachEntry(bytes, slots, extent, (entry, slot) => {
    const packed = packWeight(slot.layout, decodeEntry(entry, slot), extent === 'prefix' ? 'within' : 'exact');
    const room = slot.layout.kind === 'panels' ? (slot.layout.room ?? 0) : 0;
    const unused = slot.bytes - room - packed.length;
    if (unused < 0 || (unused > 0 && extent === 'whole') || slot.offset % WEIGHT_ALIGN !== 0)
      throw new RangeError('its slot has a wrong size or offset');
    block.set(packed, slot.offset);
  });
  return block;
}

/**
 * The constants of a weight stream as plain tensors, in the order of the slots.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when the stream or the slots are not consistent.
 */
export function decodeTensors(bytes: Uint8Array, slots: readonly WeightSlot[], extent: Extent = 'whole'): Tensor[] {
  const out: Tensor[] = [];
  forEachEntry(bytes, slots, extent, (entry, slot) => out.push(decodeEntry(entry, slot)));
  return out;
}

function forEachEntry(
  bytes: Uint8Array,
  slots: readonly WeightSlot[],
  extent: Extent,
  visit: (entry: WireEntry, slot: WeightSlot) => void,
): void {
  entriesOf(bytes, slots.length, extent === 'prefix').entries.forEach((entry, i) => {
    const slot = slots[i];
    try {
      if (extent === 'whole' && entry.kind === 'codes' && entry.refinements.length !== planesOf(entry.payload))
        throw damaged('a refinement is missing');
      visit(entry, slot);
    } catch (e) {
      if (e instanceof EigenError)
        throw new EigenError(e.code, `weight '${slot.name}': ${e.message}`, { hint: e.hint, cause: e });
      // packWeight and typed arrays throw RangeError for data that does not fit.
      if (e instanceof RangeError) throw damaged(`weight '${slot.name}': ${e.message}`);
      throw e;
    }
  });
}

/** The logical tensor of one constant. */
function decodeEntry(entry: WireEntry, slot: WeightSlot): Tensor {
  const { dtype, shape } = slot;
  const n = sizeOf(shape);
  // Refuse before allocating what a damaged slot claims.
  if (residentBytes(slot.layout, dtype, shape) !== slot.bytes) throw damaged('its slot does not match its layout');
  switch (entry.kind) {
    case 'plain':
      if (entry.payload.length !== n * DTYPE_BYTES[dtype]) throw damaged('plain data of a wrong size');
      return tensor(dtype, shape, viewBytes(dtype, entry.payload));
    case 'f16':
      if (dtype !== 'f32') throw damaged('half-precision data for a constant that is not f32');
      return tensor('f32', shape, decodeHalves(entry.payload, n));
    case 'log8':
      if (dtype !== 'f32' || entry.payload.length < 4) throw damaged('scales of a wrong size or type');
      return tensor('f32', shape, decodeLog8(entry.payload, n));
    case 'codes': {
      if (dtype !== 'i8') throw damaged('codes for a constant that is not i8');
      const codes = new Int8Array(n);
      decodeCodes(entry.payload, entry.refinements, codes);
      return tensor('i8', shape, codes);
    }
    case 'ints':
      return tensor(dtype, shape, fromInt32(entry.payload, dtype, n));
  }
}

function decodeLog8(payload: Uint8Array, n: number): Float32Array {
  const base = viewBytes('f32', payload.subarray(0, 4))[0];
  const exponents = new Int32Array(n);
  decodeInts(payload.subarray(4), exponents);
  const out = new Float32Array(n);
  for (let i = 0; i < n; i++) out[i] = scaleFromLog8(base, exponents[i]);
  return out;
}

function fromInt32(payload: Uint8Array, dtype: DType, n: number): Tensor['data'] {
  const ints = new Int32Array(n);
  decodeInts(payload, ints);
  const out = newArray(dtype, n);
  const big = dtype === 'i64' || dtype === 'u64';
  for (let i = 0; i < n; i++) {
    out[i] = big ? BigInt(ints[i]) : ints[i];
    if (Number(out[i]) !== ints[i]) throw damaged('an integer does not fit its type');
  }
  return out;
}
