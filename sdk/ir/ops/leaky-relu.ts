import { bin, c, mul, sel, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { num } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

export const leakyRelu = elementwise({
  name: 'LeakyRelu',
  doc: 'x where x >= 0, alpha * x elsewhere.',
  arity: 1,
  expr: (attrs) => sel(bin('lt', x(), c(0)), mul(x(), c(num(attrs, 'alpha'))), x()),
  onnx: {
    LeakyRelu: (node) => node.emit('LeakyRelu', [node.inputs[0]!], { alpha: node.float('alpha', 0.01) }, node.outputs),
  },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: { alpha: 0.1 } }],
});
