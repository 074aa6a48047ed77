import { un, x } from '../expr.ts';
import { sampleBools } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const not = elementwise({
  name: 'Not',
  doc: '1 where x is 0, 0 elsewhere.',
  arity: 1,
  expr: () => un('not', x()),
  onnx: { Not: plain('Not', 1) },
  cases: [{ name: '3x7', inputs: [sampleBools([3, 7])], attrs: {} }],
});
