import { sub as minus, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const sub = elementwise({
  name: 'Sub',
  doc: 'a - b.',
  arity: 2,
  expr: () => minus(x(0), x(1)),
  onnx: { Sub: plain('Sub', 2) },
  cases: [
    { name: 'same shape', inputs: [sample([3, 5], 1, -2, 2), sample([3, 5], 2, -2, 2)], attrs: {} },
    { name: 'broadcast', inputs: [sample([2, 3, 1, 5], 1, -2, 2), sample([4, 1], 2, -2, 2)], attrs: {} },
    { name: 'scalar', inputs: [sample([7], 1, -2, 2), sample([], 2, -2, 2)], attrs: {} },
  ],
});
