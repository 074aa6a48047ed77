import { add, c, clamp, mul, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { num } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

export const hardSigmoid = elementwise({
  name: 'HardSigmoid',
  doc: 'alpha * x + beta, limited to 0..1.',
  arity: 1,
  expr: (attrs) => clamp(add(mul(x(), c(num(attrs, 'alpha'))), c(num(attrs, 'beta'))), 0, 1),
  onnx: {
    HardSigmoid: (node) =>
      node.emit(
        'HardSigmoid',
        [node.inputs[0]!],
        { alpha: node.float('alpha', 0.2), beta: node.float('beta', 0.5) },
        node.outputs,
      ),
  },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -5, 5)], attrs: { alpha: 0.2, beta: 0.5 } }],
});
