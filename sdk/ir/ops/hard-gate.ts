import type { OnnxWriter } from '../backend.ts';
import { add, c, max, min, mul, x } from '../expr.ts';
import { f32 } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { elementwise } from './lib/elementwise.ts';

function writeHardGate(w: OnnxWriter): void {
  const [value, half] = [w.input(0), w.input(1)];
  const raised = w.emit('Max', [w.emit('Add', [value, half]), w.constantValue(f32([], [0]))]);
  w.emit('Mul', [value, w.emit('Min', [raised, w.emit('Add', [half, half])])], {}, [w.output()]);
}

/** Hard swish without its factor, of values in any unit: with half = 3 of that unit it is 6 times hard swish. */
export const hardGate = elementwise({
  name: 'HardGate',
  doc: 'x * min(max(x + half, 0), half + half); of values k times as large and half = 3 k it is 6 k^2 times HardSwish.',
  arity: 2,
  expr: () => mul(x(), min(max(add(x(), x(1)), c(0)), add(x(1), x(1)))),
  toOnnx: writeHardGate,
  cases: [
    { name: 'one unit', inputs: [sample([3, 7], 1, -5, 5), sample([1], 2, 2, 4)], attrs: {}, constants: [1] },
    {
      name: 'units a channel',
      inputs: [sample([2, 3, 21], 1, -5, 5), sample([21], 2, 1, 4)],
      attrs: {},
      constants: [1],
    },
  ],
});
