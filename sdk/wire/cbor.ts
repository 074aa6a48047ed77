import { EigenError } from '../util/errors.ts';
import { fromHalf, isHalf, toHalf } from '../util/half.ts';
import { ByteWriter } from './bits.ts';

/**
 * Deterministic CBOR (RFC 8949, section 4.2.1), reduced to what messages need: integers of 53 bits, floats, booleans, null, byte and
 * text strings, arrays, maps with text keys. A value has one encoding and the decoder takes that one only, so bytes that decode encode
 * to themselves: hashes and signatures over messages cannot be evaded by spelling them differently. Libraries decode more than that
 * (order of keys, floats that are integers), and are larger than this file.
 */
export type CborValue = number | boolean | null | string | Uint8Array | readonly CborValue[] | CborMap;

export interface CborMap {
  readonly [key: string]: CborValue;
}

/** Maps and arrays within each other. */
const MAX_DEPTH = 8;

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const SIMPLE = 7;
const [FALSE, TRUE, NULL] = [20, 21, 22];
const [HALF, SINGLE, DOUBLE] = [25, 26, 27];

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Encodes a value. @throws TypeError for what has no encoding: numbers that are not finite, other types, too deep nesting. */
export function encodeCbor(value: CborValue): Uint8Array {
  const writer = new ByteWriter();
  write(writer, value, 0);
  return writer.finish();
}

function write(writer: ByteWriter, value: CborValue, depth: number): void {
  if (depth > MAX_DEPTH) throw new TypeError(`cbor: nested deeper than ${MAX_DEPTH}`);
  if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'string') writeText(writer, value);
  else if (value === null || typeof value === 'boolean')
    writer.byte((SIMPLE << 5) | (value === null ? NULL : value ? TRUE : FALSE));
  else if (value instanceof Uint8Array) {
    writeHead(writer, BYTES, value.length);
    writer.bytes(value);
  } else if (Array.isArray(value)) {
    writeHead(writer, ARRAY, value.length);
    for (const item of value) write(writer, item, depth + 1);
  } else if (isPlainObject(value)) {
    const entries = Object.keys(value)
      .map((key) => ({ key, name: encodedKey(key) }))
      .sort((a, b) => compareBytes(a.name, b.name));
    writeHead(writer, MAP, entries.length);
    for (const { key, name } of entries) {
      if (isReserved(key)) throw new TypeError(`cbor: '${key}' cannot be a key`);
      writer.bytes(name);
      write(writer, value[key]!, depth + 1);
    }
  } else throw new TypeError(`cbor: ${typeof value} has no encoding`);
}

function isPlainObject(value: unknown): value is CborMap {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Keys that JavaScript objects have on their own would pass for members that were sent. */
function isReserved(key: string): boolean {
  return key in Object.prototype;
}

function writeNumber(writer: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value)) {
    if (value >= 0) writeHead(writer, UNSIGNED, value);
    else writeHead(writer, NEGATIVE, -1 - value);
    return;
  }
  if (!Number.isFinite(value)) throw new TypeError(`cbor: ${value} has no encoding`);
  const [kind, size] = isHalf(value) ? [HALF, 2] : Math.fround(value) === value ? [SINGLE, 4] : [DOUBLE, 8];
  const view = new DataView(new ArrayBuffer(size));
  if (kind === HALF) view.setUint16(0, toHalf(value));
  else if (kind === SINGLE) view.setFloat32(0, value);
  else view.setFloat64(0, value);
  writer.byte((SIMPLE << 5) | kind);
  writer.bytes(new Uint8Array(view.buffer));
}

function writeText(writer: ByteWriter, text: string): void {
  if (LONE_SURROGATE.test(text)) throw new TypeError('cbor: a text holds half of a surrogate pair');
  const bytes = encoder.encode(text);
  writeHead(writer, TEXT, bytes.length);
  writer.bytes(bytes);
}

/** Messages have the same keys again and again. */
const keys = new Map<string, Uint8Array>();
const MOST_KEYS = 256;

function encodedKey(key: string): Uint8Array {
  const known = keys.get(key);
  if (known) return known;
  const writer = new ByteWriter();
  writeText(writer, key);
  const bytes = writer.finish();
  if (keys.size < MOST_KEYS) keys.set(key, bytes);
  return bytes;
}

/** Major type and argument, in as few bytes as it takes. */
function writeHead(writer: ByteWriter, major: number, argument: number): void {
  const size = sizeOfArgument(argument);
  if (size === 0) {
    writer.byte((major << 5) | argument);
    return;
  }
  writer.byte((major << 5) | (24 + Math.log2(size)));
  for (let i = size - 1; i >= 0; i--) writer.byte(Math.floor(argument / 256 ** i) % 256);
}

/** Bytes behind the first one. */
function sizeOfArgument(argument: number): 0 | 1 | 2 | 4 | 8 {
  if (argument < 24) return 0;
  return argument < 2 ** 8 ? 1 : argument < 2 ** 16 ? 2 : argument < 2 ** 32 ? 4 : 8;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/**
 * Decodes exactly one value from exactly these bytes. Byte strings are views of them; maps have no prototype.
 * @throws EigenError EW6006_MESSAGE_INVALID when they are not what encodeCbor writes.
 */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const cursor = new Cursor(bytes);
  const value = read(cursor, 0);
  if (cursor.remaining > 0) throw invalidMessage(`${cursor.remaining} bytes are left over`);
  return value;
}

/** The error of everything that reads messages. */
export function invalidMessage(what: string, details: Record<string, unknown> = {}): EigenError {
  return new EigenError('EW6006_MESSAGE_INVALID', `message: ${what}`, {
    hint: 'It was dropped. Where it comes again, compare the versions of both sides and look at who may write to the topic.',
    details,
  });
}

class Cursor {
  private readonly buffer: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.buffer = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get remaining(): number {
    return this.buffer.length - this.at;
  }

  /** What was read since there were so many bytes left. */
  since(remaining: number): Uint8Array {
    return this.buffer.subarray(this.buffer.length - remaining, this.at);
  }

  take(count: number): Uint8Array {
    this.skip(count);
    return this.buffer.subarray(this.at - count, this.at);
  }

  byte(): number {
    this.skip(1);
    return this.buffer[this.at - 1]!;
  }

  /** Unsigned, big-endian, as every number in CBOR. */
  unsigned(size: number): number {
    let value = 0;
    for (const byte of this.take(size)) value = value * 256 + byte;
    return value;
  }

  float(size: number): number {
    this.skip(size);
    const from = this.at - size;
    if (size === 2) return fromHalf(this.view.getUint16(from));
    return size === 4 ? this.view.getFloat32(from) : this.view.getFloat64(from);
  }

  private skip(count: number): void {
    if (count > this.remaining) throw invalidMessage('it ends too early');
    this.at += count;
  }
}

function read(cursor: Cursor, depth: number): CborValue {
  if (depth > MAX_DEPTH) throw invalidMessage(`nested deeper than ${MAX_DEPTH}`);
  const first = cursor.byte();
  const major = first >> 5;
  if (major === SIMPLE) return readSimple(cursor, first & 31);
  const argument = readArgument(cursor, first & 31);
  switch (major) {
    case UNSIGNED:
      return argument;
    case NEGATIVE:
      return safe(-1 - argument);
    case BYTES:
      return cursor.take(argument);
    case TEXT:
      return readText(cursor.take(argument));
    case ARRAY:
      return readArray(cursor, argument, depth);
    case MAP:
      return readMap(cursor, argument, depth);
    default:
      throw invalidMessage(`major type ${major} is not used`);
  }
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw invalidMessage('an integer has more than 53 bits');
  return value;
}

function readArgument(cursor: Cursor, code: number): number {
  if (code < 24) return code;
  if (code > 27) throw invalidMessage(`length code ${code} is not used`);
  const size = 2 ** (code - 24);
  const value = safe(cursor.unsigned(size));
  if (sizeOfArgument(value) !== size) throw invalidMessage('a number is longer than it need be');
  return value;
}

function readSimple(cursor: Cursor, code: number): CborValue {
  if (code === NULL) return null;
  if (code === FALSE || code === TRUE) return code === TRUE;
  if (code < HALF || code > DOUBLE) throw invalidMessage(`simple value ${code} is not used`);
  const size = 2 ** (code - HALF + 1);
  const value = cursor.float(size);
  if (!Number.isFinite(value) || Number.isSafeInteger(value)) throw invalidMessage(`${value} is no float`);
  const least = isHalf(value) ? 2 : Math.fround(value) === value ? 4 : 8;
  if (size !== least) throw invalidMessage('a number is longer than it need be');
  return value;
}

function readText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw invalidMessage('a text is not UTF-8');
  }
}

function readArray(cursor: Cursor, count: number, depth: number): CborValue[] {
  // Every item takes a byte: a count alone reserves nothing.
  if (count > cursor.remaining) throw invalidMessage('it ends too early');
  const items: CborValue[] = [];
  for (let i = 0; i < count; i++) items.push(read(cursor, depth + 1));
  return items;
}

function readMap(cursor: Cursor, count: number, depth: number): CborMap {
  if (2 * count > cursor.remaining) throw invalidMessage('it ends too early');
  const map: { [key: string]: CborValue } = Object.create(null);
  let before: Uint8Array | undefined;
  for (let i = 0; i < count; i++) {
    const { remaining } = cursor;
    const key = read(cursor, depth + 1);
    if (typeof key !== 'string' || isReserved(key)) throw invalidMessage('a key is not a text that may be one');
    const name = cursor.since(remaining);
    if (before && compareBytes(before, name) >= 0) throw invalidMessage(`key '${key}' is out of order`);
    before = name;
    map[key] = read(cursor, depth + 1);
  }
  return map;
}
