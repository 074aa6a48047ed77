import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { constantOf } from '../../sdk/ir/graph.ts';
import { normalize } from '../../sdk/ir/passes/index.ts';
import { exportOnnx, MATMUL_FORMS, WEIGHT_FORMS } from '../../sdk/model/onnx/export/index.ts';
import { readOnnx } from '../../sdk/model/onnx/index.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { GraphSketch } from '../support/graphs.ts';

/** Matrices of codes with a scale a row, within int4 or beyond. */
const matrix = fc
  .record({ n: fc.integer({ min: 1, max: 9 }), k: fc.integer({ min: 1, max: 70 }), largest: fc.constantFrom(7, 127) })
  .chain(({ n, k, largest }) =>
    fc.record({
      shape: fc.constant([n, k] as const),
      codes: fc.array(fc.integer({ min: -largest - 1, max: largest }), { minLength: n * k, maxLength: n * k }),
      scales: fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: n, maxLength: n }),
    }),
  );

test('weights that are written in any form are read back as they were', () => {
  const forms = fc.record({ weights: fc.constantFrom(...WEIGHT_FORMS), matmul: fc.constantFrom(...MATMUL_FORMS) });
  fc.assert(
    fc.property(matrix, forms, ({ shape, codes, scales }, { weights, matmul }) => {
      const [n, k] = shape;
      const [w, ws] = [tensor('i8', shape, codes), tensor('f32', [n], scales)];
      const g = new GraphSketch('product');
      const [x, xs] = g.nodes('DynQuantize', [g.input('x', [2, k])]);
      const graph = g.build(g.node('QLinear', [x!, xs!, w, ws, tensor('f32', [n])]));
      fc.pre(weights !== 'int4' || codes.every((c) => c >= -8 && c <= 7));
      const back = normalize(readOnnx(exportOnnx(graph, { weights, matmul, producerVersion: '' }).bytes));
      const linear = back.nodes.find((node) => node.op === 'Linear')!;
      const expected = codes.map((c, i) => c * scales[Math.floor(i / k)]!);
      assert.equal(
        Array.from(constantOf(back, linear.inputs[1]!)!.data, Number),
        expected.map((v) => v + 0),
      );
    }),
    { numRuns: 60 },
  );
});

test.run();
