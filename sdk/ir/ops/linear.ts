import { formatType, sizeOf, toNumbers } from '../../util/tensor.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { broadcastTo, f32, floats, transposed } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { expectShape, floatInput, invalid } from './lib/check.ts';

/** alpha A' B' + beta C: a Linear when B and C are weights, else MatMul, Mul and Add. */
function importGemm(node: OnnxNode): void {
  const transB = node.int('transB', 0) === 1;
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const a =
    node.int('transA', 0) === 1 ? node.emit('Transpose', [node.inputs[0]!], { perm: [1, 0] })[0]! : node.inputs[0]!;
  const b = node.constant(1);
  const bias = node.inputs[2] ? node.constant(2) : undefined;
  if (b && b.dtype === 'f32' && b.shape.length === 2) {
    const w = transB ? b : transposed(b, [1, 0]);
    const n = w.shape[0]!;
    const rowBias = bias && (bias.shape.length < 2 || bias.shape[0] === 1) && [1, n].includes(bias.data.length);
    if (!node.inputs[2] || rowBias) {
      const scaled =
        alpha === 1
          ? transB
            ? node.inputs[1]!
            : node.constantValue(w)
          : node.constantValue(
              f32(
                w.shape,
                floats(w).map((v) => v * alpha),
              ),
            );
      const inputs = [a, scaled];
      if (bias)
        inputs.push(
          node.constantValue(
            f32(
              [n],
              floats(broadcastTo(f32([bias.data.length], toNumbers(bias)), [n])).map((v) => v * beta),
            ),
          ),
        );
      node.emit('Linear', inputs, {}, node.outputs);
      return;
    }
  }
  const scalar = (v: number): string => node.constantValue(f32([], [v]));
  const last = (done: boolean): readonly string[] | undefined => (done ? node.outputs : undefined);
  const plain = alpha === 1;
  let y = node.emit('MatMul', [a, node.inputs[1]!], { transA: false, transB }, last(plain && !node.inputs[2]))[0]!;
  if (!plain) y = node.emit('Mul', [y, scalar(alpha)], {}, last(!node.inputs[2]))[0]!;
  if (!node.inputs[2]) return;
  const c = beta === 1 ? node.inputs[2] : node.emit('Mul', [node.inputs[2], scalar(beta)], {})[0]!;
  node.emit('Add', [y, c], {}, node.outputs);
}

export const linear: OpDef = {
  name: 'Linear',
  doc: 'x [..., K] times the transpose of w [N, K], plus b [N] if given.',
  tolerance: 'rounding',
  infer(inputs) {
    const x = floatInput('Linear', inputs, 0);
    const w = floatInput('Linear', inputs, 1, 2);
    const k = x.shape.at(-1);
    if (k === undefined || w.shape[1] !== k)
      invalid('Linear', `weights ${formatType(w)} do not match ${formatType(x)}`);
    if (inputs[2]) expectShape('Linear', 'bias', floatInput('Linear', inputs, 2), [w.shape[0]!]);
    return [{ dtype: 'f32', shape: [...x.shape.slice(0, -1), w.shape[0]!] }];
  },
  evaluate(inputs) {
    const [x, w] = [floats(inputs[0]), floats(inputs[1])];
    const bias = inputs[2] ? floats(inputs[2]) : undefined;
    const [n, k] = inputs[1]!.shape as [number, number];
    const shape = [...inputs[0]!.shape.slice(0, -1), n];
    const out = new Float32Array(sizeOf(shape));
    const rows = k === 0 ? 0 : x.length / k;
    for (let r = 0; r < rows; r++) {
      for (let o = 0; o < n; o++) {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += x[r * k + i]! * w[o * k + i]!;
        out[r * n + o] = bias ? sum + bias[o]! : sum;
      }
    }
    return [f32(shape, out)];
  },
  lower: () => ({ kind: 'linear' }),
  toOnnx: {
    write(w) {
      const weights = w.constantValue(transposed(w.need(1), [1, 0]));
      if (!w.input(2)) w.emit('MatMul', [w.input(0), weights], {}, [w.output()]);
      else w.emit('Add', [w.emit('MatMul', [w.input(0), weights]), w.input(2)], {}, [w.output()]);
    },
  },
  onnx: { Gemm: importGemm },
  cases: [
    { name: 'one row', inputs: [sample([1, 13]), sample([10, 13], 2), sample([10], 3)], attrs: {}, constants: [1, 2] },
    { name: 'rows, no bias', inputs: [sample([2, 5, 16]), sample([9, 16], 2)], attrs: {}, constants: [1] },
    { name: 'odd', inputs: [sample([7, 3]), sample([1, 3], 2), sample([1], 3)], attrs: {}, constants: [1, 2] },
  ],
};
