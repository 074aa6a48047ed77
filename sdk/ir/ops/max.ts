import { max as maxOf, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise } from './lib/elementwise.ts';
import { chain } from './lib/variadic.ts';

export const max = elementwise({
  name: 'Max',
  doc: 'The larger of a and b.',
  arity: 2,
  expr: () => maxOf(x(0), x(1)),
  onnx: { Max: chain('Max') },
  cases: [
    { name: 'same shape', inputs: [sample([3, 5]), sample([3, 5], 2)], attrs: {} },
    { name: 'broadcast', inputs: [sample([2, 3, 1, 5]), sample([4, 1], 2)], attrs: {} },
  ],
});
