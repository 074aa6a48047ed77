import { numberAt } from '../../util/tensor.ts';
import { bin, x } from '../expr.ts';
import type { OnnxNode } from '../frontend.ts';
import { sample } from './lib/cases.ts';
import { elementwise } from './lib/elementwise.ts';

/** Small constant exponents are exact products and roots; everything else is e^(y log x). */
function importPow(node: OnnxNode): void {
  const base = node.inputs[0]!;
  const exponent = node.constant(1);
  const y =
    exponent && exponent.data.length === 1 && exponent.shape.length <= (node.type(0)?.shape.length ?? 0)
      ? numberAt(exponent, 0)
      : undefined;
  const float = node.type(0)?.dtype === 'f32';
  if (float && y === 1) node.emit('Identity', [base], {}, node.outputs);
  else if (float && y === 2) node.emit('Mul', [base, base], {}, node.outputs);
  else if (float && y === 3) node.emit('Mul', [node.emit('Mul', [base, base], {})[0]!, base], {}, node.outputs);
  else if (float && y === 0.5) node.emit('Sqrt', [base], {}, node.outputs);
  else if (float && y === -1) node.emit('Reciprocal', [base], {}, node.outputs);
  else {
    const same = exponent !== undefined && exponent.dtype !== node.type(0)?.dtype;
    const cast = same ? node.emit('Cast', [node.inputs[1]!], { to: node.type(0)!.dtype })[0]! : node.inputs[1]!;
    node.emit('Pow', [base, cast], {}, node.outputs);
  }
}

export const pow = elementwise({
  name: 'Pow',
  doc: 'x^y; negative x needs an integer y.',
  arity: 2,
  expr: () => bin('pow', x(0), x(1)),
  onnx: { Pow: importPow },
  cases: [
    { name: 'positive', inputs: [sample([3, 5], 1, 0.1, 4), sample([5], 2)], attrs: {} },
    {
      name: 'cube of negatives',
      inputs: [sample([7]), { dtype: 'f32', shape: [], data: new Float32Array([3]) }],
      attrs: {},
      constants: [1],
    },
  ],
});
