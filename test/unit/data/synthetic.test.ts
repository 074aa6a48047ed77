import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { syntheticSamples } from '../../../sdk/data/synthetic.ts';

const image = { name: 'image', dtype: 'f32' as const, shape: [1, 16, 16, 3], low: 0, high: 255 };
const ids = { name: 'ids', dtype: 'i64' as const, shape: [1, 200], low: 0, high: 7 };

test('values are in the range, use it, and differ from sample to sample', () => {
  const samples = syntheticSamples([image], 12, 1);
  const means = samples.map(({ image: t }) => {
    const data = t!.data as Float32Array;
    assert.ok(data.every((v) => v >= 0 && v <= 255));
    return data.reduce((a, b) => a + b, 0) / data.length;
  });
  assert.ok(Math.max(...means) - Math.min(...means) > 40, means.join(' '));
});

test('neighbours are alike', () => {
  const [sample] = syntheticSamples([image], 1, 3);
  const data = sample!.image!.data as Float32Array;
  let [near, far] = [0, 0];
  for (let i = 0; i + 3 * 16 * 8 < data.length; i++) {
    near += (data[i]! - data[i + 3]!) ** 2;
    far += (data[i]! - data[i + 3 * 16 * 8]!) ** 2;
  }
  assert.ok(near < 0.7 * far, `${near} against ${far}`);
});

test('tokens are whole, below the limit, and all occur; the seed decides', () => {
  const of = (seed: number) => syntheticSamples([ids], 1, seed)[0]!.ids!.data as BigInt64Array;
  assert.equal([...new Set(of(1))].map(Number).sort(), [0, 1, 2, 3, 4, 5, 6]);
  assert.equal(of(1), of(1));
  assert.not.equal(of(1), of(2));
});

test.run();
