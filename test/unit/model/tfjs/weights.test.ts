import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readWeights, shardPaths } from '../../../../sdk/model/tfjs/weights.ts';
import { toNumbers } from '../../../../sdk/util/tensor.ts';
import { refusal } from '../../../support/refusal.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

test('weights follow each other over the borders of shards', () => {
  const all = floats(1, 2, 3, 4, 5);
  const shards: Record<string, Uint8Array> = { a: all.subarray(0, 6), b: all.subarray(6, 9), c: all.subarray(9) };
  const manifest = [
    {
      paths: ['a', 'b', 'c'],
      weights: [
        { name: 'x', shape: [2], dtype: 'float32' },
        { name: 'y', shape: [3, 1], dtype: 'float32' },
      ],
    },
  ];
  const weights = readWeights(manifest, (path) => shards[path]!);
  assert.equal(toNumbers(weights.get('x')!), [1, 2]);
  assert.equal(toNumbers(weights.get('y')!), [3, 4, 5]);
  assert.equal(weights.get('y')!.shape, [3, 1]);
  assert.equal(shardPaths(manifest), ['a', 'b', 'c']);
});

test('quantized weights, whole numbers, truth values and texts', () => {
  const halves = new Uint8Array(Uint16Array.from([0x3c00, 0xc000]).buffer);
  const file = Buffer.concat([
    bytes(0, 128),
    halves,
    bytes(2, 0, 0, 0, 65, 66),
    bytes(255, 255, 255, 255),
    bytes(1, 0, 1),
  ]);
  const weights = readWeights(
    [
      {
        paths: ['f'],
        weights: [
          { name: 'q', shape: [2], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
          { name: 'h', shape: [2], dtype: 'float32', quantization: { dtype: 'float16', original_dtype: 'float32' } },
          { name: 's', shape: [1], dtype: 'string' },
          { name: 'i', shape: [], dtype: 'int32' },
          { name: 'b', shape: [3], dtype: 'bool' },
        ],
      },
    ],
    () => file,
  );
  assert.equal(toNumbers(weights.get('q')!), [-1, 63]);
  assert.equal(toNumbers(weights.get('h')!), [1, -2]);
  assert.equal(toNumbers(weights.get('i')!), [-1]);
  assert.equal(toNumbers(weights.get('b')!), [1, 0, 1]);
  assert.not(weights.has('s'));
});

test('a cut shard and a manifest that is none are refused in words', () => {
  const manifest = (w: object): object[] => [{ paths: ['group1-shard1of1.bin'], weights: [w] }];
  const w = { name: 'w', shape: [4], dtype: 'float32' };
  const read = (m: object, size = 16) => refusal(() => readWeights(m as never, () => new Uint8Array(size)));
  assert.is(read(manifest(w)), 'none');
  assert.match(read(manifest(w), 15), /EW3001.*need 16 bytes, group1-shard1of1.bin has 15/);
  assert.match(read(manifest({ ...w, dtype: 'complex64' })), /EW3002.*weight 'w' is of type "complex64"/);
  assert.match(read(manifest({ ...w, dtype: 'constructor' })), /EW3002.*weight 'w' is of type "constructor"/);
  assert.match(read(manifest({ ...w, quantization: { dtype: '__proto__' } })), /EW3002.*quantized as "__proto__"/);
  assert.match(read(manifest({ ...w, shape: [-4] })), /EW3002.*has the size -4/);
  assert.match(read(manifest({ ...w, quantization: { dtype: 'uint4' } })), /EW3002.*quantized as "uint4"/);
  assert.match(
    read(manifest({ ...w, quantization: { dtype: 'uint8', min: 0 } })),
    /EW3002.*the scale of weight 'w' is nothing/,
  );
  assert.match(read([{ paths: 'x' }]), /EW3002.*paths is "x", not a list/);
  assert.match(read({ a: 1 }), /EW3002.*weightsManifest is {"a":1}, not a list/);
});

test.run();
