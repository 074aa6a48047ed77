import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { boundOf, measureRoof, type Roof, roofOfThreads } from '../../../sdk/app/roof.ts';

const ROOF: Roof = {
  integerGMACps: 100,
  floatGMACps: 50,
  copies: [
    { bytes: 1e5, GBps: 200 },
    { bytes: 1e6, GBps: 20 },
  ],
};

test('a step is bound by its multiplications or by its bytes, whichever takes longer', () => {
  assert.equal(boundOf(ROOF, { kind: 'qconv', macs: 1e6, bytes: 1e5 }), { seconds: 1e-5, by: 'compute' });
  assert.equal(boundOf(ROOF, { kind: 'conv', macs: 1e6, bytes: 1e5 }), { seconds: 2e-5, by: 'compute' });
  assert.equal(boundOf(ROOF, { kind: 'map', macs: 0, bytes: 2e3 }), { seconds: 1e-8, by: 'memory' });
  assert.equal(boundOf(ROOF, { kind: 'qlinear', macs: 1e6, bytes: 2e6 }), { seconds: 1e-4, by: 'memory' });
});

test('threads have multipliers and caches of their own, and one memory', () => {
  const one: Roof = { ...ROOF, copies: [1e5, 1e8].map((bytes) => ({ bytes, GBps: 10 })) };
  assert.equal(roofOfThreads(one, 4), {
    integerGMACps: 400,
    floatGMACps: 200,
    copies: [
      { bytes: 1e5, GBps: 40 },
      { bytes: 1e8, GBps: 10 },
    ],
  });
});

test('this machine has a roof', () => {
  for (const native of [false, true]) {
    const roof = measureRoof(native ? 'avx2' : 'simd128', native);
    assert.ok(roof.integerGMACps > 0.1 && roof.floatGMACps > 0.1);
    assert.ok(roof.copies.every((c) => c.GBps > 0.1));
  }
});

test.run();
