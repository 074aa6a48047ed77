import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { validateCalibration } from '../../../sdk/compress/calibration.ts';
import { GraphBuilder } from '../../../sdk/ir/graph.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';

const b = new GraphBuilder('g');
b.input('x', { dtype: 'f32', shape: [1, 3] });
b.input('ids', { dtype: 'i64', shape: [2, 1] });
const graph = b.build();
const x = tensor('f32', [2, 3], [1, 2, 3, 4, 5, 6]);
const ids = tensor('i64', [2, 2, 1], [1, 2, 3, 4]);

function refused(arrays: Record<string, Tensor>, pattern: RegExp): void {
  try {
    validateCalibration(graph, arrays);
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW3202_DATA_INVALID', String(e));
    assert.match((e as Error).message, pattern);
    return;
  }
  assert.unreachable(`accepted, expected ${pattern}`);
}

test('first axis is the sample, with or without the batch of one', () => {
  const { samples } = validateCalibration(graph, { x, ids });
  assert.is(samples.length, 2);
  assert.equal([...(samples[1]!.x!.data as Float32Array)], [4, 5, 6]);
  assert.equal(samples[1]!.ids!.shape, [2, 1]);
  const whole = validateCalibration(graph, { x: { ...x, shape: [2, 1, 3] }, ids });
  assert.equal(whole.samples[0], samples[0]);
});

test('harmless conversions', () => {
  const { samples } = validateCalibration(graph, {
    x: tensor('u8', [2, 3], [1, 2, 3, 4, 5, 6]),
    ids: tensor('i32', [2, 2, 1], [1, 2, 3, 4]),
  });
  assert.is(samples[0]!.x!.dtype, 'f32');
  assert.is(samples[0]!.ids!.dtype, 'i64');
});

test('everything else is refused by name', () => {
  refused({ x }, /'ids' is missing/);
  refused({ x, ids, z: x }, /no model input 'z'/);
  refused({ x: tensor('f32', [2, 4]), ids }, /'x' is f32\[2,4\].*f32\[1,3\]/);
  refused({ x: tensor('f32', [2, 3], [1, 2, Number.NaN, 4, 5, 6]), ids }, /'x' has the value NaN at element 2/);
  refused({ x, ids: tensor('f32', [2, 2, 1]) }, /'ids' is f32/);
  refused({ x: tensor('f32', [0, 3]), ids: tensor('i64', [0, 2, 1]) }, /no samples/);
  refused({ x: tensor('f32', [1, 3]), ids }, /holds 2 samples, others 1/);
});

test.run();
