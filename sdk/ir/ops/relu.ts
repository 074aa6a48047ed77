import { c, max, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const relu = elementwise({
  name: 'Relu',
  doc: 'max(x, 0).',
  arity: 1,
  expr: () => max(x(), c(0)),
  onnx: { Relu: plain('Relu', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
