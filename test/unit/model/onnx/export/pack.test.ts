import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blocksOf, fitsInt4, packBlocks, packInt4 } from '../../../../../sdk/model/onnx/export/pack.ts';

test('int4: two codes a byte, the first in the low half', () => {
  assert.equal([...packInt4(Int8Array.of(1, -1, 7, -8, 3))], [0xf1, 0x87, 0x03]);
  assert.ok(fitsInt4(Int8Array.of(-8, 7)));
  assert.not.ok(fitsInt4(Int8Array.of(8)));
  assert.not.ok(fitsInt4(Int8Array.of(-9)));
});

test('blocks: the size that takes the fewest bytes', () => {
  assert.equal(blocksOf(192, 4), { size: 64, count: 3 });
  assert.equal(blocksOf(256, 8), { size: 256, count: 1 });
  assert.equal(blocksOf(10, 4), { size: 16, count: 1 });
});

test('blocks: codes around the middle, padding stands for 0', () => {
  const blocks = { size: 16, count: 1 };
  const four = packBlocks(Int8Array.of(-8, 7, 1, 0, 0, -1), 3, 4, blocks);
  assert.equal([...four.slice(0, 3)], [0xf0, 0x89, 0x88]);
  assert.equal([...four.slice(8, 11)], [0x88, 0x87, 0x88]);
  const eight = packBlocks(Int8Array.of(-128, 127, 1), 3, 8, blocks);
  assert.equal([...eight.slice(0, 4)], [0, 255, 129, 128]);
});

test.run();
