import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const erf = elementwise({
  name: 'Erf',
  doc: 'Error function.',
  arity: 1,
  expr: () => un('erf', x()),
  onnx: { Erf: plain('Erf', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
