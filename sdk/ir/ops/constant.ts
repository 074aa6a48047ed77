import { numberAt, sizeOf, type Tensor, tensor, toNumbers } from '../../util/tensor.ts';
import type { OnnxImporter, OnnxNode } from '../frontend.ts';
import { i64 } from './lib/arrays.ts';

/** ONNX operators whose result is known when the model is read: they become constants and have no IR operator. */
export const constantImporters: Readonly<Record<string, OnnxImporter>> = {
  Constant: importConstant,
  ConstantOfShape: importConstantOfShape,
  Shape: importShape,
  Size: (node) => define(node, tensor('i64', [], [sizeOf(shapeOf(node))])),
  Range: importRange,
};

function define(node: OnnxNode, value: Tensor): void {
  node.emit('Identity', [node.constantValue(value)], {}, node.outputs);
}

function shapeOf(node: OnnxNode): readonly number[] {
  return node.type(0)?.shape ?? node.reject('input 0 is missing');
}

function importConstant(node: OnnxNode): void {
  define(node, attributeValue(node));
}

function attributeValue(node: OnnxNode): Tensor {
  const value = node.tensor('value');
  if (value) return value;
  if (node.has('value_float')) return tensor('f32', [], [node.float('value_float')]);
  if (node.has('value_int')) return tensor('i64', [], [node.int('value_int')]);
  const list = node.floats('value_floats');
  if (list) return tensor('f32', [list.length], list);
  const whole = node.ints('value_ints');
  if (whole) return i64(whole);
  return node.reject('has no value that can be read (strings and sparse tensors are not supported)');
}

function importConstantOfShape(node: OnnxNode): void {
  const shape = toNumbers(node.need(0, 'shape'));
  const fill = node.tensor('value') ?? tensor('f32', [1]);
  if (shape.some((d) => !(d >= 0)) || !(sizeOf(shape) <= 2 ** 28))
    node.reject(`shape [${shape.join(',')}] is not possible`);
  const out = tensor(fill.dtype, shape);
  out.data.fill(fill.data[0]! as never);
  define(node, out);
}

function importShape(node: OnnxNode): void {
  const shape = shapeOf(node);
  const rank = shape.length;
  const at = (v: number): number => Math.min(Math.max(v < 0 ? v + rank : v, 0), rank);
  define(node, i64(shape.slice(at(node.int('start', 0)), at(node.int('end', rank)))));
}

function importRange(node: OnnxNode): void {
  const start = node.need(0, 'start');
  const [from, limit, delta] = [start, node.need(1, 'limit'), node.need(2, 'delta')].map((t) => numberAt(t, 0)) as [
    number,
    number,
    number,
  ];
  const n = Math.max(0, Math.ceil((limit - from) / delta));
  if (!(n <= 2 ** 28)) node.reject(`range ${from}..${limit} by ${delta} is not possible`);
  define(
    node,
    tensor(
      start.dtype,
      [n],
      Array.from({ length: n }, (_, i) => from + i * delta),
    ),
  );
}
