import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codesOf } from '../../../sdk/util/codes.ts';
import { tensor } from '../../../sdk/util/tensor.ts';

test('numbers become the nearest codes, and the outermost where there are no more', () => {
  const codes = codesOf(tensor('f32', [5], [0, 0.26, -0.7, 100, -100]), 0.25);
  assert.equal(codes, tensor('i8', [5], Int8Array.of(0, 1, -3, 127, -128)));
});

test.run();
