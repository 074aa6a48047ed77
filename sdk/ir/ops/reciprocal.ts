import { c, div, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const reciprocal = elementwise({
  name: 'Reciprocal',
  doc: '1 / x.',
  arity: 1,
  expr: () => div(c(1), x()),
  onnx: { Reciprocal: plain('Reciprocal', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, 0.1, 5)], attrs: {} }],
});
