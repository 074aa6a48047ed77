import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { preferredVariant } from '../../../sdk/device/engine/wasm.ts';

test('kernels are chosen by known answers and measured speed', () => {
  const choice = (probe: Parameters<typeof preferredVariant>[0]) => preferredVariant(probe);
  assert.equal(choice({ right: true, speedup: 1.6 }).variant, 'dot7');
  assert.match(choice({ right: true, speedup: 1.02 }).reason, 'only 1.02 times as fast');
  assert.equal(choice({ right: true, speedup: 1.02 }).variant, 'simd128');
  assert.equal(choice({ right: false, fault: 'wrong', speedup: 0 }), {
    variant: 'simd128',
    reason: 'the relaxed dot product is computed wrongly by this Node',
  });
  assert.match(choice({ right: false, fault: 'absent', speedup: 0 }).reason, 'not known to this Node');
});

test.run();
