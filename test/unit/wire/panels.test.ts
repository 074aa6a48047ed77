import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { estimateResident } from '../../../sdk/compress/index.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import {
  isPanelSize,
  packPanels,
  panelLayout,
  planesOf,
  residentCodeBytes,
  unpackPanels,
  widestPanels,
} from '../../../sdk/wire/panels.ts';

/** Codes of any of the values of `bits` bits. */
function codesOf(rows: number, cols: number, bits: number): Int8Array {
  const limit = 2 ** (bits - 1) - 1;
  return Int8Array.from({ length: rows * cols }, (_, i) => ((i * 37 + 11) % (2 * limit + 1)) - limit);
}

/** Codes as networks have them: normal, `deviation` steps wide. */
function normalCodes(n: number, deviation: number): Int8Array {
  const rng = new Rng(5);
  return Int8Array.from({ length: n }, () => Math.max(-127, Math.min(127, Math.round(deviation * rng.normal()))));
}

const entropyOf = (codes: Int8Array): number => {
  const counts = new Map<number, number>();
  for (const q of codes) counts.set(q, (counts.get(q) ?? 0) + 1);
  return [...counts.values()].reduce((sum, n) => sum - (n / codes.length) * Math.log2(n / codes.length), 0);
};

test('planes of every width', () => {
  assert.equal([2, 3, 4, 5, 6, 7, 8].map(planesOf), [[2], [2, 1], [4], [4, 1], [4, 2], [4, 2, 1], [8]]);
  assert.throws(() => planesOf(1), /2 to 8 bits/);
});

test('one unit, written out', () => {
  const codes = new Int8Array(128).fill(7);
  codes[0] = 1; // row 0, column 0: V_0 byte 0
  codes[5 * 16 + 6] = -1; // row 5, column 6: V_3 byte 6
  codes[2 * 16 + 9] = -60; // row 2, column 9: V_4 byte 9, listed
  codes[8] = 10; // row 0, column 8: V_4 byte 0, listed
  const layout = panelLayout(codes, 8, 16);
  assert.equal(layout, { kind: 'panels', rows: 8, cols: 16, bits: 7, widths: [4], bytes: 2 + 64 + 3 });
  const block = packPanels(layout, codes);
  assert.is(block[0]! | (block[1]! << 8), 3 | (3 << 13));
  assert.is(block[2], 0x09); // V_0 = 9, V_4 = 0: listed
  assert.is(block[2 + 1], 0xff); // V_0 = 15, V_4 = 15
  assert.is(block[2 + 3 * 16 + 6], 0xf7); // V_3 = 7, V_7 = 15
  // Three bits each: (10 - 8) << 1 = 4; (60 - 8) << 1 | 1 = 105 does not fit, and is 7 and, at the end, 98 in seven bits.
  const list = 4 | (7 << 3) | (98 << (16 - 7));
  assert.equal([...block.subarray(66)], [3 | (7 << 4), list & 0xff, list >> 8]);
});

test('the rest of a tile: columns beyond whole units, and tiles of fewer rows', () => {
  const codes = Int8Array.of(1, -1, 0, 0, 1, -1);
  const layout = panelLayout(codes, 2, 3);
  assert.equal(layout, { kind: 'panels', rows: 2, cols: 3, bits: 2, widths: [2], bytes: 2 + 2 });
  // u = q + 2 by columns: 3 2, 1 3, 2 1.
  assert.equal([...packPanels(layout, codes)], [0, 1 << 5, 0b11_01_10_11, 0b01_10]);
});

test('back again, for any width, shape and number of listed codes', () => {
  for (let bits = 2; bits <= 8; bits++) {
    for (const [rows, cols] of [
      [8, 16],
      [1, 1],
      [11, 19],
      [16, 33],
      [300, 9],
    ] as const) {
      const codes = codesOf(rows, cols, bits);
      const layouts = [panelLayout(codes, rows, cols), widestPanels(rows, cols)];
      for (const layout of layouts) {
        const block = packPanels(layout, codes);
        assert.is(block.length, layout.bytes);
        assert.ok(isPanelSize(layout));
        const out = new Int8Array(codes.length);
        unpackPanels(layout, block, out);
        assert.equal(out, codes);
      }
      assert.is(residentCodeBytes(codes, rows, cols), layouts[0]!.bytes);
      assert.ok(layouts[0]!.bytes <= layouts[1]!.bytes + rows);
    }
  }
});

test('resident codes take their entropy and half a bit', () => {
  for (const deviation of [1.2, 1.6, 2.2, 3.15, 4, 6, 9]) {
    const codes = normalCodes(128 * 256, deviation);
    const bits = (8 * residentCodeBytes(codes, 128, 256)) / codes.length;
    assert.ok(bits < entropyOf(codes) + 0.5, `${deviation}: ${bits} for ${entropyOf(codes)}`);
    const estimate = (8 * estimateResident(codes, 128, 256)) / codes.length;
    assert.ok(Math.abs(estimate - bits) < 0.15, `${deviation}: estimated ${estimate}, really ${bits}`);
  }
});

test('what does not fit its layout is refused', () => {
  const codes = normalCodes(64 * 20, 3);
  const layout = panelLayout(codes, 64, 20);
  const out = new Int8Array(codes.length);
  assert.throws(() => packPanels({ ...layout, bits: 3 }, codes), /code -?\d+ at \d+ does not fit 3 bits/);
  assert.throws(() => packPanels({ ...layout, bytes: layout.bytes + 1 }, codes), /bytes, not the/);
  assert.throws(() => packPanels(layout, Int8Array.from(codes).fill(-128, 0, 1)), /code -128/);
  assert.throws(() => panelLayout(Int8Array.of(3, -128), 1, 2), /-128 does not fit 8 bits/);
  assert.throws(() => packPanels({ ...layout, widths: [2] }, codes), /most codes of a tile fit none of 2 bits/);
  const block = packPanels(layout, codes);
  assert.throws(() => unpackPanels(layout, block.subarray(0, -1), out), RangeError);
  assert.throws(() => unpackPanels({ ...layout, widths: [8] }, block, out), /has codes of/);
  for (let i = 0; i < block.length; i++) {
    const damaged = block.slice();
    damaged[i]! ^= 0xff;
    try {
      unpackPanels(layout, damaged, out);
    } catch (e) {
      assert.ok(e instanceof RangeError, String(e));
    }
  }
  assert.not.ok(isPanelSize({ ...layout, bytes: 100 }));
  assert.not.ok(isPanelSize({ ...layout, bytes: 1e9 }));
});

test.run();
