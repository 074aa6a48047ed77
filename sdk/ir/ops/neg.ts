import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const neg = elementwise({
  name: 'Neg',
  doc: '-x.',
  arity: 1,
  expr: () => un('neg', x()),
  onnx: { Neg: plain('Neg', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
