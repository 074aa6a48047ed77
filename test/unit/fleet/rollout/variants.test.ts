import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { variantFor } from '../../../../sdk/fleet/rollout/variants.ts';

const [LARGE, SMALL, OTHER] = ['a', 'b', 'c'].map((c) => c.repeat(64)) as [string, string, string];
const PROFILE = 'd'.repeat(64);
const variants = [
  { sha256: LARGE, board: 'pi', p95Milliseconds: 20, modelBytes: 4e6 },
  { sha256: SMALL, board: 'pi', p95Milliseconds: 9, modelBytes: 1e6 },
  { sha256: OTHER, board: 'orin' },
];
const limits = { p95Milliseconds: 25, modelBytes: 5e6 };

test('the first for the board that keeps the limits', () => {
  assert.is(variantFor({ variants, limits }, { board: 'pi' })?.sha256, LARGE);
  assert.is(variantFor({ variants, limits: { p95Milliseconds: 10 } }, { board: 'pi' })?.sha256, SMALL);
  assert.is(variantFor({ variants, limits: { modelBytes: 2e6 } }, { board: 'pi' })?.sha256, SMALL);
  assert.is(variantFor({ variants, limits: { modelBytes: 1e5 } }, { board: 'pi' }), undefined);
  assert.is(variantFor({ variants, limits }, { board: 'orin' })?.sha256, OTHER);
  assert.is(variantFor({ variants, limits }, { board: 'nano' }), undefined);
});

test("a device's own measurements count most, then those of its profile", () => {
  assert.is(variantFor({ variants, limits }, { board: 'pi', running: LARGE, p95: 30 })?.sha256, SMALL);
  assert.is(variantFor({ variants, limits }, { board: 'pi', running: SMALL, p95: 30 })?.sha256, LARGE);
  const measured = [...variants, { sha256: LARGE, board: 'pi', profile: PROFILE, p95Milliseconds: 40 }];
  assert.is(variantFor({ variants: measured, limits }, { board: 'pi', profile: PROFILE })?.sha256, SMALL);
  assert.is(variantFor({ variants: measured, limits }, { board: 'pi', profile: 'e'.repeat(64) })?.sha256, LARGE);
});

test('what the device refused is not chosen again', () => {
  assert.is(variantFor({ variants, limits }, { board: 'pi' }, new Set([LARGE]))?.sha256, SMALL);
  assert.is(variantFor({ variants, limits }, { board: 'pi' }, new Set([LARGE, SMALL])), undefined);
});

test.run();
