import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const exp = elementwise({
  name: 'Exp',
  doc: 'e^x.',
  arity: 1,
  expr: () => un('exp', x()),
  onnx: { Exp: plain('Exp', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
