import { add, c, type Expr, mul, un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { str } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

const erfForm: Expr = mul(mul(c(0.5), x()), add(c(1), un('erf', mul(x(), c(Math.SQRT1_2)))));
const cube: Expr = mul(mul(x(), x()), x());
const tanhForm: Expr = mul(
  mul(c(0.5), x()),
  add(c(1), un('tanh', mul(c(Math.sqrt(2 / Math.PI)), add(x(), mul(c(0.044715), cube))))),
);

export const gelu = elementwise({
  name: 'Gelu',
  doc: 'x * Phi(x); approximate: none by erf, tanh by the tanh formula.',
  arity: 1,
  expr: (attrs) => (str(attrs, 'approximate') === 'tanh' ? tanhForm : erfForm),
  onnx: {
    Gelu: (node) =>
      node.emit('Gelu', [node.inputs[0]!], { approximate: node.string('approximate', 'none') }, node.outputs),
  },
  cases: ['none', 'tanh'].map((approximate) => ({
    name: approximate,
    inputs: [sample([3, 7], 1, -4, 4)],
    attrs: { approximate },
  })),
});
