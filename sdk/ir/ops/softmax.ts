import { sizeOf } from '../../util/tensor.ts';
import type { OnnxImporter } from '../frontend.ts';
import { exp32, log32 } from '../math.ts';
import type { OpDef } from '../op.ts';
import { around, f32, floats } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { axisOf, flag, floatInput, num } from './lib/check.ts';
import { emitReshape } from './reshape.ts';

/** Before opset 13 the input is flattened to 2-D at `axis` (default 1), after it `axis` (default -1) alone is normalised. */
const importSoftmax =
  (log: boolean): OnnxImporter =>
  (node) => {
    const shape = node.type(0)?.shape ?? node.reject('input 0 is missing');
    const axis = axisOf(node.opType, node.int('axis', node.opset < 13 ? 1 : -1), shape.length);
    const flatten = node.opset < 13 && axis < shape.length - 1 && sizeOf(shape.slice(axis + 1)) > 1;
    if (!flatten) {
      node.emit('Softmax', [node.inputs[0]!], { axis, log }, node.outputs);
      return;
    }
    const flat = emitReshape(node, node.inputs[0]!, [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))]);
    emitReshape(node, node.emit('Softmax', [flat], { axis: 1, log })[0]!, shape, node.outputs);
  };

export const softmax: OpDef = {
  name: 'Softmax',
  doc: 'e^(x - max) over its sum along `axis`; with `log` the logarithm of that.',
  tolerance: 'rounding',
  infer(inputs, attrs) {
    const t = floatInput('Softmax', inputs, 0);
    axisOf('Softmax', num(attrs, 'axis'), t.shape.length);
    return [t];
  },
  evaluate(inputs, attrs) {
    const x = floats(inputs[0]);
    const { outer, size, inner } = around(inputs[0]!.shape, num(attrs, 'axis'));
    const log = flag(attrs, 'log');
    const out = new Float32Array(x.length);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const at = (k: number): number => (o * size + k) * inner + i;
        let top = Number.NEGATIVE_INFINITY;
        for (let k = 0; k < size; k++) top = Math.max(top, x[at(k)]!);
        let sum = 0;
        for (let k = 0; k < size; k++) {
          const d = Math.fround(x[at(k)]! - top);
          const e = exp32(d);
          sum += e;
          out[at(k)] = log ? d : e;
        }
        const total = Math.fround(sum);
        for (let k = 0; k < size; k++) out[at(k)] = log ? out[at(k)]! - log32(total) : out[at(k)]! / total;
      }
    }
    return [f32(inputs[0]!.shape, out)];
  },
  lower: (_inputs, attrs) => ({ kind: 'softmax', axis: num(attrs, 'axis'), log: flag(attrs, 'log') }),
  toOnnx: {
    order: 'any',
    write(w) {
      const op = flag(w.attrs, 'log') ? 'LogSoftmax' : 'Softmax';
      w.emit(op, [w.input(0)], { axis: w.axis(num(w.attrs, 'axis')) }, [w.output()]);
    },
  },
  onnx: { Softmax: importSoftmax(false), LogSoftmax: importSoftmax(true) },
  cases: [
    { name: 'last axis', inputs: [sample([3, 4, 11], 1, -9, 9)], attrs: { axis: 2, log: false } },
    { name: 'long rows', inputs: [sample([3, 55], 2, -30, 30)], attrs: { axis: 1, log: false } },
    { name: 'middle axis', inputs: [sample([2, 5, 3])], attrs: { axis: 1, log: false } },
    { name: 'log', inputs: [sample([3, 10])], attrs: { axis: 1, log: true } },
  ],
};
