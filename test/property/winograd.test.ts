import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fits } from '../../sdk/compile/emit/c/winograd-plan.ts';

/** Winograd's F(2x2,3x3) in integers of 16 and 32 bits that wrap, as kernels compute it (emit/c/winograd-text.ts), and the sums it stands for. */

type Matrix = readonly (readonly number[])[];

const IMAGE: Matrix = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const CODES: Matrix = [
  [2, 0, 0],
  [1, 1, 1],
  [1, -1, 1],
  [0, 0, 2],
];
const SUMS: Matrix = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

const product = (a: Matrix, b: Matrix): number[][] =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));
const transposed = (a: Matrix): number[][] => a[0]!.map((_, j) => a.map((row) => row[j]!));
const both = (a: Matrix, x: Matrix): number[][] => product(product(a, x), transposed(a));
const wrapped = (x: Matrix): number[][] => x.map((row) => row.map((v) => (v << 16) >> 16));

function winograd(images: readonly Matrix[], codes: readonly Matrix[]): number[] {
  const m = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  images.forEach((x, c) => {
    const [v, u] = [wrapped(both(IMAGE, x)), wrapped(both(CODES, codes[c]!))];
    for (const i of [0, 1, 2, 3]) for (const j of [0, 1, 2, 3]) m[i]![j] = (m[i]![j]! + v[i]![j]! * u[i]![j]!) | 0;
  });
  return both(SUMS, m).flatMap((row) => row.map((v) => (v | 0) >> 2));
}

function direct(images: readonly Matrix[], codes: readonly Matrix[]): number[] {
  const pixel = (y: number, x: number): number =>
    images.reduce(
      (sum, image, c) =>
        sum + codes[c]!.reduce((s, row, i) => s + row.reduce((t, w, j) => t + w * image[y + i]![x + j]!, 0), 0),
      0,
    );
  return [pixel(0, 0), pixel(0, 1), pixel(1, 0), pixel(1, 1)];
}

/** Whole numbers up to `most`, mostly the ends. */
const ends = (most: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(most, -most), fc.integer({ min: -most, max: most }));
const matrix = (size: number, of: fc.Arbitrary<number>): fc.Arbitrary<number[][]> =>
  fc.array(fc.array(of, { minLength: size, maxLength: size }), { minLength: size, maxLength: size });

const layer = fc
  .record({
    element: fc.oneof(fc.constantFrom(255, 8191), fc.integer({ min: 1, max: 8191 })),
    code: fc.oneof(fc.constantFrom(7, 127), fc.integer({ min: 1, max: 127 })),
    channels: fc.integer({ min: 1, max: 64 }),
  })
  .chain(({ element, code, channels }) => {
    const length = { minLength: channels, maxLength: channels };
    return fc.record({
      element: fc.constant(element),
      images: fc.array(matrix(4, ends(element)), length),
      codes: fc.array(matrix(3, ends(code)), length),
    });
  });

test('sums are those of the direct kernel wherever bounds are kept', () => {
  fc.assert(
    fc.property(layer, ({ element, images, codes }) => {
      const sum = codes.flat(2).reduce((s, w) => s + Math.abs(w), 0);
      fc.pre(fits(element, sum));
      assert.equal(winograd(images, codes), direct(images, codes));
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('bounds are tight: one more, and the transform of an image or four times a sum overflows', () => {
  const full = (size: number, v: number): number[][] => Array.from({ length: size }, () => Array<number>(size).fill(v));
  assert.ok(fits(8191, 1));
  assert.not.ok(fits(8192, 1));
  assert.not.equal(winograd([full(4, 8192)], [full(3, 1)]), direct([full(4, 8192)], [full(3, 1)]));
  const channels = 58;
  const [images, codes] = [Array(channels).fill(full(4, 8191)), Array(channels).fill(full(3, 127))];
  assert.ok(fits(8191, (channels - 2) * 9 * 127));
  assert.not.ok(fits(8191, channels * 9 * 127));
  assert.not.equal(winograd(images, codes), direct(images, codes));
});

test.run();
