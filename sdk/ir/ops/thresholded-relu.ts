import { bin, c, sel, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { num } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

export const thresholdedRelu = elementwise({
  name: 'ThresholdedRelu',
  doc: 'x where x > alpha, 0 elsewhere.',
  arity: 1,
  expr: (attrs) => sel(bin('lt', c(num(attrs, 'alpha')), x()), x(), c(0)),
  onnx: {
    ThresholdedRelu: (node) =>
      node.emit('ThresholdedRelu', [node.inputs[0]!], { alpha: node.float('alpha', 1) }, node.outputs),
  },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: { alpha: 0.5 } }],
});
