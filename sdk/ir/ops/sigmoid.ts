import { add, c, div, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const sigmoid = elementwise({
  name: 'Sigmoid',
  doc: '1 / (1 + e^-x).',
  arity: 1,
  expr: () => div(c(1), add(c(1), un('exp', un('neg', x())))),
  onnx: { Sigmoid: plain('Sigmoid', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
