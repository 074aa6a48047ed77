import { add, c, max, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const softplus = elementwise({
  name: 'Softplus',
  doc: 'log(1 + e^x), written so that it does not overflow.',
  arity: 1,
  expr: () => add(max(x(), c(0)), un('log', add(c(1), un('exp', un('neg', un('abs', x())))))),
  onnx: { Softplus: plain('Softplus', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
