import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const abs = elementwise({
  name: 'Abs',
  doc: '|x|.',
  arity: 1,
  expr: () => un('abs', x()),
  onnx: { Abs: plain('Abs', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
