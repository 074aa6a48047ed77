import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isAlike } from '../../../sdk/compress/passes.ts';

const without = { divergence: 0.01, quality: 0.997 };
const alike = (divergence: number, quality: number): boolean => isAlike({ divergence, quality }, without, 0.985);

test('the memory goal is kept with little more divergence and the quality asked for, or with more and nearly all quality', () => {
  assert.ok(alike(0.012, 0.986));
  assert.not.ok(alike(0.012, 0.98));
  assert.ok(alike(0.019, 0.996));
  assert.not.ok(alike(0.019, 0.989));
});

test('quality alone does not keep the memory goal', () => {
  assert.not.ok(alike(0.03, 1));
});

test.run();
