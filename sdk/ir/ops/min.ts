import { min as minOf, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise } from './lib/elementwise.ts';
import { chain } from './lib/variadic.ts';

export const min = elementwise({
  name: 'Min',
  doc: 'The smaller of a and b.',
  arity: 2,
  expr: () => minOf(x(0), x(1)),
  onnx: { Min: chain('Min') },
  cases: [
    { name: 'same shape', inputs: [sample([3, 5]), sample([3, 5], 2)], attrs: {} },
    { name: 'broadcast', inputs: [sample([2, 3, 1, 5]), sample([4, 1], 2)], attrs: {} },
  ],
});
