import { add, c, div, max, min, mul, sub, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { num } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

export const celu = elementwise({
  name: 'Celu',
  doc: 'max(x, 0) + min(alpha * (e^(x / alpha) - 1), 0).',
  arity: 1,
  expr: (attrs) =>
    add(max(x(), c(0)), min(mul(c(num(attrs, 'alpha')), sub(un('exp', div(x(), c(num(attrs, 'alpha')))), c(1))), c(0))),
  onnx: { Celu: (node) => node.emit('Celu', [node.inputs[0]!], { alpha: node.float('alpha', 1) }, node.outputs) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: { alpha: 1.5 } }],
});
