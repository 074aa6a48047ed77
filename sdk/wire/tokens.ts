import type { ByteReader, ByteWriter } from './bits.ts';

/**
 * 32-bit signed integers as tokens of a small alphabet: zigzag (0, -1, 1, -2, ...) and then, below 256, the value itself;
 * above, the bit length and the two bits after the leading one, with the remaining bits beside the token. So -128..127 are
 * single tokens, and anything larger costs its raw low bits: the escape.
 */
export const DIRECT_TOKENS = 256;
export const MAX_TOKENS = DIRECT_TOKENS + 4 * (32 - 8);

/** Any host array of small integers. */
export type IntArray = Int8Array | Int16Array | Int32Array;

export function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

export function unzigzag(u: number): number {
  return (u >>> 1) ^ -(u & 1);
}

export function tokenOf(value: number): number {
  const u = zigzag(value);
  if (u < DIRECT_TOKENS) return u;
  const length = 32 - Math.clz32(u);
  return DIRECT_TOKENS + (length - 9) * 4 + ((u >>> (length - 3)) & 3);
}

const BYTE_TOKENS = Uint16Array.from({ length: 256 }, (_, i) => tokenOf(i - 128));

export function tokensOf(data: IntArray): Uint16Array {
  const out = new Uint16Array(data.length);
  if (data instanceof Int8Array) for (let i = 0; i < data.length; i++) out[i] = BYTE_TOKENS[data[i] + 128];
  else for (let i = 0; i < data.length; i++) out[i] = tokenOf(data[i]);
  return out;
}

/** How often every token occurs. */
export function histogram(tokens: Uint16Array): Uint32Array {
  const counts = new Uint32Array(MAX_TOKENS);
  for (let i = 0; i < tokens.length; i++) counts[tokens[i]]++;
  return counts;
}

/** Bits that travel beside a token. */
export function extraBits(token: number): number {
  return token < DIRECT_TOKENS ? 0 : ((token - DIRECT_TOKENS) >> 2) + 6;
}

export function writeExtra(writer: ByteWriter, value: number, token: number): void {
  writer.bits(zigzag(value), extraBits(token));
}

export function decodeToken(token: number, reader: ByteReader): number {
  if (token < DIRECT_TOKENS) return unzigzag(token);
  const extra = extraBits(token);
  const leading = 4 | ((token - DIRECT_TOKENS) & 3);
  return unzigzag(((leading << extra) | reader.bits(extra)) >>> 0);
}

/** Bits of the largest zigzag value: what fixed-width packing needs. */
export function widthOf(data: IntArray): number {
  let all = 0;
  for (let i = 0; i < data.length; i++) all |= (data[i] << 1) ^ (data[i] >> 31);
  return 32 - Math.clz32(all);
}

export function writeFixed(writer: ByteWriter, data: IntArray, width: number): void {
  for (let i = 0; i < data.length; i++) writer.bits(zigzag(data[i]), width);
  writer.align();
}

export function readFixed(reader: ByteReader, width: number, out: IntArray): boolean {
  for (let i = 0; i < out.length; i++) {
    const value = unzigzag(reader.bits(width));
    out[i] = value;
    if (out[i] !== value) return false;
  }
  reader.align();
  return true;
}
