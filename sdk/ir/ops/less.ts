import { bin, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const less = elementwise({
  name: 'Less',
  doc: '1 where a < b; a > b is imported with the inputs swapped.',
  arity: 2,
  expr: () => bin('lt', x(0), x(1)),
  result: 'bool',
  onnx: {
    Less: plain('Less', 2),
    Greater: (node) => node.emit('Less', [node.inputs[1]!, node.inputs[0]!], {}, node.outputs),
  },
  cases: [
    { name: 'broadcast', inputs: [sample([3, 5]), sample([5], 2)], attrs: {} },
    { name: 'equal', inputs: [sample([7]), sample([7])], attrs: {} },
  ],
});
