import { bin, c, mul, sel, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const pRelu = elementwise({
  name: 'PRelu',
  doc: 'x where x >= 0, slope * x elsewhere; inputs: x, slope.',
  arity: 2,
  expr: () => sel(bin('lt', x(0), c(0)), mul(x(0), x(1)), x(0)),
  onnx: { PRelu: plain('PRelu', 2) },
  cases: [
    { name: 'same shape', inputs: [sample([3, 5], 1, -2, 2), sample([3, 5], 2, -2, 2)], attrs: {} },
    { name: 'broadcast', inputs: [sample([2, 3, 1, 5], 1, -2, 2), sample([4, 1], 2, -2, 2)], attrs: {} },
    { name: 'scalar', inputs: [sample([7], 1, -2, 2), sample([], 2, -2, 2)], attrs: {} },
  ],
});
