import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EigenError } from '../../../sdk/util/errors.ts';
import { decodeInts, encodedSize, encodeInts, histogramSize } from '../../../sdk/wire/ints.ts';
import type { IntArray } from '../../../sdk/wire/tokens.ts';

/** Park-Miller: enough for test data. */
function generator(seed: number): () => number {
  let s = seed;
  return () => {
    s = (s * 48271) % 0x7fffffff;
    return s / 0x7fffffff;
  };
}

/** Codes like those of a quantized layer: normal, spread `sd`, clipped. */
function normalCodes(n: number, sd: number, limit: number, seed = 7): Int8Array {
  const random = generator(seed);
  return Int8Array.from({ length: n }, () => {
    const g = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    return Math.max(-limit, Math.min(limit, Math.round(g * sd)));
  });
}

function counts(data: IntArray): Map<number, number> {
  const out = new Map<number, number>();
  for (const v of data) out.set(v, (out.get(v) ?? 0) + 1);
  return out;
}

/** Bytes of the empirical order-0 entropy. */
function idealBytes(data: IntArray): number {
  let bits = 0;
  for (const c of counts(data).values()) bits -= c * Math.log2(c / data.length);
  return bits / 8;
}

function roundTrip(data: IntArray, rows?: number, cols?: number): Uint8Array {
  const bytes = encodeInts(data, rows, cols);
  const out = data.slice().fill(1) as IntArray;
  decodeInts(bytes, out);
  assert.equal(out, data);
  return bytes;
}

test('10,000 codes and more are within 1 % of their entropy, table and all', () => {
  for (const [n, sd] of [
    [10_000, 1],
    [10_000, 2.5],
    [10_000, 8],
    [20_000, 30],
    [100_000, 0.4],
    [300_000, 5],
  ]) {
    const data = normalCodes(n, sd, 63);
    const bytes = roundTrip(data);
    const ratio = bytes.length / idealBytes(data);
    assert.ok(ratio <= 1.01, `${n} codes of spread ${sd}: ${ratio}`);
    assert.is(encodedSize(data), bytes.length);
  }
});

test('the size from a histogram is the size', () => {
  const data = normalCodes(20_000, 3, 63);
  const byValue = counts(data);
  const histogram = Array.from({ length: 127 }, (_, i) => byValue.get(i - 63) ?? 0);
  const size = encodeInts(data).length;
  assert.ok(Math.abs(histogramSize(histogram, -63) - size) <= 0.005 * size);
  assert.is(histogramSize([0, 0], 0), 2);
});

test('rows of unlike spread are put into classes when it pays', () => {
  const rows = 128;
  const cols = 256;
  const data = new Int8Array(rows * cols);
  for (let r = 0; r < rows; r++) data.set(normalCodes(cols, 1 + 6 * (r % 3), 63, r + 1), r * cols);
  const together = roundTrip(data);
  const classes = roundTrip(data, rows, cols);
  assert.ok(classes.length < 0.93 * together.length, `${classes.length} of ${together.length}`);
  assert.is(encodedSize(data, rows, cols), classes.length);
  const alike = normalCodes(rows * cols, 4, 63);
  assert.ok(roundTrip(alike, rows, cols).length <= roundTrip(alike).length);
});

test('edges: empty, constant, extreme and escaped values, every array type', () => {
  assert.is(roundTrip(new Int8Array(0)).length, 2);
  assert.is(roundTrip(new Int8Array(5000)).length, 2);
  assert.ok(roundTrip(new Int8Array(5000).fill(-7)).length < 32);
  roundTrip(Int8Array.of(-128, 127, 0));
  roundTrip(Int16Array.of(-32768, 32767, 0, 1, -1));
  roundTrip(Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0, 65536));
  const random = generator(3);
  const mostlySmall = Int32Array.from({ length: 5000 }, (_, i) =>
    i % 50 === 0 ? Math.floor((random() - 0.5) * 2 ** 32) : i % 5,
  );
  const bytes = roundTrip(mostlySmall);
  assert.ok(bytes.length < 5000 * 0.4 + 100 * 4 + 100, String(bytes.length));
  const wide = Int16Array.from({ length: 20_000 }, () => Math.floor((random() + random() - 1) * 32767));
  assert.ok(roundTrip(wide).length < 20_000 * 2);
});

test('the same values give the same bytes', () => {
  const data = normalCodes(20_000, 3, 63);
  assert.equal(encodeInts(data, 100, 200), encodeInts(data.slice(), 100, 200));
  // Mode 0, width 3, zigzag 2, 1, 0, 4 from the low end: 100 000 001 010.
  assert.is(Buffer.from(encodeInts(Int8Array.of(1, -1, 0, 2))).toString('hex'), '00030a08');
});

test('cut off, flipped or for another length: refused or bounded, never more than an EigenError', () => {
  const rows = 64;
  const cols = 160;
  const data = new Int8Array(rows * cols);
  for (let r = 0; r < rows; r++) data.set(normalCodes(cols, 1 + 6 * (r % 2), 63, r + 1), r * cols);
  const streams = [
    encodeInts(data.subarray(0, 2000)),
    encodeInts(data, rows, cols),
    encodeInts(Int16Array.from(data, (v) => v * 99)),
    encodeInts(data.subarray(0, 20)),
  ];
  assert.equal(
    streams.map((s) => s[0]),
    [1, 2, 3, 0],
  );
  const lengths = [2000, data.length, data.length, 20];
  let accepted = 0;
  streams.forEach((stream, k) => {
    const attempt = (bytes: Uint8Array, length: number): void => {
      try {
        decodeInts(bytes, k === 2 ? new Int16Array(length) : new Int8Array(length));
        accepted++;
      } catch (e) {
        if (!(e instanceof EigenError) || e.code !== 'EW6002_BUNDLE_TAMPERED') throw e;
      }
    };
    const stride = Math.max(1, Math.floor(stream.length / 60));
    for (let i = 0; i < stream.length; i += stride) attempt(stream.subarray(0, i), lengths[k]);
    attempt(stream, lengths[k] + 8);
    attempt(stream, lengths[k] - 8);
    assert.is(accepted, 0);
    for (let i = 0; i < stream.length; i += i < 120 ? 1 : stride) {
      const bad = stream.slice();
      bad[i] ^= 1 << (i % 8);
      attempt(bad, lengths[k]);
    }
    accepted = 0;
  });
});

test.run();
