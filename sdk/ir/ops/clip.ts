import { numberAt } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import { c, max, min, x } from '../expr.ts';
import type { OnnxNode } from '../frontend.ts';
import type { Attrs } from '../graph.ts';
import { f32 } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { num } from './lib/check.ts';
import { elementwise } from './lib/elementwise.ts';

/** Limits are attributes up to opset 10, inputs after; limits computed by the model become Min and Max. */
function importClip(node: OnnxNode): void {
  const attrs: Record<string, number> = {};
  let value = node.inputs[0]!;
  const dynamic: [string, string][] = [];
  for (const [i, key, op] of [
    [1, 'min', 'Max'],
    [2, 'max', 'Min'],
  ] as const) {
    const constant = node.constant(i);
    if (node.opset < 11) {
      if (node.has(key)) attrs[key] = node.float(key);
    } else if (constant && constant.dtype === 'f32') attrs[key] = numberAt(constant, 0);
    else if (node.inputs[i]) dynamic.push([op, node.inputs[i]!]);
  }
  for (const [op, limit] of dynamic) value = node.emit(op, [value, limit], {})[0]!;
  const limits = finite(attrs);
  const dtype = node.type(0)?.dtype;
  if (dtype === 'f32') node.emit('Clip', [value], limits, node.outputs);
  else if (Object.keys(limits).length > 0) node.reject(`its limits are floats, its input is of type ${dtype}`);
  else node.emit('Identity', [value], {}, node.outputs);
}

/** Infinite limits limit nothing. */
function finite(attrs: Record<string, number>): Attrs {
  return Object.fromEntries(Object.entries(attrs).filter(([, v]) => Number.isFinite(v) && Math.abs(v) < 3.4028e38));
}

function writeClip(w: OnnxWriter): void {
  const limits = ['min', 'max'].map((key) => (key in w.attrs ? w.constantValue(f32([], [num(w.attrs, key)])) : ''));
  w.emit('Clip', [w.input(0), ...limits], {}, [w.output()]);
}

export const clip = elementwise({
  name: 'Clip',
  doc: 'x limited to [min, max]; either limit may be absent.',
  arity: 1,
  expr: (attrs) => {
    const low = 'min' in attrs ? max(x(), c(num(attrs, 'min'))) : x();
    return 'max' in attrs ? min(low, c(num(attrs, 'max'))) : low;
  },
  onnx: { Clip: importClip },
  toOnnx: writeClip,
  cases: [
    { name: 'both', inputs: [sample([3, 7], 1, -9, 9)], attrs: { min: 0, max: 6 } },
    { name: 'low only', inputs: [sample([3, 7])], attrs: { min: -1 } },
    { name: 'high only', inputs: [sample([3, 7])], attrs: { max: 1 } },
  ],
});
