import { formatType, sizeOf, toNumbers } from '../../util/tensor.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { i64, reshaped } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { axisOf, ints, invalid, required } from './lib/check.ts';

/** Emits a Reshape to a static shape. */
export function emitReshape(
  node: OnnxNode,
  input: string,
  shape: readonly number[],
  outputs?: readonly string[],
): string {
  return node.emit('Reshape', [input], { shape }, outputs)[0]!;
}

function inputShape(node: OnnxNode): readonly number[] {
  return node.type(0)?.shape ?? node.reject('input 0 is missing');
}

function importReshape(node: OnnxNode): void {
  const from = inputShape(node);
  const wanted = toNumbers(node.need(1, 'shape'));
  const keepZero = node.int('allowzero', 0) === 1;
  const shape = wanted.map((d, i) =>
    d === 0 && !keepZero
      ? (from[i] ?? node.reject(`shape [${wanted.join(',')}] copies dimension ${i}, which the input lacks`))
      : d,
  );
  const open = shape.indexOf(-1);
  if (open >= 0) {
    const rest = sizeOf(shape.filter((_, i) => i !== open));
    const total = sizeOf(from);
    if (rest === 0 || total % rest !== 0) node.reject(`cannot reshape [${from.join(',')}] to [${wanted.join(',')}]`);
    shape[open] = total / rest;
  }
  emitReshape(node, node.inputs[0]!, shape, node.outputs);
}

function importFlatten(node: OnnxNode): void {
  const shape = inputShape(node);
  const given = node.int('axis', 1);
  const axis = given < 0 ? given + shape.length : given;
  if (axis < 0 || axis > shape.length) node.reject(`axis ${given} is outside [${shape.join(',')}]`);
  emitReshape(node, node.inputs[0]!, [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))], node.outputs);
}

/** Axes are an attribute up to opset 12, an input after. */
function axesOf(node: OnnxNode): number[] | undefined {
  if (node.has('axes')) return [...(node.ints('axes') ?? [])];
  return node.inputs[1] ? toNumbers(node.need(1, 'axes')) : undefined;
}

function importSqueeze(node: OnnxNode): void {
  const shape = inputShape(node);
  const axes = axesOf(node)?.map((a) => axisOf('Squeeze', a, shape.length));
  const drop = new Set(axes ?? shape.flatMap((d, i) => (d === 1 ? [i] : [])));
  for (const a of drop) if (shape[a] !== 1) node.reject(`axis ${a} of [${shape.join(',')}] is not 1`);
  emitReshape(
    node,
    node.inputs[0]!,
    shape.filter((_, i) => !drop.has(i)),
    node.outputs,
  );
}

function importUnsqueeze(node: OnnxNode): void {
  const shape = [...inputShape(node)];
  const axes = axesOf(node) ?? node.reject('has no axes');
  const rank = shape.length + axes.length;
  for (const a of axes.map((v) => axisOf('Unsqueeze', v, rank)).sort((p, q) => p - q)) shape.splice(a, 0, 1);
  emitReshape(node, node.inputs[0]!, shape, node.outputs);
}

export const reshape: OpDef = {
  name: 'Reshape',
  doc: 'The same elements in another shape; attribute shape.',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const t = required('Reshape', inputs, 0);
    const shape = ints(attrs, 'shape');
    if (sizeOf(shape) !== sizeOf(t.shape) || shape.some((d) => d < 0))
      invalid('Reshape', `cannot reshape ${formatType(t)} to [${shape.join(',')}]`);
    return [{ dtype: t.dtype, shape: [...shape] }];
  },
  evaluate: (inputs, attrs) => [reshaped(inputs[0]!, ints(attrs, 'shape'))],
  lower: () => ({ kind: 'view' }),
  toOnnx: {
    write: (w) => w.emit('Reshape', [w.flat(0), w.constantValue(i64(ints(w.attrs, 'shape')))], {}, [w.output()]),
  },
  onnx: { Reshape: importReshape, Flatten: importFlatten, Squeeze: importSqueeze, Unsqueeze: importUnsqueeze },
  cases: [{ name: 'to 3-D', inputs: [sample([4, 6])], attrs: { shape: [2, 3, 4] } }],
};
