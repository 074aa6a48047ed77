import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { preferredVariant } from '../../../sdk/device/engine/wasm-kernels.ts';

test('kernels are chosen by known answers and measured speed', () => {
  const wrong = { right: false, speedup: 0 };
  const choice = (whole: number, chained: number, known = true) => {
    const dot = (speedup: number) => (speedup === 0 ? wrong : { right: true, speedup });
    return preferredVariant({ known, whole: dot(whole), chained: dot(chained) });
  };
  assert.is(choice(2, 1.6).variant, 'dot7');
  assert.is(choice(0.9, 1.6).variant, 'dot7x16');
  assert.is(choice(0, 1.6).variant, 'dot7x16');
  assert.match(choice(0.9, 1.02).reason, 'only 1.02 times as fast');
  assert.is(choice(0.9, 1.02).variant, 'simd128');
  assert.equal(choice(0, 0), {
    variant: 'simd128',
    reason: 'the relaxed dot product is computed wrongly by this Node',
  });
  assert.match(choice(0, 0, false).reason, 'not known to this Node');
});

test.run();
