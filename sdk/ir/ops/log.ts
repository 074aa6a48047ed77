import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const log = elementwise({
  name: 'Log',
  doc: 'Natural logarithm.',
  arity: 1,
  expr: () => un('log', x()),
  onnx: { Log: plain('Log', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, 0.01, 20)], attrs: {} }],
});
