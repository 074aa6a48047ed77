import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const cos = elementwise({
  name: 'Cos',
  doc: 'Cosine of radians.',
  arity: 1,
  expr: () => un('cos', x()),
  onnx: { Cos: plain('Cos', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -10, 10)], attrs: {} }],
});
