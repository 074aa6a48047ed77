import { bin, c, mul, sel, sub, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { num } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

export const selu = elementwise({
  name: 'Selu',
  doc: 'gamma * x where x > 0, gamma * alpha * (e^x - 1) elsewhere.',
  arity: 1,
  expr: (attrs) =>
    mul(c(num(attrs, 'gamma')), sel(bin('lt', c(0), x()), x(), mul(c(num(attrs, 'alpha')), sub(un('exp', x()), c(1))))),
  onnx: {
    Selu: (node) =>
      node.emit(
        'Selu',
        [node.inputs[0]!],
        {
          alpha: node.float('alpha', 1.6732631921768188),
          gamma: node.float('gamma', 1.0507010221481323),
        },
        node.outputs,
      ),
  },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: { alpha: 1.6732632, gamma: 1.050701 } }],
});
