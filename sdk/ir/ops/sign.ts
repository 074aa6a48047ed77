import { bin, c, sub, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const sign = elementwise({
  name: 'Sign',
  doc: '-1, 0 or 1.',
  arity: 1,
  expr: () => sub(bin('lt', c(0), x()), bin('lt', x(), c(0))),
  onnx: { Sign: plain('Sign', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
