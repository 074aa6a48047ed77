import { un, x } from '../expr.ts';
import { sample } from './lib/cases.ts';
import { elementwise, plain } from './lib/elementwise.ts';

export const sin = elementwise({
  name: 'Sin',
  doc: 'Sine of radians.',
  arity: 1,
  expr: () => un('sin', x()),
  onnx: { Sin: plain('Sin', 1) },
  cases: [{ name: '3x7', inputs: [sample([3, 7], 1, -10, 10)], attrs: {} }],
});
