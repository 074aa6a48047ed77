import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const floor = elementwise({
  name: 'Floor',
  doc: 'Largest integer not above x.',
  arity: 1,
  expr: () => un('floor', x()),
  onnx: { Floor: plain('Floor', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -3, 3)], attrs: {} }],
});
