import { add, c, clamp, mul, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const hardSwish = elementwise({
  name: 'HardSwish',
  doc: 'x * clamp(x / 6 + 1/2, 0, 1).',
  arity: 1,
  expr: () => mul(x(), clamp(add(mul(x(), c(1 / 6)), c(0.5)), 0, 1)),
  onnx: { HardSwish: plain('HardSwish', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -5, 5)], attrs: {} }],
});
