import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { copyShared } from '../../../../sdk/device/engine/shared-memory.ts';
import { bytesOf, newArray } from '../../../../sdk/util/tensor.ts';

test('every byte is copied, in and out, and none beside', () => {
  for (const n of [1, 1000, 5000, 70_001]) {
    const shared = new SharedArrayBuffer(4 * n + 64);
    const there = new Float32Array(shared, 16, n);
    copyShared(
      there,
      Float32Array.from({ length: n }, (_, i) => i + 0.5),
    );
    assert.is(there[0], 0.5);
    assert.is(there[n - 1], n - 0.5);
    assert.ok([...new Uint8Array(shared, 0, 16), ...new Uint8Array(shared, 16 + 4 * n)].every((b) => b === 0));
    const back = new Float32Array(n + 2);
    copyShared(back.subarray(1, n + 1), there);
    assert.equal(back.subarray(1, n + 1), there.slice());
    assert.equal([back[0], back[n + 1]], [0, 0]);
  }
});

test('elements may have any size', () => {
  const from = BigInt64Array.from({ length: 2000 }, (_, i) => BigInt(-i));
  const to = new BigInt64Array(new SharedArrayBuffer(16_000));
  copyShared(to, from);
  assert.equal(bytesOf(to), bytesOf(from));
  const bytes = newArray('bool', 20_000);
  copyShared(bytes, new Uint8Array(new SharedArrayBuffer(20_000)).fill(1));
  assert.ok(bytes.every((b) => b === 1));
});

test('places of one memory may overlap', () => {
  const memory = Float32Array.from({ length: 10_000 }, (_, i) => i);
  copyShared(memory.subarray(1), memory.subarray(0, 9_999));
  assert.equal([...memory.subarray(0, 4), memory[9_999]], [0, 0, 1, 2, 9_998]);
});

test.run();
