import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const tanh = elementwise({
  name: 'Tanh',
  doc: 'Hyperbolic tangent.',
  arity: 1,
  expr: () => un('tanh', x()),
  onnx: { Tanh: plain('Tanh', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
