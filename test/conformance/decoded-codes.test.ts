// timeout: 240
import { test } from 'uvu';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { testFirmware } from '../support/firmware.ts';
import { GraphSketch } from '../support/graphs.ts';
import { testOutputs } from '../support/same-outputs.ts';

/**
 * Codes that are decoded where they are read are (code - zero point) * (1 / inverse of the step), whatever the step is: kernels that decode
 * them in the upper halves of lanes lose no bit of the smallest ones.
 */
const COLUMNS = 27;
const CASES = [
  { name: 'bytes', type: 'i8', inverse: [42.7], zero: [-128] },
  { name: 'bytes of tiny steps', type: 'i8', inverse: [3.1e38], zero: [127] },
  { name: 'bytes of steps just large enough', type: 'i8', inverse: [2 ** 100 - 2 ** 76], zero: [-1] },
  { name: 'a step and a zero point a column', type: 'i8', inverse: undefined, zero: undefined },
  { name: 'words', type: 'i16', inverse: [1234.5], zero: [0] },
  { name: 'words with a zero point', type: 'i16', inverse: [0.03], zero: [-32768] },
] as const;

const g = new GraphSketch('decoded');
const inputs: Record<string, Tensor> = {};
const outputs = CASES.map(({ name, type, inverse, zero }, i) => {
  const half = type === 'i8' ? 128 : 32768;
  inputs[name] = sampleInts(type, [3, COLUMNS], -half, half, i);
  const x = g.input(name, [3, COLUMNS], type);
  const inv = inverse ? tensor('f32', [1], [...inverse]) : sample([COLUMNS], 4, 20, 90);
  const zeros = zero ? tensor('i32', [1], [...zero]) : sampleInts('i32', [COLUMNS], -half, half, 7);
  return g.node('Neg', [g.node('Dequantize', [x, inv, zeros])]);
});
const graph = g.build(...outputs);
const evaluated = evaluateGraph(graph, inputs);
const expected = new Map(outputs.map((o) => [o, evaluated[o]!]));

await testOutputs(graph, inputs, expected, [1]);

testFirmware(graph, inputs, expected);

test.run();
