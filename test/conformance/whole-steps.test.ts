// timeout: 240
import { test } from 'uvu';
import { evaluateGraph } from '../../sdk/ir/evaluate.ts';
import type { Attrs } from '../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { type Tensor, tensor, toNumbers } from '../../sdk/util/tensor.ts';
import { testFirmware } from '../support/firmware.ts';
import { GraphSketch } from '../support/graphs.ts';
import { testOutputs } from '../support/same-outputs.ts';

/**
 * Values that are whole steps of their codes, as compression makes them (compress/fold-steps.ts): in the tails of products they are rounded without being
 * multiplied, and codes are decoded without it.
 */
const g = new GraphSketch('steps');
const one = tensor('f32', [1], [1]);
const zero = (...values: number[]): Tensor => tensor('i32', [values.length], values);
const window = (size: number, groups: number): Attrs => {
  const pad = (size - 1) / 2;
  return { strides: [1, 1], pads: [pad, pad, pad, pad], dilations: [1, 1], groups };
};
let seed = 0;
const next = (): number => ++seed;

const codes = (x: string, zp: Tensor = zero(-17), to = 'i8'): string => g.node('Quantize', [x, one, zp], { to });
/** Results of some tens of steps; codes of weights are narrow. */
const product = (x: string, channels: number, size: number, zp = zero(-17)): string => {
  const [weights, least, most] = [[channels, size, size, 8], 1 / (40 * size), 1 / (20 * size)] as const;
  const q = [sampleInts('i8', [...weights], -7, 8, next()), sample([channels], next(), least, most)];
  return g.node('QConv', [x, ...q, sample([channels], next(), -20, 20), zp], window(size, 1));
};
const depthwise = (x: string, channels: number, zp: Tensor): string => {
  const q = [sampleInts('i8', [channels, 3, 3, 1], -40, 41, next()), sample([channels], next(), 0.01, 0.02)];
  return g.node('QConv', [x, ...q, sample([channels], next(), -20, 20), zp], window(3, channels));
};

const x = g.input('x', [1, 9, 8, 8], 'i8');
// All channels whole vectors, and not.
const outputs = [24, 21].flatMap((channels) => {
  const half = sample([channels], next(), 4, 9);
  const wide = product(x, channels, 1);
  const gated = codes(g.node('HardGate', [wide, half]), sampleInts('i32', [channels], -9, 10, next()));
  const after = depthwise(gated, channels, zero(0));
  const swish = codes(g.node('HardGate', [after, tensor('f32', [1], [7.3])]));
  const sums = g.node('Dequantize', [swish, tensor('f32', [1], [30]), zero(-17)]);
  const mean = g.node('Reduce', [sums], { fn: 'mean', axes: [1, 2], keepdims: true });
  const gate = g.node('Mul', [
    g.node('HardSigmoid', [mean], { alpha: 0.2, beta: 0.5 }),
    sample([channels], next(), 0.5, 2),
  ]);
  const scaled = g.node('Mul', [g.node('Dequantize', [swish, one, zero(-17)]), gate]);
  const bounded = g.node('Min', [g.node('Relu', [product(x, channels, 3)]), sample([channels], next(), 20, 90)]);
  const residual = g.node('Add', [g.node('Dequantize', [swish, tensor('f32', [1], [1.7]), zero(-17)]), bounded]);
  return [gated, swish, codes(scaled, zero(-128)), codes(bounded, zero(-128)), codes(residual, zero(3), 'i16')];
});
const graph = g.build(...outputs);
const inputs = { x: sampleInts('i8', [1, 9, 8, 8], -128, 128, 99) };
const evaluated = evaluateGraph(graph, inputs);
const expected = new Map(outputs.map((o) => [o, evaluated[o]!]));

test('the codes tell something', () => {
  for (const [name, t] of expected) if (new Set(toNumbers(t)).size < 30) throw new Error(`${name} has few codes`);
});

await testOutputs(graph, inputs, expected, [1, 2]);

testFirmware(graph, inputs, expected);

test.run();
