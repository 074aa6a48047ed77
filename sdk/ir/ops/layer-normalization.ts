import { sizeOf } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { OnnxNode } from '../frontend.ts';
import type { OpDef } from '../op.ts';
import { f32, floats, i64 } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { axisOf, expectShape, flag, floatInput, num } from './lib/check.ts';

function importLayerNorm(rms: boolean): (node: OnnxNode) => void {
  return (node) => {
    const shape = node.type(0)?.shape ?? node.reject('input 0 is missing');
    if (node.outputs[1] || node.outputs[2]) node.reject('the Mean and InvStdDev outputs are not supported');
    const axis = axisOf(node.opType, node.int('axis', -1), shape.length);
    const attrs = { axis, epsilon: node.float('epsilon', 1e-5), rms };
    const tail = shape.slice(axis);
    const affine = node.inputs.slice(1).map((v, i) => ({ v, t: node.type(i + 1) }));
    const direct = affine.every(
      ({ v, t }) => v === '' || (t && t.shape.length === tail.length && t.shape.every((d, i) => d === tail[i])),
    );
    if (direct) {
      node.emit('LayerNormalization', node.inputs, attrs, node.outputs.slice(0, 1));
      return;
    }
    let y = node.emit('LayerNormalization', [node.inputs[0]!], attrs)[0]!;
    if (node.inputs[1]) y = node.emit('Mul', [y, node.inputs[1]], {})[0]!;
    if (node.inputs[2]) y = node.emit('Add', [y, node.inputs[2]], {})[0]!;
    node.emit('Identity', [y], {}, node.outputs.slice(0, 1));
  };
}

/** The operator set that is written has no RMSNormalization, and LayerNormalization must have a scale. */
function writeLayerNorm(w: OnnxWriter): void {
  const axis = num(w.attrs, 'axis');
  const epsilon = num(w.attrs, 'epsilon');
  const tail = w.type(0).shape.slice(axis);
  const x = w.input(0);
  if (!flag(w.attrs, 'rms')) {
    const scale = w.input(1) || w.constantValue(f32(tail, new Float32Array(sizeOf(tail)).fill(1)));
    w.emit('LayerNormalization', [x, scale, w.input(2)], { axis, epsilon: { float: epsilon } }, [w.output()]);
    return;
  }
  const axes = w.constantValue(i64(tail.map((_, i) => axis + i)));
  const mean = w.emit('ReduceMean', [w.emit('Mul', [x, x]), axes]);
  const root = w.emit('Sqrt', [w.emit('Add', [mean, w.constantValue(f32([], [epsilon]))])]);
  const affine = ['Mul', 'Add'].flatMap((op, i) => (w.input(i + 1) ? [{ op, by: w.input(i + 1) }] : []));
  let y = w.emit('Div', [x, root], {}, affine.length === 0 ? [w.output()] : undefined);
  affine.forEach(({ op, by }, i) => {
    y = w.emit(op, [y, by], {}, i === affine.length - 1 ? [w.output()] : undefined);
  });
}

export const layerNormalization: OpDef = {
  name: 'LayerNormalization',
  doc: '(x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on; with `rms` no mean is taken off. inputs: x, scale?, bias?.',
  tolerance: 'rounding',
  infer(inputs, attrs) {
    const x = floatInput('LayerNormalization', inputs, 0);
    const axis = axisOf('LayerNormalization', num(attrs, 'axis'), x.shape.length);
    for (const i of [1, 2])
      if (inputs[i])
        expectShape(
          'LayerNormalization',
          `input ${i}`,
          floatInput('LayerNormalization', inputs, i),
          x.shape.slice(axis),
        );
    return [x];
  },
  evaluate(inputs, attrs) {
    const x = floats(inputs[0]);
    const shape = inputs[0]!.shape;
    const n = sizeOf(shape.slice(num(attrs, 'axis')));
    const scale = inputs[1] ? floats(inputs[1]) : undefined;
    const bias = inputs[2] ? floats(inputs[2]) : undefined;
    const rms = flag(attrs, 'rms');
    const out = new Float32Array(x.length);
    for (let at = 0; at < x.length; at += n) {
      let mean = 0;
      if (!rms) for (let i = 0; i < n; i++) mean += x[at + i]! / n;
      let variance = 0;
      for (let i = 0; i < n; i++) variance += (x[at + i]! - mean) ** 2 / n;
      const inv = 1 / Math.sqrt(variance + num(attrs, 'epsilon'));
      for (let i = 0; i < n; i++)
        out[at + i] = (x[at + i]! - mean) * inv * (scale ? scale[i]! : 1) + (bias ? bias[i]! : 0);
    }
    return [f32(shape, out)];
  },
  lower: (_inputs, attrs) => ({
    kind: 'layernorm',
    axis: num(attrs, 'axis'),
    epsilon: num(attrs, 'epsilon'),
    rms: flag(attrs, 'rms'),
  }),
  toOnnx: { write: writeLayerNorm },
  onnx: {
    LayerNormalization: importLayerNorm(false),
    RMSNormalization: importLayerNorm(true),
    SimplifiedLayerNormalization: importLayerNorm(true),
  },
  cases: [
    {
      name: 'affine',
      inputs: [sample([2, 3, 10]), sample([10], 2), sample([10], 3)],
      attrs: { axis: 2, epsilon: 1e-5, rms: false },
      constants: [1, 2],
    },
    { name: 'bare', inputs: [sample([3, 7])], attrs: { axis: 1, epsilon: 1e-3, rms: false } },
    {
      name: 'two axes',
      inputs: [sample([2, 3, 5]), sample([3, 5], 2)],
      attrs: { axis: 1, epsilon: 1e-5, rms: false },
      constants: [1],
    },
    {
      name: 'rms',
      inputs: [sample([4, 9]), sample([9], 2)],
      attrs: { axis: 1, epsilon: 1e-6, rms: true },
      constants: [1],
    },
  ],
};
