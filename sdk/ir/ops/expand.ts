import { formatType, sameShape, sizeOf, toNumbers } from '../../util/tensor.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { broadcastStrides, broadcastTo, i64 } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { broadcast, ints, invalid, required } from './lib/check.ts';
import { emitReshape } from './reshape.ts';

function importExpand(node: OnnxNode): void {
  const from = node.type(0)?.shape ?? node.reject('input 0 is missing');
  const shape = broadcast('Expand', [from, toNumbers(node.need(1, 'shape'))]);
  node.emit('Expand', [node.inputs[0]!], { shape }, node.outputs);
}

/** [a, b] tiled (r, s) is [1, a, 1, b] expanded to [r, a, s, b], reshaped to [r a, s b]. */
function importTile(node: OnnxNode): void {
  const from = node.type(0)?.shape ?? node.reject('input 0 is missing');
  const repeats = toNumbers(node.need(1, 'repeats'));
  if (repeats.length !== from.length || repeats.some((r) => !(r >= 0)))
    node.reject(`repeats [${repeats.join(',')}] do not match [${from.join(',')}]`);
  const apart = emitReshape(
    node,
    node.inputs[0]!,
    from.flatMap((d) => [1, d]),
  );
  const wide = node.emit('Expand', [apart], { shape: from.flatMap((d, i) => [repeats[i]!, d]) })[0]!;
  emitReshape(
    node,
    wide,
    from.map((d, i) => d * repeats[i]!),
    node.outputs,
  );
}

export const expand: OpDef = {
  name: 'Expand',
  doc: 'numpy.broadcast_to; attribute shape.',
  tolerance: 'exact',
  infer(inputs, attrs) {
    const t = required('Expand', inputs, 0);
    const shape = ints(attrs, 'shape');
    if (!sameShape(broadcast('Expand', [t.shape, shape]), shape) || sizeOf(shape) < 0)
      invalid('Expand', `${formatType(t)} does not expand to [${shape.join(',')}]`);
    return [{ dtype: t.dtype, shape: [...shape] }];
  },
  evaluate: (inputs, attrs) => [broadcastTo(inputs[0]!, ints(attrs, 'shape'))],
  lower: (inputs, attrs) => ({
    kind: 'strided',
    offset: 0,
    strides: broadcastStrides(inputs[0]!.shape, ints(attrs, 'shape')),
  }),
  toOnnx: {
    write: (w) => w.emit('Expand', [w.input(0), w.constantValue(i64(ints(w.attrs, 'shape')))], {}, [w.output()]),
  },
  onnx: { Expand: importExpand, Tile: importTile },
  cases: [{ name: 'rows', inputs: [sample([3, 1, 5])], attrs: { shape: [2, 3, 4, 5] } }],
};
