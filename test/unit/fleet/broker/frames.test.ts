import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FrameLimit } from '../../../../sdk/fleet/broker/frames.ts';

function frame(bytes: number): Uint8Array {
  const header = [0x30];
  for (let left = bytes; ; left = Math.floor(left / 128)) {
    header.push((left % 128) + (left >= 128 ? 128 : 0));
    if (left < 128) break;
  }
  return Uint8Array.from([...header, ...new Uint8Array(bytes).fill(0xff)]);
}

test('frames are told apart however they are cut', () => {
  const property = fc.property(
    fc.array(fc.integer({ min: 0, max: 500 })),
    fc.integer({ min: 1, max: 40 }),
    (sizes, step) => {
      const bytes = Buffer.concat(sizes.map(frame));
      const limit = new FrameLimit(400);
      let good = true;
      for (let at = 0; at < bytes.length && good; at += step) good = limit.take(bytes.subarray(at, at + step));
      assert.is(
        good,
        sizes.every((size) => size <= 400),
      );
    },
  );
  fc.assert(property, { numRuns: 300, seed: 1 });
});

test('a frame that will be too long is refused by its header, and so is a length without end', () => {
  assert.not.ok(new FrameLimit(32_768).take(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f)));
  assert.not.ok(new FrameLimit(32_768).take(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 0x80)));
  assert.ok(new FrameLimit(32_768).take(Uint8Array.of(0x30, 0x80, 0x80, 0x02)));
});

test.run();
