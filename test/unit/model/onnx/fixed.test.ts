import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fixedInputs } from '../../../../sdk/model/onnx/index.ts';
import { onnxModel } from '../../../../sdk/testing/onnx-builder.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';

const model = onnxModel({
  inputs: [
    { name: 'x', shape: ['batch', 2] },
    { name: 'gain', dtype: 'f32', shape: ['batch', 1] },
    { name: 'mode', dtype: 'i32', shape: [] },
    { name: 'fast', dtype: 'bool', shape: [1] },
  ],
  outputs: ['y'],
  nodes: [{ op: 'Mul', inputs: ['x', 'gain'], outputs: ['y'] }],
});
const number = (v: number) => tensor('f64', [], [v]);

test('fixed inputs have the type and shape that the model declares', () => {
  const fixed = fixedInputs(model, { fixed: { gain: number(0.5), mode: number(3), fast: number(1) } });
  assert.equal(fixed, {
    gain: tensor('f32', [1, 1], [0.5]),
    mode: tensor('i32', [], [3]),
    fast: tensor('bool', [1], [1]),
  });
});

test('an input that the model does not have, or one number for many elements, is refused', () => {
  const usage = (e: unknown): boolean => isEigenError(e) && e.code === 'EW1001_USAGE';
  assert.throws(() => fixedInputs(model, { fixed: { z: number(1) } }), usage);
  assert.throws(() => fixedInputs(model, { fixed: { x: number(1) } }), usage);
});

test.run();
