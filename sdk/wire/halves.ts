import { gridOf } from '../util/grid.ts';
import { floatsToHalves, halvesToFloats } from '../util/half.ts';
import { bytesOf, viewBytes } from '../util/tensor.ts';
import { ByteReader, ByteWriter, damaged } from './bits.ts';
import { decodeInts, encodeInts } from './ints.ts';

/**
 * Half-precision values: a byte 0 and the binary16 patterns, or, where that is shorter, a byte 1, the exponent of a power of two
 * (biased, one byte) and the values as entropy-coded multiples of it: biases are rounded to such grids.
 */
const PATTERNS = 0;
const MULTIPLES = 1;
const BIAS = 160;

/** `values` are exact in half precision. */
export function encodeHalves(values: Float32Array): Uint8Array {
  const writer = new ByteWriter();
  const grid = values.length > 0 ? gridOf(values) : undefined;
  const multiples = grid && encodeInts(grid.multiples);
  if (grid && multiples && multiples.length + 1 < 2 * values.length) {
    writer.byte(MULTIPLES);
    writer.byte(grid.exponent + BIAS);
    writer.bytes(multiples);
  } else {
    writer.byte(PATTERNS);
    writer.bytes(bytesOf(floatsToHalves(values)));
  }
  return writer.finish();
}

/** @throws EigenError EW6002_BUNDLE_TAMPERED when the bytes are not what encodeHalves writes for `count` values. */
export function decodeHalves(bytes: Uint8Array, count: number): Float32Array {
  const reader = new ByteReader(bytes);
  const mode = reader.byte();
  if (mode === PATTERNS) {
    if (reader.remaining !== 2 * count) throw damaged('half-precision data of a wrong size');
    return halvesToFloats(viewBytes('u16', reader.bytes(2 * count)));
  }
  if (mode !== MULTIPLES) throw damaged(`half-precision coding ${mode} is unknown`);
  const step = 2 ** (reader.byte() - BIAS);
  const multiples = new Int32Array(count);
  decodeInts(reader.bytes(reader.remaining), multiples);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = multiples[i]! * step;
  return out;
}
