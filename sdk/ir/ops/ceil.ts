import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const ceil = elementwise({
  name: 'Ceil',
  doc: 'Smallest integer not below x.',
  arity: 1,
  expr: () => un('ceil', x()),
  onnx: { Ceil: plain('Ceil', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
