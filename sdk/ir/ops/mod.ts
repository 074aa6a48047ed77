import { add, bin, x } from '../expr.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { flag } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

const truncated = bin('mod', x(0), x(1));

export const mod = elementwise({
  name: 'Mod',
  doc: 'Remainder of a / b: with the sign of a (truncated: true) or of b.',
  arity: 2,
  expr: (attrs) => (flag(attrs, 'truncated') ? truncated : bin('mod', add(truncated, x(1)), x(1))),
  onnx: {
    Mod: (node) => node.emit('Mod', node.inputs.slice(0, 2), { truncated: node.int('fmod', 0) === 1 }, node.outputs),
  },
  toOnnx(w) {
    const rest = (a: string, last: boolean): string =>
      w.emit('Mod', [a, w.input(1)], { fmod: 1 }, last ? [w.output()] : undefined);
    if (flag(w.attrs, 'truncated')) rest(w.input(0), true);
    else rest(w.emit('Add', [rest(w.input(0), false), w.input(1)]), true);
  },
  cases: [
    { name: 'truncated', inputs: [sample([3, 5], 1, -9, 9), sample([5], 2, 0.5, 4)], attrs: { truncated: true } },
    {
      name: 'floored integers',
      inputs: [sampleInts('i64', [7], -9, 9), sampleInts('i64', [7], 1, 5, 2)],
      attrs: { truncated: false },
      constants: [0, 1],
    },
  ],
});
