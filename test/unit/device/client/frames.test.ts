import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FrameReader, frameOf } from '../../../../sdk/device/client/frames.ts';
import { Rng } from '../../../../sdk/util/rng.ts';

test('frames come out as they went in, however they are cut', () => {
  const rng = new Rng(1);
  const bodies = Array.from({ length: 40 }, (_, i) => Uint8Array.from({ length: 1 + rng.below(50) }, () => i));
  const stream = Buffer.concat(bodies.map(frameOf));
  for (let round = 0; round < 20; round++) {
    const reader = new FrameReader(() => 50);
    const got: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const length = 1 + rng.below(round === 0 ? 1 : 120);
      for (const body of reader.push(stream.subarray(at, at + length))) got.push(body);
      at += length;
    }
    assert.equal(got, bodies);
  }
});

test('a frame that announces too much, or nothing, takes no memory', () => {
  const push = (...head: number[]) => [...new FrameReader(() => 50).push(Uint8Array.from(head))];
  assert.throws(() => push(51, 0, 0, 0), /a frame of 51 bytes, 1 to 50 are allowed/);
  assert.throws(() => push(255, 255, 255, 255), /4294967295/);
  assert.throws(() => push(0, 0, 0, 0), /a frame of 0 bytes/);
});

test.run();
