import { bin, c, mul, sel, sub, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { num } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

export const elu = elementwise({
  name: 'Elu',
  doc: 'x where x >= 0, alpha * (e^x - 1) elsewhere.',
  arity: 1,
  expr: (attrs) => sel(bin('lt', x(), c(0)), mul(c(num(attrs, 'alpha')), sub(un('exp', x()), c(1))), x()),
  onnx: { Elu: (node) => node.emit('Elu', [node.inputs[0]!], { alpha: node.float('alpha', 1) }, node.outputs) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: { alpha: 0.7 } }],
});
