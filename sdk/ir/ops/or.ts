import { bin, x } from '../expr.ts';
import { sampleBools } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const or = elementwise({
  name: 'Or',
  doc: '1 where either is not 0.',
  arity: 2,
  expr: () => bin('or', x(0), x(1)),
  result: 'bool',
  onnx: { Or: plain('Or', 2) },
  cases: [{ name: 'broadcast', inputs: [sampleBools([3, 5]), sampleBools([5], 2)], attrs: {} }],
});
