import { add, c, div, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const softsign = elementwise({
  name: 'Softsign',
  doc: 'x / (1 + |x|).',
  arity: 1,
  expr: () => div(x(), add(c(1), un('abs', x()))),
  onnx: { Softsign: plain('Softsign', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
