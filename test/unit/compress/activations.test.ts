import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planStatic, Ranges } from '../../../sdk/compress/activations.ts';
import { tensor } from '../../../sdk/util/tensor.ts';

/** Mean squared rounding error of values in the steps of their plan. */
function errorOf(values: readonly number[]): number {
  const ranges = new Ranges(1);
  ranges.add(tensor('f32', [values.length, 1], [...values]));
  const { inv, zp } = planStatic({ perChannel: false, columns: 9 }, ranges, 8);
  const codes = values.map((v) => Math.max(-128, Math.min(127, Math.round(v * inv[0]!) + zp[0]!)));
  return values.reduce((sum, v, i) => sum + ((codes[i]! - zp[0]!) / inv[0]! - v) ** 2, 0) / values.length;
}

const pixels = Array.from({ length: 256 }, (_, k) => k);

test('pictures: exact where 0 is one of their values, never half a step off everywhere', () => {
  assert.is(errorOf(pixels), 0);
  assert.ok(errorOf(pixels.map((k) => k / 255)) < 1e-12);
  assert.ok(errorOf(pixels.map((k) => k - 128)) < 1e-12);
  const centred = errorOf(pixels.map((k) => k / 127.5 - 1));
  assert.ok(centred < 1.1 * ((1 / 127) ** 2 / 12), `${centred}`);
});

test('codes of which kernels add four end at 14 bits, with the margin that 16 bits have', () => {
  const ranges = new Ranges(2);
  ranges.add(tensor('f32', [2, 2], [-3, 1, 4, 0]));
  const of = (perChannel: boolean, bits: 8 | 16, addsFour = true) =>
    planStatic({ perChannel, columns: 9, addsFour }, ranges, bits);
  assert.is(of(false, 16).limit, 8191);
  assert.is(of(false, 16).inv[0], Math.fround(8191 / 6));
  assert.equal([of(false, 16, false).limit, of(false, 8).limit, of(true, 16).limit], [undefined, undefined, undefined]);
});

test.run();
