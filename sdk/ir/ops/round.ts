import { tensor } from '../../util/tensor.ts';
import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const round = elementwise({
  name: 'Round',
  doc: 'Nearest integer, ties to even.',
  arity: 1,
  expr: () => un('round', x()),
  onnx: { Round: plain('Round', 1) },
  cases: [
    { name: 'ties', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} },
    { name: 'halves', inputs: [tensor('f32', [6], [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])], attrs: {} },
  ],
});
