import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GraphBuilder } from '../../../sdk/ir/graph.ts';
import { interfaceScales } from '../../../sdk/ir/scales.ts';
import { type DType, tensor } from '../../../sdk/util/tensor.ts';

test('scales of codes at the interface: where they are made, decoded, moved and joined', () => {
  const b = new GraphBuilder('cache');
  const type = (dtype: DType, rows: number) => ({ dtype, shape: [rows, 4] });
  const [past, x] = [b.input('past', type('i8', 2)), b.input('x', type('f32', 1))];
  b.input('other', type('i8', 1));
  const scale = [b.constant('inv', tensor('f32', [1], [4])), b.constant('zp', tensor('i32', [1], [0]))];
  const node = (op: string, inputs: string[], output: string, dtype: DType, rows: number, attrs = {}) =>
    b.node({ name: output, op, inputs, outputs: [output], attrs }, [type(dtype, rows)]);
  node('Quantize', [x, ...scale], 'codes', 'i8', 1, { to: 'i8' });
  node('Concat', [past, 'codes'], 'present', 'i8', 3, { axis: 0 });
  node('Dequantize', ['present', ...scale], 'y', 'f32', 3);
  b.outputs = ['present', 'y'];
  assert.equal([...interfaceScales(b.build())].sort(), [
    ['past', 0.25],
    ['present', 0.25],
  ]);
});

test.run();
