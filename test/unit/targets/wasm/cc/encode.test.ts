import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Bytes } from '../../../../../targets/wasm/cc/encode.ts';

function written(write: (to: Bytes) => void): number[] {
  const to = new Bytes(1);
  write(to);
  return [...to.written()];
}

test('ints without sign', () => {
  assert.equal(
    written((b) => b.u32(0)),
    [0],
  );
  assert.equal(
    written((b) => b.u32(127)),
    [127],
  );
  assert.equal(
    written((b) => b.u32(624485)),
    [0xe5, 0x8e, 0x26],
  );
  assert.equal(
    written((b) => b.u32(0xffffffff)),
    [255, 255, 255, 255, 15],
  );
});

test('ints with sign', () => {
  assert.equal(
    written((b) => b.s32(63)),
    [63],
  );
  assert.equal(
    written((b) => b.s32(64)),
    [0xc0, 0],
  );
  assert.equal(
    written((b) => b.s32(-64)),
    [0x40],
  );
  assert.equal(
    written((b) => b.s32(-123456)),
    [0xc0, 0xbb, 0x78],
  );
  assert.equal(
    written((b) => b.s32(-0x80000000)),
    [0x80, 0x80, 0x80, 0x80, 0x78],
  );
  assert.equal(
    written((b) => b.s64(-1n)),
    [0x7f],
  );
  assert.equal(
    written((b) => b.s64(1n << 62n)),
    [128, 128, 128, 128, 128, 128, 128, 128, 192, 0],
  );
});

test('floats, of which NaN is the quiet one', () => {
  assert.equal(
    written((b) => b.f32(1.5)),
    [0, 0, 0xc0, 0x3f],
  );
  assert.equal(
    written((b) => b.f32(Number.NaN)),
    [0, 0, 0xc0, 0x7f],
  );
  assert.equal(
    written((b) => b.f64(-0)),
    [0, 0, 0, 0, 0, 0, 0, 0x80],
  );
});

test('names and sections', () => {
  const content = new Bytes();
  content.name('ab');
  assert.equal(
    written((b) => b.section(7, content)),
    [7, 3, 2, 97, 98],
  );
});

test.run();
