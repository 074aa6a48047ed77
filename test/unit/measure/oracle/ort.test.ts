import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasOracle, openOracle } from '../../../../sdk/measure/oracle/ort.ts';
import { onnxModel } from '../../../../sdk/testing/onnx-builder.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';

const x = (...values: readonly number[]) => ({ x: tensor('f32', [2], Float32Array.from(values)) });
const twice = onnxModel({
  nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
  outputs: ['y'],
  inputs: [{ name: 'x', shape: [2] }],
});

// onnxruntime-node is not a dependency: it is tested where somebody installed it.
for (const name of (['onnxruntime-web', 'onnxruntime-node'] as const).filter(hasOracle)) {
  test(`outputs of ${name} stay what they are when it runs again, unless it is given their tensors`, async () => {
    const oracle = await openOracle(name, twice);
    try {
      const first = await oracle.run(x(1, 2));
      const second = await oracle.run(x(3, 4));
      assert.equal([...first.y!.data], [2, 4]);
      assert.equal([...second.y!.data], [6, 8]);
      const third = await oracle.run(x(5, 6), second);
      assert.equal([...third.y!.data], [10, 12]);
      assert.is(third.y === second.y, name === 'onnxruntime-node');
    } finally {
      await oracle.close();
    }
  });
}

test.run();
