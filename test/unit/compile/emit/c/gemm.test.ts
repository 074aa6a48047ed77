import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fittingRows } from '../../../../../sdk/compile/emit/c/gemm.ts';

test('tiles have three rows where four would compute more in vain than that costs', () => {
  const rows = [1, 2, 4, 5, 6, 7, 8, 9, 10, 21, 36, 49, 784];
  assert.equal(rows.map(fittingRows), [1, 2, 4, 3, 3, 4, 4, 3, 4, 3, 4, 4, 4]);
});

test.run();
