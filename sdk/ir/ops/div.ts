import { div as over, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const div = elementwise({
  name: 'Div',
  doc: 'a / b.',
  arity: 2,
  expr: () => over(x(0), x(1)),
  onnx: { Div: plain('Div', 2) },
  cases: [
    { name: 'same shape', inputs: [sample([3, 5], 1, -2, 2), sample([3, 5], 2, 0.5, 3)], attrs: {} },
    { name: 'broadcast', inputs: [sample([2, 3, 1, 5], 1, -2, 2), sample([4, 1], 2, 0.5, 3)], attrs: {} },
    { name: 'scalar', inputs: [sample([7], 1, -2, 2), sample([], 2, 0.5, 3)], attrs: {} },
  ],
});
