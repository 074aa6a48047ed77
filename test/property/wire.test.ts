import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EigenError } from '../../sdk/util/errors.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { decodeInts, encodedSize, encodeInts } from '../../sdk/wire/ints.ts';
import { packWeight, residentBytes, unpackWeight } from '../../sdk/wire/layout.ts';
import { panelLayout, residentCodeBytes, widestPanels } from '../../sdk/wire/panels.ts';

/** Skewed integers of up to `bits` bits: small ones are likely. */
const skewed = (bits: number) =>
  fc.tuple(fc.integer({ min: 0, max: bits - 1 }), fc.integer()).map(([shift, v]) => v >> (31 - shift));

test('integers: what is coded is decoded, for any array and shape', () => {
  const arrays = fc.oneof(
    fc.array(skewed(8), { maxLength: 2000 }).map((a) => Int8Array.from(a)),
    fc.array(skewed(16), { maxLength: 2000 }).map((a) => Int16Array.from(a)),
    fc.array(skewed(31), { maxLength: 2000 }).map((a) => Int32Array.from(a)),
  );
  fc.assert(
    fc.property(arrays, (data) => {
      const bytes = encodeInts(data);
      const out = data.slice();
      out.fill(0);
      decodeInts(bytes, out);
      assert.equal(out, data);
      assert.is(encodedSize(data), bytes.length);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('integers: row classes', () => {
  const matrices = fc.record({
    rows: fc.integer({ min: 16, max: 40 }),
    cols: fc.integer({ min: 512, max: 700 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(matrices, ({ rows, cols, seed }) => {
      let s = seed + 1;
      const data = Int8Array.from({ length: rows * cols }, (_, i) => {
        s = (s * 48271) % 0x7fffffff;
        return ((s % 101) - 50) >> (Math.floor(i / cols) % 4);
      });
      const out = new Int8Array(data.length);
      decodeInts(encodeInts(data, rows, cols), out);
      assert.equal(out, data);
    }),
    { seed: 2, numRuns: 20 },
  );
});

test('integers: random bytes are refused or decoded, nothing else', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0, max: 3 }),
      fc.nat({ max: 1000 }),
      (bytes, mode, length) => {
        if (bytes.length > 0) bytes[0] = mode;
        try {
          decodeInts(bytes, new Int16Array(length));
        } catch (e) {
          assert.ok(e instanceof EigenError && e.code === 'EW6002_BUNDLE_TAMPERED', String(e));
        }
      },
    ),
    { seed: 3, numRuns: 2000 },
  );
});

test('panels: packed and unpacked, any shape, width and share of wide codes; the size is the one foretold', () => {
  const shapes = fc.record({
    rows: fc.integer({ min: 1, max: 40 }),
    cols: fc.integer({ min: 1, max: 70 }),
    bits: fc.integer({ min: 2, max: 8 }),
    wide: fc.integer({ min: 0, max: 40 }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(shapes, ({ rows, cols, bits, wide, seed }) => {
      const limit = 2 ** (bits - 1) - 1;
      let s = seed + 1;
      const data = tensor('i8', [rows, cols]);
      for (let i = 0; i < data.data.length; i++) {
        s = (s * 48271) % 0x7fffffff;
        data.data[i] = s % 100 < wide ? (s % 255) - 127 : (s % (2 * limit + 1)) - limit;
      }
      const least = panelLayout(data.data, rows, cols);
      for (const layout of [least, widestPanels(rows, cols)]) {
        const packed = packWeight(layout, data);
        assert.is(packed.length, residentBytes(layout, 'i8', [rows, cols]));
        assert.equal(unpackWeight(layout, 'i8', [rows, cols], packed), data);
      }
      assert.is(residentCodeBytes(data.data, rows, cols), least.bytes);
    }),
    { seed: 4, numRuns: 100 },
  );
});

test.run();
