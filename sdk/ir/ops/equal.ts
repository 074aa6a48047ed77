import { bin, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const equal = elementwise({
  name: 'Equal',
  doc: '1 where a = b.',
  arity: 2,
  expr: () => bin('eq', x(0), x(1)),
  result: 'bool',
  onnx: { Equal: plain('Equal', 2) },
  cases: [
    { name: 'broadcast', inputs: [sample([3, 5]), sample([5], 2)], attrs: {} },
    { name: 'equal', inputs: [sample([7]), sample([7])], attrs: {} },
  ],
});
