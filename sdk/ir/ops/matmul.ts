import { formatType, sizeOf, type TensorType } from '../../util/tensor.ts';
import type { OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import type { OpDef, Types } from '../op.ts';
import { broadcastTo, f32, floats, transposed } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { broadcast, flag, floatInput, invalid } from './lib/check.ts';
import { importEinsum } from './lib/einsum.ts';
import { emitReshape } from './reshape.ts';

/** Vectors are matrices of one row or column. */
function importMatMul(node: OnnxNode): void {
  const [a, b] = [node.type(0), node.type(1)];
  if (!a || !b) node.reject('needs two inputs');
  const attrs = { transA: false, transB: false };
  if (a.shape.length >= 2 && b.shape.length >= 2) {
    node.emit('MatMul', node.inputs.slice(0, 2), attrs, node.outputs);
    return;
  }
  if (a.shape.length === 0 || b.shape.length === 0) node.reject('a scalar is not a matrix');
  const left = a.shape.length === 1 ? emitReshape(node, node.inputs[0]!, [1, a.shape[0]!]) : node.inputs[0]!;
  const right = b.shape.length === 1 ? emitReshape(node, node.inputs[1]!, [b.shape[0]!, 1]) : node.inputs[1]!;
  const y = node.emit('MatMul', [left, right], attrs)[0]!;
  const batch = a.shape.length === 1 ? b.shape.slice(0, -2) : a.shape.slice(0, -2);
  const rows = a.shape.length === 1 ? [] : [a.shape.at(-2)!];
  const cols = b.shape.length === 1 ? [] : [b.shape.at(-1)!];
  emitReshape(node, y, [...batch, ...rows, ...cols], node.outputs);
}

interface Sizes {
  readonly batch: number[];
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

function sizesOf(inputs: Types, attrs: Attrs): Sizes {
  const a = floatInput('MatMul', inputs, 0);
  const b = floatInput('MatMul', inputs, 1);
  if (a.shape.length < 2 || b.shape.length < 2)
    invalid('MatMul', `${formatType(a)} and ${formatType(b)} are not both matrices`);
  const [m, k] = ends(a, flag(attrs, 'transA'));
  const [k2, n] = ends(b, flag(attrs, 'transB'));
  if (k !== k2) invalid('MatMul', `inner sizes of ${formatType(a)} and ${formatType(b)} differ: ${k} and ${k2}`);
  return { batch: broadcast('MatMul', [a.shape.slice(0, -2), b.shape.slice(0, -2)]), m, k, n };
}

function ends(t: TensorType, swap: boolean): [number, number] {
  const [r, c] = [t.shape.at(-2)!, t.shape.at(-1)!];
  return swap ? [c, r] : [r, c];
}

const swapLast = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));

export const matmul: OpDef = {
  name: 'MatMul',
  doc: 'a [..., M, K] times b [..., K, N], batch axes broadcast; transA and transB swap the last two axes first.',
  tolerance: 'rounding',
  infer(inputs, attrs) {
    const s = sizesOf(inputs, attrs);
    return [{ dtype: 'f32', shape: [...s.batch, s.m, s.n] }];
  },
  evaluate(inputs, attrs) {
    const { batch, m, k, n } = sizesOf(inputs, attrs);
    const rank = (i: number): number => inputs[i]!.shape.length;
    const a = flag(attrs, 'transA') ? transposed(inputs[0]!, swapLast(rank(0))) : inputs[0]!;
    const b = flag(attrs, 'transB') ? inputs[1]! : transposed(inputs[1]!, swapLast(rank(1)));
    const x = floats(broadcastTo(a, [...batch, m, k]));
    const y = floats(broadcastTo(b, [...batch, n, k]));
    const out = new Float32Array(sizeOf(batch) * m * n);
    for (let p = 0, o = 0; p < sizeOf(batch); p++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++, o++) {
          let sum = 0;
          for (let q = 0; q < k; q++) sum += x[(p * m + i) * k + q]! * y[(p * n + j) * k + q]!;
          out[o] = sum;
        }
      }
    }
    return [f32([...batch, m, n], out)];
  },
  lower: (_inputs, attrs) => ({ kind: 'matmul', transA: flag(attrs, 'transA'), transB: flag(attrs, 'transB') }),
  toOnnx: {
    write(w) {
      const sides = ['transA', 'transB'].map((key, i) =>
        flag(w.attrs, key) ? w.emit('Transpose', [w.input(i)], { perm: swapLast(w.type(i).shape.length) }) : w.input(i),
      );
      w.emit('MatMul', sides, {}, [w.output()]);
    },
  },
  onnx: { MatMul: importMatMul, Einsum: importEinsum },
  cases: [
    { name: 'matrices', inputs: [sample([5, 7]), sample([7, 9], 2)], attrs: { transA: false, transB: false } },
    { name: 'batch', inputs: [sample([2, 3, 4, 5]), sample([2, 3, 5, 6], 2)], attrs: { transA: false, transB: false } },
    {
      name: 'broadcast batch',
      inputs: [sample([2, 3, 4, 5]), sample([3, 5, 6], 2)],
      attrs: { transA: false, transB: false },
    },
    { name: 'transposed b', inputs: [sample([2, 5, 8]), sample([2, 7, 8], 2)], attrs: { transA: false, transB: true } },
    { name: 'transposed a', inputs: [sample([2, 8, 5]), sample([2, 8, 3], 2)], attrs: { transA: true, transB: false } },
  ],
};
