import { add as plus, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';
import { chain, chainInto } from './lib/variadic.ts';

export const add = elementwise({
  name: 'Add',
  doc: 'a + b.',
  arity: 2,
  expr: () => plus(x(0), x(1)),
  onnx: {
    Add: plain('Add', 2),
    Sum: chain('Add'),
    Mean: (node) => {
      const count = node.constantValue({ dtype: 'f32', shape: [], data: new Float32Array([node.inputs.length]) });
      node.emit('Div', [chainInto(node, 'Add'), count], {}, node.outputs);
    },
  },
  cases: [
    { name: 'same shape', inputs: [sample([3, 5]), sample([3, 5], 2)], attrs: {} },
    { name: 'broadcast', inputs: [sample([2, 3, 1, 5]), sample([4, 1], 2)], attrs: {} },
    { name: 'channels', inputs: [sample([1, 3, 3, 9]), sample([9], 2)], attrs: {}, constants: [1] },
    { name: 'per sample', inputs: [sample([2, 3, 3, 5]), sample([2, 1, 1, 5], 2)], attrs: {} },
  ],
});
