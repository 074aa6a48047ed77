import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scaleFromLog8 } from '../../../sdk/util/log8.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { packWeight, residentBytes, unpackWeight } from '../../../sdk/wire/layout.ts';
import { panelLayout } from '../../../sdk/wire/panels.ts';

test('panels are packed and unpacked (panels.test.ts says how)', () => {
  const codes = Int8Array.from({ length: 11 * 19 }, (_, i) => ((i * 37) % 21) - 10);
  const layout = panelLayout(codes, 11, 19);
  const packed = packWeight(layout, tensor('i8', [11, 19], codes));
  assert.is(packed.length, residentBytes(layout, 'i8', [11, 19]));
  assert.equal(unpackWeight(layout, 'i8', [11, 19], packed).data, codes);
});

test('scales as exponents', () => {
  const exponents = [-128, -9, -1, 0, 1, 7, 8, 127];
  const scales = tensor(
    'f32',
    [2, 4],
    exponents.map((e) => scaleFromLog8(0.75, e)),
  );
  const layout = { kind: 'log8', base: 0.75 } as const;
  const packed = packWeight(layout, scales);
  assert.is(packed.length, residentBytes(layout, 'f32', [2, 4]));
  assert.equal([...packed], [0, 0, 0x40, 0x3f, ...exponents.map((e) => e & 0xff)]);
  assert.equal(unpackWeight(layout, 'f32', [2, 4], packed), scales);
  assert.throws(() => packWeight(layout, tensor('f32', [1], [1])), /1 is no scale on the grid of 0.75/);
  assert.throws(() => packWeight(layout, tensor('f32', [1], [scaleFromLog8(0.75, 128)])), /no scale/);
  assert.throws(() => packWeight(layout, tensor('f32', [1], [0])), /no scale/);
});

test('half precision, and integers in fewer bytes', () => {
  const halves = tensor('f32', [5], [1, -0, 2 ** -24, -65504, 0.333251953125]);
  const packed = packWeight({ kind: 'f16' }, halves);
  assert.is(packed.length, residentBytes({ kind: 'f16' }, 'f32', [5]));
  assert.equal([...packed], [0, 0x3c, 0, 0x80, 1, 0, 0xff, 0xfb, 0x55, 0x35]);
  assert.equal(unpackWeight({ kind: 'f16' }, 'f32', [5], packed), halves);
  for (const v of [0.1, Number.POSITIVE_INFINITY, Number.NaN])
    assert.throws(() => packWeight({ kind: 'f16' }, tensor('f32', [1], [v])), /half precision/);

  const i16 = { kind: 'narrow', to: 'i16' } as const;
  for (const dtype of ['i32', 'i64'] as const) {
    const ints = tensor(dtype, [3], [-32768, 5, 32767]);
    assert.equal([...packWeight(i16, ints)], [0, 0x80, 5, 0, 0xff, 0x7f]);
    assert.equal(unpackWeight(i16, dtype, [3], packWeight(i16, ints)), ints);
    assert.throws(() => packWeight({ kind: 'narrow', to: 'i8' }, ints), /-32768 does not fit i8/);
  }
  assert.is(residentBytes({ kind: 'narrow', to: 'i8' }, 'i32', [7]), 7);
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
  const layout = { kind: 'panels', rows: 2, cols: 2, bits: 4, widths: [4], bytes: 4 } as const;
  assert.throws(() => packWeight(layout, tensor('i8', [3])), /2 x 2 does not match i8\[3\]/);
  assert.throws(() => packWeight(layout, tensor('f32', [4])), /needs i8/);
  assert.throws(() => packWeight({ kind: 'f16' }, tensor('i8', [4])), /needs f32/);
  assert.throws(() => packWeight({ kind: 'narrow', to: 'i8' }, tensor('f32', [4])), /needs i16 or i32 or i64/);
});

test.run();
