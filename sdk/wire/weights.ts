import { EigenError } from '../util/errors.ts';
import { floatsToHalves, halvesToFloats, isHalf } from '../util/half.ts';
import { scaleFromLog8 } from '../util/log8.ts';
import { bytesOf, DTYPE_BYTES, type DType, newArray, sizeOf, type Tensor, tensor, viewBytes } from '../util/tensor.ts';
import { ByteReader, ByteWriter, damaged } from './bits.ts';
import { decodeInts, encodeInts } from './ints.ts';
import { packWeight, residentBytes } from './layout.ts';
import { WEIGHT_ALIGN, type WeightSlot } from './program.ts';

/**
 * How a constant travels; without one its plain bytes do. The tensor is always the decoded data.
 *  - codes: i8 weight codes of `bits` bits, entropy-coded.
 *  - f16: f32 whose every element is exact in half precision.
 *  - log8: f32 with data[i] = scaleFromLog8(base, exponents[i]).
 *  - ints: small integers of any integer dtype, entropy-coded.
 */
export type WireEncoding =
  | { readonly kind: 'codes'; readonly bits: number }
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

/**
 * The stream: magic, varint number of constants, then for each its kind (one byte), varint payload length, payload. Names,
 * types and shapes are the program's.
 */
const MAGIC = [0x45, 0x57, 0x54, 0x31]; // EWT1
const KINDS: readonly WireKind[] = ['plain', 'codes', 'f16', 'log8', 'ints'];
const ALIGN = 64;

/** Codes constants in program order; `sizes` has one entry for each, and the first one's header includes the stream's. */
export function encodeWeights(items: readonly WireItem[]): { bytes: Uint8Array; sizes: WireSize[] } {
  const writer = new ByteWriter();
  writer.bytes(Uint8Array.from(MAGIC));
  writer.varint(items.length);
  for (const item of items) {
    const { kind, payload } = encodeItem(item);
    writer.byte(KINDS.indexOf(kind));
    writer.varint(payload.length);
    writer.bytes(payload);
  }
  const bytes = writer.finish();
  return { bytes, sizes: wireSizes(bytes, items) };
}

function encodeItem({ name, tensor: t, encoding }: WireItem): { kind: WireKind; payload: Uint8Array } {
  switch (encoding?.kind) {
    case undefined:
      return { kind: 'plain', payload: bytesOf(t.data) };
    case 'codes': {
      if (t.dtype !== 'i8') throw new TypeError(`weight '${name}': codes are i8, not ${t.dtype}`);
      return { kind: 'codes', payload: encodeInts(t.data as Int8Array, ...matrixOf(t.shape)) };
    }
    case 'f16': {
      const floats = floatsOf(name, t);
      if (!floats.every(isHalf)) throw new RangeError(`weight '${name}': not exact in half precision`);
      return { kind: 'f16', payload: bytesOf(floatsToHalves(floats)) };
    }
    case 'log8':
      return { kind: 'log8', payload: encodeLog8(name, floatsOf(name, t), encoding.base, encoding.exponents) };
    case 'ints': {
      const ints = toInt32(t);
      // Values beyond 32 bits have no short form.
      return ints
        ? { kind: 'ints', payload: encodeInts(ints, ...matrixOf(t.shape)) }
        : { kind: 'plain', payload: bytesOf(t.data) };
    }
  }
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
function matrixOf(shape: readonly number[]): [rows: number, cols: number] {
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

interface WireEntry {
  readonly kind: WireKind;
  readonly headerBytes: number;
  readonly payload: Uint8Array;
}

/** The entries of a stream that must hold exactly `count` constants. */
function entriesOf(bytes: Uint8Array, count: number): WireEntry[] {
  const reader = new ByteReader(bytes);
  if (MAGIC.some((b) => reader.byte() !== b)) throw damaged('it does not start with EWT1');
  const stated = reader.varint();
  if (stated !== count) throw damaged(`it holds ${stated} constants, the program has ${count}`);
  const out: WireEntry[] = [];
  let before = bytes.length;
  for (let i = 0; i < count; i++) {
    const kind = KINDS[reader.byte()];
    if (kind === undefined) throw damaged(`constant ${i} has an unknown kind`);
    const length = reader.varint();
    const headerBytes = before - reader.remaining;
    out.push({ kind, headerBytes, payload: reader.bytes(length) });
    before = reader.remaining;
  }
  if (reader.remaining > 0) throw damaged('bytes are left over');
  return out;
}

/**
 * Bytes of every constant on the wire, without decoding. Sums to the stream's length unless there are none.
 * @throws EigenError EW6002_BUNDLE_TAMPERED.
 */
export function wireSizes(bytes: Uint8Array, slots: readonly { readonly name: string }[]): WireSize[] {
  return entriesOf(bytes, slots.length).map((entry, i) => ({
    name: slots[i].name,
    kind: entry.kind,
    headerBytes: entry.headerBytes,
    payloadBytes: entry.payload.length,
  }));
}

/** Bytes of the block that holds all slots, a multiple of 64. */
export function residentBlockBytes(slots: readonly WeightSlot[]): number {
  const end = slots.reduce((most, s) => Math.max(most, s.offset + s.bytes), 0);
  return Math.ceil(end / ALIGN) * ALIGN;
}

/**
 * Installs a weight stream: decodes every constant and packs it at its slot's offset, into `block` (zeroed memory of at
 * least residentBlockBytes) or new memory. The result is the same on every machine.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when the stream or the slots are not consistent.
 */
export function decodeWeights(
  bytes: Uint8Array,
  slots: readonly WeightSlot[],
  block: Uint8Array = new Uint8Array(residentBlockBytes(slots)),
): Uint8Array {
  forEachEntry(bytes, slots, (entry, slot) => {
    const packed = packWeight(slot.layout, decodeEntry(entry, slot));
    if (packed.length !== slot.bytes || slot.offset % WEIGHT_ALIGN !== 0)
      throw new RangeError('its slot has a wrong size or offset');
    block.set(packed, slot.offset);
  });
  return block;
}

/**
 * The constants of a weight stream as plain tensors, in the order of the slots.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when the stream or the slots are not consistent.
 */
export function decodeTensors(bytes: Uint8Array, slots: readonly WeightSlot[]): Tensor[] {
  const out: Tensor[] = [];
  forEachEntry(bytes, slots, (entry, slot) => out.push(decodeEntry(entry, slot)));
  return out;
}

function forEachEntry(
  bytes: Uint8Array,
  slots: readonly WeightSlot[],
  visit: (entry: WireEntry, slot: WeightSlot) => void,
): void {
  entriesOf(bytes, slots.length).forEach((entry, i) => {
    const slot = slots[i];
    try {
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
      if (dtype !== 'f32' || entry.payload.length !== 2 * n)
        throw damaged('half-precision data of a wrong size or type');
      return tensor('f32', shape, halvesToFloats(viewBytes('u16', entry.payload)));
    case 'log8':
      if (dtype !== 'f32' || entry.payload.length < 4) throw damaged('scales of a wrong size or type');
      return tensor('f32', shape, decodeLog8(entry.payload, n));
    case 'codes': {
      if (dtype !== 'i8') throw damaged('codes for a constant that is not i8');
      const codes = new Int8Array(n);
      decodeInts(entry.payload, codes);
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
  return Float32Array.from(exponents, (e) => scaleFromLog8(base, e));
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
