import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EigenError } from '../../sdk/util/errors.ts';
import { fromHalf, toHalf } from '../../sdk/util/half.ts';
import { readNpy, writeNpy } from '../../sdk/util/npy.ts';
import { readNpz, writeNpz } from '../../sdk/util/npz.ts';
import { DTYPE_BYTES, type DType, sizeOf, tensor } from '../../sdk/util/tensor.ts';

const tensors = fc
  .record({
    dtype: fc.constantFrom(...(Object.keys(DTYPE_BYTES) as DType[])),
    shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
    seed: fc.integer({ min: 0, max: 100 }),
  })
  .map(({ dtype, shape, seed }) =>
    tensor(
      dtype,
      shape,
      Array.from({ length: sizeOf(shape) }, (_, i) => (dtype === 'bool' ? (i + seed) % 2 : (i * seed) % 127)),
    ),
  );

test('arrays survive .npy and .npz, stored and deflated', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }), tensors, { maxKeys: 4 }),
      fc.boolean(),
      (arrays, compress) => {
        for (const t of Object.values(arrays)) assert.equal(readNpy(writeNpy(t)), t);
        assert.equal(Object.entries(readNpz(writeNpz(arrays, { compress }))), Object.entries(arrays));
      },
    ),
    { seed: 5, numRuns: 200 },
  );
});

test('a damaged archive is refused with an EigenError or read, nothing else', () => {
  const good = writeNpz({ a: tensor('f32', [2, 3]), b: tensor('i64', [4], [1, 2, 3, 4]) }, { compress: true });
  const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(edits, fc.integer({ min: 0, max: good.length }), (changes, end) => {
      const bad = good.slice();
      for (const [at, value] of changes) bad[at] = value;
      for (const bytes of [bad, bad.subarray(0, end)]) {
        try {
          readNpz(bytes);
        } catch (e) {
          assert.ok(e instanceof EigenError && e.code === 'EW3201_DATA_UNREADABLE', String(e));
        }
      }
    }),
    { seed: 6, numRuns: 1000 },
  );
});

test('half: no other half is nearer', () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: -65504, max: 65504 }), (x) => {
      const h = toHalf(x);
      const error = Math.abs(fromHalf(h) - x);
      for (const other of [h - 1, h + 1]) {
        const value = fromHalf(other & 0xffff);
        if (Number.isFinite(value)) assert.ok(Math.abs(value - x) >= error);
      }
    }),
    { seed: 7, numRuns: 5000 },
  );
});

test.run();
