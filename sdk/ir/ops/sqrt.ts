import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const sqrt = elementwise({
  name: 'Sqrt',
  doc: 'Square root.',
  arity: 1,
  expr: () => un('sqrt', x()),
  onnx: { Sqrt: plain('Sqrt', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, 0, 9)], attrs: {} }],
});
