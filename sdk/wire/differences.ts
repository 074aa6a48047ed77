import { type BitCoder, BitDecoder, BitEncoder } from './bit-coder.ts';
import { ByteReader, ByteWriter, damaged } from './bits.ts';
import { decodeInts, encodeInts } from './ints.ts';
import type { IntArray } from './tokens.ts';

/**
 * What turns the values of a tensor into those of a later one of the same size: weight codes, or the bits of floats as integers in
 * the order of the floats. Two forms: the places and amounts of the changes where there are few, and else all differences, bit by
 * bit, under models that know the old value and how much its neighbours changed. A step that grew moves all codes of a
 * value alike, and a step of training moves small floats by more of their last places than large ones: both are seen by the old value.
 */
export type Values = Int8Array | Int32Array;

/** Lengths of magnitudes in bits. */
const LONGEST = 32;
const SIGN = LONGEST;
/** Bits behind the leading one that have models: the first, and the second by the first. */
const LEADING = SIGN + 1;
const SET = LEADING + 3 * (LONGEST + 1);

const lengthOf = (magnitude: number): number => LONGEST - Math.clz32(magnitude);

/** Codes an integer of up to 32 bits and sign: length, sign, the bits behind the leading one. Gives the integer. */
function codeInteger(coder: BitCoder, set: number, value: number): number {
  const magnitude = Math.abs(value);
  const wanted = lengthOf(magnitude);
  const base = set * SET;
  let length = 0;
  while (length < LONGEST && coder.bit(base + length, wanted > length ? 1 : 0)) length++;
  if (length === 0) return 0;
  const negative = coder.bit(base + SIGN, value < 0 ? 1 : 0);
  const models = base + LEADING + 3 * length;
  let coded = 1;
  for (let place = length - 2; place >= 0; place--) {
    const bit = Math.floor(magnitude / 2 ** place) % 2;
    coded = 2 * coded + (coded < 4 ? coder.bit(models + coded - 1, bit) : coder.even(bit));
  }
  return negative ? -coded : coded;
}

/** How the differences of a tensor are told apart: the set of models for each, from what both sides know. */
interface Contexts {
  readonly sets: number;
  /** Of element i, before it is coded. */
  setOf(i: number): number;
  /** Element i changed by this. */
  changed(i: number, difference: number): void;
}

/** Old codes up to a magnitude have sets of their own. */
const REACHES = [0, 2, 7, 24] as const;

function codeContexts(old: Int8Array, cols: number, reach: number): Contexts {
  // One row is enough: what is right of i is of the row above.
  const moved = new Uint8Array(cols);
  let left = 0;
  return {
    sets: 3 * (2 * reach + 1),
    setOf: (i) => 3 * (Math.min(reach, Math.max(-reach, old[i]!)) + reach) + left + moved[i % cols]!,
    changed(i, difference) {
      left = difference === 0 ? 0 : 1;
      moved[i % cols] = left;
    },
  };
}

/** Change of a float that did not change, as a logarithm. */
const NOTHING = -1000;
const SPAN = 28;

/** Neighbours tell how large a change is, the exponent how many last places that makes. */
function floatContexts(old: Int32Array, cols: number): Contexts {
  const above = new Int16Array(cols).fill(NOTHING);
  let left = NOTHING;
  // Negative ones are inverted (`ordered`).
  const exponentOf = (i: number): number => ((old[i]! < 0 ? ~old[i]! : old[i]!) >>> 23) & 0xff;
  return {
    sets: 1 + 2 * SPAN,
    setOf(i) {
      const up = above[i % cols]!;
      if (up === NOTHING && left === NOTHING) return 0;
      const both = up !== NOTHING && left !== NOTHING;
      const size = both ? (up + left) >> 1 : Math.max(up, left);
      return 1 + 2 * Math.min(SPAN - 1, Math.max(0, size - exponentOf(i))) + (both ? 1 : 0);
    },
    changed(i, difference) {
      left = difference === 0 ? NOTHING : lengthOf(Math.abs(difference)) + exponentOf(i);
      above[i % cols] = left;
    },
  };
}

function contextsOf(old: Values, cols: number, reach: number): Contexts {
  return old instanceof Int8Array ? codeContexts(old, cols, reach) : floatContexts(old, cols);
}

/** Codes all differences of a matrix with rows of `cols`. */
export function encodeDifferences(old: Values, now: Values, cols: number): Uint8Array {
  const reaches = old instanceof Int8Array ? REACHES : [0];
  const coded = reaches.map((reach, index) => {
    const contexts = contextsOf(old, cols, reach);
    const coder = new BitEncoder(contexts.sets * SET);
    for (let i = 0; i < now.length; i++)
      contexts.changed(i, codeInteger(coder, contexts.setOf(i), (now[i]! - old[i]!) | 0));
    return prefixed(index, coder.finish());
  });
  return coded.reduce((best, bytes) => (bytes.length < best.length ? bytes : best));
}

function prefixed(first: number, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + bytes.length);
  out[0] = first;
  out.set(bytes, 1);
  return out;
}

/**
 * The later values, of the old ones' type.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when the bytes are not what encodeDifferences wrote.
 */
export function decodeDifferences<T extends Values>(bytes: Uint8Array, old: T, cols: number): T {
  const reach = old instanceof Int8Array ? REACHES[bytes[0]!] : bytes[0] === 0 ? 0 : undefined;
  if (reach === undefined) throw damaged('a kind of difference is unknown');
  const contexts = contextsOf(old, cols, reach);
  const coder = new BitDecoder(bytes.subarray(1), contexts.sets * SET);
  const out = old.slice() as T;
  for (let i = 0; i < out.length; i++) {
    const difference = codeInteger(coder, contexts.setOf(i), 0);
    contexts.changed(i, difference);
    if (difference !== 0) change(out, i, difference);
  }
  coder.finish();
  return out;
}

/** Floats wrap round, codes do not. */
function change(values: Values, i: number, difference: number): void {
  const value = values[i]! + difference;
  values[i] = value;
  if (difference === 0 || (values instanceof Int8Array ? values[i] !== value : (difference | 0) !== difference))
    throw damaged('a difference is not valid');
}

/** Codes the places and amounts of the changes: a count, gaps between them, amounts. */
export function encodeChanges(old: Values, now: Values): Uint8Array {
  const places: number[] = [];
  for (let i = 0; i < now.length; i++) if (now[i] !== old[i]) places.push(i);
  const gaps = Int32Array.from(places, (place, i) => place - (i === 0 ? 0 : places[i - 1]! + 1));
  const amounts = Int32Array.from(places, (place) => now[place]! - old[place]!);
  const writer = new ByteWriter();
  writer.varint(places.length);
  const coded = encodeInts(gaps);
  writer.varint(coded.length);
  writer.bytes(coded);
  writer.bytes(encodeInts(amounts));
  return writer.finish();
}

/** @throws EigenError EW6002_BUNDLE_TAMPERED when the bytes are not what encodeChanges wrote. */
export function decodeChanges<T extends Values>(bytes: Uint8Array, old: T): T {
  const reader = new ByteReader(bytes);
  const count = reader.varint();
  if (count > old.length) throw damaged('there are more changes than values');
  const gaps = ints(reader.bytes(reader.varint()), count);
  const amounts = ints(reader.bytes(reader.remaining), count);
  const out = old.slice() as T;
  let place = -1;
  for (let i = 0; i < count; i++) {
    place += 1 + gaps[i]!;
    if (gaps[i]! < 0 || place >= out.length) throw damaged('a change lies outside');
    change(out, place, amounts[i]!);
  }
  return out;
}

function ints(bytes: Uint8Array, count: number): IntArray {
  const out = new Int32Array(count);
  decodeInts(bytes, out);
  return out;
}

/** The bits of floats as integers that grow with them; its own inverse. */
export function ordered(bits: Int32Array): Int32Array {
  return bits.map((b) => (b < 0 ? b ^ 0x7fffffff : b));
}
