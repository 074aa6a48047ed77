import { sameShape } from '../../util/tensor.ts';
import { bin, c, mul, sel, x } from '../expr.ts';
import { f32 } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const pRelu = elementwise({
  name: 'PRelu',
  doc: 'x where x >= 0, slope * x elsewhere; inputs: x, slope.',
  arity: 2,
  expr: () => sel(bin('lt', x(0), c(0)), mul(x(0), x(1)), x(0)),
  onnx: { PRelu: plain('PRelu', 2) },
  toOnnx(w) {
    const [x, slope] = [w.input(0), w.input(1)];
    if (sameShape(w.outputType().shape, w.graphShape(0))) {
      w.emit('PRelu', [x, slope], {}, [w.output()]);
      return;
    }
    // ONNX broadcasts the slope only.
    const negative = w.emit('Less', [x, w.constantValue(f32([], [0]))]);
    w.emit('Where', [negative, w.emit('Mul', [x, slope]), x], {}, [w.output()]);
  },
  cases: [
    { name: 'same shape', inputs: [sample([3, 5], 1, -2, 2), sample([3, 5], 2, -2, 2)], attrs: {} },
    { name: 'broadcast', inputs: [sample([2, 3, 1, 5], 1, -2, 2), sample([4, 1], 2, -2, 2)], attrs: {} },
    { name: 'scalar', inputs: [sample([7], 1, -2, 2), sample([], 2, -2, 2)], attrs: {} },
  ],
});
