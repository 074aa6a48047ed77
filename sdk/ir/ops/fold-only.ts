import { newArray, numberAt, sizeOf, stridesOf, type Tensor, tensor, toNumbers } from '../../util/tensor.ts';
import type { OnnxImporter, OnnxNode } from '../frontend.ts';
import { around } from './lib/arrays.ts';
import { axisOf } from './lib/check.ts';
import { foldOnly } from './lib/constant-only.ts';

/** ONNX operators that are computed when the model is read, from inputs that are known then; Trilu also works as a mask. */
export const foldImporters: Readonly<Record<string, OnnxImporter>> = {
  CumSum: foldOnly(([x, axis], node) => cumulate(x!, axisOf('CumSum', numberAt(axis!, 0), x!.shape.length), node)),
  GatherElements: foldOnly(([x, indices], node) => gatherElements(x!, indices!, node)),
  GatherND: foldOnly(([x, indices], node) => gatherNd(x!, indices!, node)),
  ScatterND: foldOnly(([x, indices, updates], node) => scatterNd(x!, indices!, updates!, node)),
  OneHot: foldOnly(([indices, depth, values], node) => oneHot(indices!, numberAt(depth!, 0), values!, node)),
  NonZero: foldOnly(([x]) => nonZero(x!)),
  Trilu: importTrilu,
};

function importTrilu(node: OnnxNode): void {
  const t = node.type(0) ?? node.reject('input 0 is missing');
  const k = node.inputs[1] ? numberAt(node.need(1, 'k'), 0) : 0;
  const upper = node.int('upper', 1) === 1;
  const [rows, cols] = t.shape.slice(-2) as [number, number];
  const mask = tensor('bool', [rows, cols]);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) mask.data[i * cols + j] = (upper ? j - i >= k : j - i <= k) ? 1 : 0;
  const zero = node.constantValue(tensor(t.dtype, []));
  node.emit('Where', [node.constantValue(mask), node.inputs[0]!, zero], {}, node.outputs);
}

function cumulate(x: Tensor, axis: number, node: OnnxNode): Tensor {
  const { outer, size, inner } = around(x.shape, axis);
  const [exclusive, reverse] = [node.int('exclusive', 0) === 1, node.int('reverse', 0) === 1];
  const out: number[] = new Array(x.data.length).fill(0);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let sum = 0;
      for (let s = 0; s < size; s++) {
        const at = (o * size + (reverse ? size - 1 - s : s)) * inner + i;
        const v = numberAt(x, at);
        out[at] = exclusive ? sum : sum + v;
        sum += v;
      }
    }
  }
  return tensor(x.dtype, x.shape, out);
}

function wrap(node: OnnxNode, index: number, size: number): number {
  const i = index < 0 ? index + size : index;
  return i >= 0 && i < size ? i : node.reject(`index ${index} is outside an axis of ${size}`);
}

function gatherElements(x: Tensor, indices: Tensor, node: OnnxNode): Tensor {
  const axis = axisOf('GatherElements', node.int('axis', 0), x.shape.length);
  if (indices.shape.length !== x.shape.length) node.reject('indices and data differ in rank');
  const [own, from] = [stridesOf(indices.shape), stridesOf(x.shape)];
  const out = newArray(x.dtype, indices.data.length);
  for (let i = 0; i < out.length; i++) {
    let at = 0;
    own.forEach((s, d) => {
      const c = Math.floor(i / s) % indices.shape[d]!;
      at += (d === axis ? wrap(node, numberAt(indices, i), x.shape[d]!) : c) * from[d]!;
    });
    out[i] = x.data[at]! as never;
  }
  return { dtype: x.dtype, shape: indices.shape, data: out };
}

/** Offset of the block that index tuple `i` of `indices` names, and the block's size. */
function blocks(
  x: Tensor,
  indices: Tensor,
  node: OnnxNode,
): { at: (i: number) => number; size: number; count: number; depth: number } {
  const depth = indices.shape.at(-1) ?? node.reject('indices must have at least one axis');
  if (depth > x.shape.length) node.reject(`indices of ${depth} axes do not fit [${x.shape.join(',')}]`);
  const strides = stridesOf(x.shape);
  const size = sizeOf(x.shape.slice(depth));
  const at = (i: number): number => {
    let o = 0;
    for (let d = 0; d < depth; d++) o += wrap(node, numberAt(indices, i * depth + d), x.shape[d]!) * strides[d]!;
    return o;
  };
  return { at, size, count: sizeOf(indices.shape.slice(0, -1)), depth };
}

function gatherNd(x: Tensor, indices: Tensor, node: OnnxNode): Tensor {
  if (node.int('batch_dims', 0) !== 0) node.reject('batch_dims is not supported');
  const b = blocks(x, indices, node);
  const out = newArray(x.dtype, b.count * b.size);
  for (let i = 0; i < b.count; i++) out.set(x.data.subarray(b.at(i), b.at(i) + b.size) as never, i * b.size);
  return { dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(b.depth)], data: out };
}

function scatterNd(x: Tensor, indices: Tensor, updates: Tensor, node: OnnxNode): Tensor {
  if (node.string('reduction', 'none') !== 'none') node.reject('reduction is not supported');
  const b = blocks(x, indices, node);
  if (updates.data.length !== b.count * b.size || updates.dtype !== x.dtype)
    node.reject('updates do not match the indices');
  const out = x.data.slice();
  for (let i = 0; i < b.count; i++) out.set(updates.data.subarray(i * b.size, (i + 1) * b.size) as never, b.at(i));
  return { dtype: x.dtype, shape: x.shape, data: out };
}

function oneHot(indices: Tensor, depth: number, values: Tensor, node: OnnxNode): Tensor {
  const axis = axisOf('OneHot', node.int('axis', -1), indices.shape.length + 1);
  const shape = [...indices.shape.slice(0, axis), depth, ...indices.shape.slice(axis)];
  if (!(depth >= 1 && sizeOf(shape) <= 2 ** 26)) node.reject(`depth ${depth} is not possible`);
  const out = newArray(values.dtype, sizeOf(shape)).fill(values.data[0]! as never) as Tensor['data'];
  const { inner } = around(shape, axis);
  for (let i = 0; i < indices.data.length; i++) {
    const raw = numberAt(indices, i);
    const hot = raw < 0 ? raw + depth : raw;
    if (hot >= 0 && hot < depth)
      out[(Math.floor(i / inner) * depth + hot) * inner + (i % inner)] = values.data[1]! as never;
  }
  return { dtype: values.dtype, shape, data: out };
}

function nonZero(x: Tensor): Tensor {
  const hits = toNumbers(x).flatMap((v, i) => (v !== 0 ? [i] : []));
  const strides = stridesOf(x.shape);
  return tensor(
    'i64',
    [x.shape.length, hits.length],
    strides.flatMap((s, d) => hits.map((h) => Math.floor(h / s) % x.shape[d]!)),
  );
}
