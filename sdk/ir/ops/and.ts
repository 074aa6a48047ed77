import { bin, x } from '../expr.ts';
import { sampleBools } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const and = elementwise({
  name: 'And',
  doc: '1 where both are not 0.',
  arity: 2,
  expr: () => bin('and', x(0), x(1)),
  result: 'bool',
  onnx: { And: plain('And', 2) },
  cases: [{ name: 'broadcast', inputs: [sampleBools([3, 5]), sampleBools([5], 2)], attrs: {} }],
});
