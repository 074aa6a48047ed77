import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ProfileSummary, profilePage } from '../../../sdk/report/index.ts';

const layer = (node: string, kind: string, us: number, macs: number, bytes: number) => ({
  node,
  kind,
  fused: [`${node}.relu`],
  seconds: { median: us * 1e-6, low: us * 0.9e-6, high: us * 1.1e-6 },
  share: us / 50,
  macs,
  bytes,
  GMACps: macs / us / 1e3,
  GBps: bytes / us / 1e3,
  bound: 'compute' as const,
  ofRoof: 0.5,
});

const PROFILE: ProfileSummary = {
  model: 'a <model>',
  engine: 'wasm simd128',
  threads: 1,
  runs: 9,
  rows: [layer('conv', 'qconv', 40, 1e6, 1e4), layer('fc', 'linear', 8, 1e4, 4e4), layer('soft', 'softmax', 2, 0, 1e3)],
  whole: { median: 51e-6 },
  roof: {
    integerGMACps: 60,
    floatGMACps: 30,
    copies: [
      { bytes: 1e5, GBps: 100 },
      { bytes: 1e8, GBps: 10 },
    ],
  },
  machine: { processor: 'a processor', node: 'v20' },
};

test('a page shows every layer, what it is fused with, and the roof over integers and floats', () => {
  const page = profilePage(PROFILE);
  assert.match(page, 'a &lt;model&gt;: where the time goes');
  assert.match(page, 'conv, at the roof: 20');
  assert.match(page, 'conv, lost: 20');
  assert.match(page, 'conv (qconv): 100 MAC a byte, 25.0 GMAC/s, 40.0 us');
  assert.match(page, 'float roof: 30.0 GMAC/s, 100 GB/s');
  assert.match(page, 'fc.relu');
  assert.not.match(page, 'soft (softmax)');
});

test('an engine without a roof has a page without one', () => {
  const rows = PROFILE.rows.map((r) => ({ ...r, bound: null, ofRoof: null }));
  const page = profilePage({ ...PROFILE, rows, roof: null });
  assert.not.match(page, 'Roofline');
  assert.match(page, 'conv, lost: 40');
});

test.run();
