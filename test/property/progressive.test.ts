import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { installWeights, openBundle, packBundle } from '../../sdk/bundle/index.ts';
import { EigenError } from '../../sdk/util/errors.ts';
import { coarsen, codeCounts } from '../../sdk/util/nested.ts';
import { decodeCodes, encodeCodes, panelPoints } from '../../sdk/wire/codes.ts';
import { packPanels, panelLayout, unpackPanels } from '../../sdk/wire/panels.ts';
import { normalCodes } from '../support/codes.ts';
import { layeredSpec } from '../support/small-bundle.ts';

const matrices = fc.record({
  rows: fc.integer({ min: 1, max: 70 }),
  cols: fc.integer({ min: 1, max: 400 }),
  sd: fc.integer({ min: 2, max: 120 }).map((s) => s / 4),
  limit: fc.constantFrom(1, 3, 7, 15, 63, 127),
  seed: fc.nat(),
});

test('codes: the sum of the parts is the whole, and what is missing leaves the coarse codes', () => {
  fc.assert(
    fc.property(matrices, ({ rows, cols, sd, limit, seed }) => {
      const codes = normalCodes(rows, cols, sd, limit, seed);
      const { base, planes, points } = encodeCodes(codes, rows, cols, panelPoints(codes, rows, cols));
      for (let there = 0; there <= planes.length; there++) {
        const out = new Int8Array(codes.length);
        decodeCodes(base, planes.slice(0, there), out);
        const missing = planes.length - there;
        assert.equal(out, missing === 0 ? codes : coarsen(codes, points[missing - 1]!));
      }
    }),
    { seed: 1, numRuns: 150 },
  );
});

test('coarse codes fit the panels of the codes they stand for', () => {
  fc.assert(
    fc.property(matrices, fc.constantFrom(1, 2, 3), ({ rows, cols, sd, limit, seed }, level) => {
      const codes = normalCodes(rows, cols, sd, limit, seed);
      const layout = panelLayout(codes, rows, cols);
      const back = coarsen(codes, panelPoints(codes, rows, cols)(level, codeCounts(codes)));
      const packed = packPanels(layout, back, 'within');
      assert.ok(packed.length <= layout.bytes);
      const out = new Int8Array(codes.length);
      unpackPanels(layout, packed, out);
      assert.equal(out, back);
    }),
    { seed: 2, numRuns: 150 },
  );
});

test('codes: random bytes and damaged streams are refused or decoded, nothing else', () => {
  const codes = normalCodes(40, 300, 3);
  const good = encodeCodes(codes, 40, 300, panelPoints(codes, 40, 300));
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 });
  const attempt = (base: Uint8Array, planes: readonly Uint8Array[], length: number): void => {
    try {
      decodeCodes(base, planes, new Int8Array(length));
    } catch (e) {
      assert.ok(e instanceof EigenError && e.code === 'EW6002_BUNDLE_TAMPERED', String(e));
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 60 }), fc.nat({ max: 900 }), (bytes, head, length) => {
      if (bytes.length > 0) bytes[0] = head;
      attempt(bytes, [bytes.slice(1)], length);
    }),
    { seed: 3, numRuns: 1500 },
  );
  fc.assert(
    fc.property(fc.nat({ max: 2 }), damage, (which, changes) => {
      const parts = [good.base, ...good.planes].map((p) => p.slice());
      const part = parts[which]!;
      for (const [at, bits] of changes) part[at % part.length]! ^= bits;
      attempt(parts[0]!, parts.slice(1), codes.length);
    }),
    { seed: 4, numRuns: 400 },
  );
});

const bundle = packBundle(layeredSpec());

function needed(bytes: Uint8Array): number | undefined {
  try {
    openBundle(bytes, { partial: true });
    return undefined;
  } catch (e) {
    assert.ok(e instanceof EigenError && e.code === 'EW6005_BUNDLE_INCOMPLETE', String(e));
    return e.details.needed as number;
  }
}

test('bundles: any prefix opens, or names the bytes that are needed', () => {
  const whole = openBundle(bundle);
  const least = (() => {
    let n = 0;
    for (let next = needed(bundle.subarray(0, n)); next !== undefined; next = needed(bundle.subarray(0, n))) {
      assert.ok(next > n);
      n = next;
    }
    return n;
  })();
  assert.is(needed(bundle.subarray(0, least - 1)), least);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bundle.length }), (n) => {
      const next = needed(bundle.subarray(0, n));
      if (n < least) {
        assert.ok(next !== undefined && next > n && next <= least);
        return;
      }
      const opened = openBundle(bundle.subarray(0, n), { partial: true });
      assert.is(opened.digest, whole.digest);
      const weights = installWeights(opened);
      assert.is(weights.length, whole.manifest.program.weightBytes);
      if (!opened.received) assert.equal(weights, installWeights(whole));
    }),
    { seed: 5, numRuns: 300 },
  );
});

test('bundles: damage in a prefix is found as far as it came', () => {
  const { received } = openBundle(bundle.subarray(0, bundle.length - 2000), { partial: true });
  assert.ok(received && received.segments > 1 && received.segments < received.segmentsInAll);
  const end = bundle.length - 2000 - (received.weightBytesInAll - received.weightBytes);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: end - 1 }), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const bad = bundle.slice(0, bundle.length - 2000);
      bad[at]! ^= bits;
      try {
        openBundle(bad, { partial: true });
        assert.unreachable(`byte ${at} was changed`);
      } catch (e) {
        assert.ok(e instanceof EigenError, String(e));
      }
    }),
    { seed: 6, numRuns: 300 },
  );
});

test.run();
