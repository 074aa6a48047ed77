import { sel, x } from '../expr.ts';
import { sample, sampleBools } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const where = elementwise({
  name: 'Where',
  doc: 'inputs: condition (bool), a, b. a where the condition holds, b elsewhere.',
  arity: 3,
  expr: () => sel(x(0), x(1), x(2)),
  onnx: { Where: plain('Where', 3) },
  cases: [
    { name: 'broadcast', inputs: [sampleBools([3, 5]), sample([5]), sample([3, 1], 2)], attrs: {} },
    {
      name: 'scalar branch',
      inputs: [sampleBools([2, 1, 5]), sample([2, 3, 5]), sample([], 2)],
      attrs: {},
      constants: [2],
    },
  ],
});
