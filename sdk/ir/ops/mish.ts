import { add, c, max, mul, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const mish = elementwise({
  name: 'Mish',
  doc: 'x * tanh(log(1 + e^x)).',
  arity: 1,
  expr: () => mul(x(), un('tanh', add(max(x(), c(0)), un('log', add(c(1), un('exp', un('neg', un('abs', x())))))))),
  onnx: { Mish: plain('Mish', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
