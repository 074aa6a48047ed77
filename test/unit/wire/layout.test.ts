import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tensor } from '../../../sdk/util/tensor.ts';
import { packWeight, planesOf, residentBytes, unpackWeight } from '../../../sdk/wire/layout.ts';

const codes = (rows: number, cols: number, bits: number) => {
  const limit = 2 ** (bits - 1) - 1;
  return tensor(
    'i8',
    [rows, cols],
    Array.from({ length: rows * cols }, (_, i) => ((i * 37 + 11) % (2 * limit + 1)) - limit),
  );
};

/** Bit `bit` of the code at (row, col), straight from the definition: plane sizes and the place of a code in its vector. */
function bitOf(packed: Uint8Array, cols: number, bits: number, row: number, col: number, bit: number): number {
  const unit = (row >> 3) * Math.ceil(cols / 16) + (col >> 4);
  const vector = 2 * ((col & 15) >> 2) + ((row & 7) >> 2);
  const byte = (row & 3) * 4 + (col & 3);
  let start = unit * 16 * bits;
  let low = 0;
  for (const width of planesOf(bits)) {
    if (bit < low + width) {
      const vectors = width; // vectors of 16 bytes in a plane of this width
      return (packed[start + (vector % vectors) * 16 + byte] >> (Math.floor(vector / vectors) * width + bit - low)) & 1;
    }
    low += width;
    start += 16 * width;
  }
  throw new Error(`no plane for bit ${bit}`);
}

test('planes of every width', () => {
  assert.equal([2, 3, 4, 5, 6, 7, 8].map(planesOf), [[2], [2, 1], [4], [4, 1], [4, 2], [4, 2, 1], [8]]);
  assert.throws(() => planesOf(1), /2 to 8 bits/);
});

test('panels bit by bit, and back', () => {
  for (let bits = 2; bits <= 8; bits++) {
    for (const [rows, cols] of [
      [8, 16],
      [1, 1],
      [11, 19],
      [16, 33],
    ]) {
      const data = codes(rows, cols, bits);
      const layout = { kind: 'panels', rows, cols, bits } as const;
      const packed = packWeight(layout, data);
      assert.is(packed.length, residentBytes(layout, 'i8', data.shape));
      for (let r = 0; r < Math.ceil(rows / 8) * 8; r++) {
        for (let c = 0; c < Math.ceil(cols / 16) * 16; c++) {
          let u = 0;
          for (let bit = 0; bit < bits; bit++) u |= bitOf(packed, cols, bits, r, c, bit) << bit;
          const want = r < rows && c < cols ? data.data[r * cols + c] : 0;
          if (u - 2 ** (bits - 1) !== want)
            assert.unreachable(`${bits} bits, (${r}, ${c}): ${u - 2 ** (bits - 1)} for ${want}`);
        }
      }
      assert.equal(unpackWeight(layout, 'i8', data.shape, packed), data);
    }
  }
});

test('panels of one unit, written out', () => {
  const data = tensor('i8', [8, 16]);
  data.data[0] = 1; // V_0 byte 0
  data.data[5 * 16 + 6] = -1; // row 5, column 6: V_3 byte 6
  const four = packWeight({ kind: 'panels', rows: 8, cols: 16, bits: 4 }, data);
  assert.is(four[0], 0x89); // V_0 = 9, V_4 = 8
  assert.is(four[3 * 16 + 6], 0x87); // V_3 = 7, V_7 = 8
  const three = packWeight({ kind: 'panels', rows: 8, cols: 16, bits: 3 }, data);
  assert.is(three.length, 48);
  assert.is(three[0], 0b01); // V_0 = 5 (101): two low bits 01; V_2, V_4, V_6 = 4 (100)
  assert.is(three[32], 0xff); // top bits all set
  assert.is(three[32 + 6], 0xf7); // V_3 = 3 (011): top bit clear
  const eight = packWeight({ kind: 'panels', rows: 8, cols: 16, bits: 8 }, data);
  assert.is(eight[0], 129);
  assert.is(eight[3 * 16 + 6], 127);
});

test('f32 panels, transposed and plain', () => {
  const f = tensor(
    'f32',
    [9, 2],
    Array.from({ length: 18 }, (_, i) => i + 1),
  );
  const tiles = { kind: 'panelsF32', rows: 9, cols: 2 } as const;
  const packed = packWeight(tiles, f);
  assert.is(packed.length, 2 * 2 * 8 * 4);
  const floats = new Float32Array(packed.slice().buffer);
  assert.equal([...floats.subarray(0, 9)], [1, 3, 5, 7, 9, 11, 13, 15, 2]);
  assert.equal([...floats.subarray(16, 26)], [17, 0, 0, 0, 0, 0, 0, 0, 18, 0]);
  assert.equal(unpackWeight(tiles, 'f32', f.shape, packed), f);

  for (const dtype of ['i8', 'i16', 'f32'] as const) {
    const t = tensor(dtype, [3, 2], [1, 2, 3, 4, 5, 6]);
    const layout = { kind: 'transposed', rows: 3, cols: 2, multiple: 4 } as const;
    const bytes = packWeight(layout, t);
    assert.is(bytes.length, residentBytes(layout, dtype, t.shape));
    assert.equal([...unpackWeight({ kind: 'plain' }, dtype, [8], bytes).data], [1, 3, 5, 0, 2, 4, 6, 0]);
    assert.equal(unpackWeight(layout, dtype, t.shape, bytes), t);
    assert.equal(unpackWeight({ kind: 'plain' }, dtype, t.shape, packWeight({ kind: 'plain' }, t)), t);
  }
});

test('wrong tensors are refused', () => {
  const layout = { kind: 'panels', rows: 2, cols: 2, bits: 4 } as const;
  assert.throws(() => packWeight(layout, tensor('i8', [3])), /2 x 2 does not match i8\[3\]/);
  assert.throws(() => packWeight(layout, tensor('f32', [4])), /needs i8/);
  assert.throws(() => packWeight(layout, tensor('i8', [2, 2], [1, 2, 3, 8])), /code 8 at 3 does not fit 4 bits/);
  assert.throws(() => packWeight(layout, tensor('i8', [2, 2], [1, -8, 3, 7])), /code -8 at 1/);
  assert.throws(
    () => packWeight({ kind: 'panels', rows: 2, cols: 2, bits: 8 }, tensor('i8', [4], [0, 0, 0, -128])),
    /-128/,
  );
});

test.run();
