import { formatType, type Tensor, type TensorType } from '../../../util/tensor.ts';
import type { OnnxWriter } from '../../backend.ts';
import type { OnnxNode } from '../../frontend.ts';
import type { Attrs } from '../../graph.ts';
import { exp32 } from '../../math.ts';
import type { Tensors, Types } from '../../op.ts';
import { floats } from './arrays.ts';
import { expectShape, floatInput, invalid, num, required, str } from './check.ts';

export type Direction = 'forward' | 'reverse' | 'bidirectional';

/** 1 / (1 + e^-x) in f32 steps, as the Sigmoid operator. */
export function sigmoid32(x: number): number {
  return Math.fround(1 / Math.fround(1 + exp32(-x)));
}

export function directionsOf(attrs: Attrs): number {
  return str(attrs, 'direction') === 'bidirectional' ? 2 : 1;
}

/** Output types of an LSTM (states 2) or GRU (states 1) with `gates` gates; checks the shapes of all inputs. */
export function inferRecurrent(op: string, inputs: Types, attrs: Attrs, gates: number, states: 1 | 2): TensorType[] {
  const h = num(attrs, 'hidden');
  const d = directionsOf(attrs);
  const x = floatInput(op, inputs, 0, 3);
  const [t, b, i] = x.shape as [number, number, number];
  expectShape(op, 'W', floatInput(op, inputs, 1), [d, gates * h, i]);
  expectShape(op, 'R', floatInput(op, inputs, 2), [d, gates * h, h]);
  if (inputs[3]) expectShape(op, 'B', floatInput(op, inputs, 3), [d, 2 * gates * h]);
  if (inputs[4]) invalid(op, 'sequence lengths are not supported');
  for (let s = 0; s < states; s++)
    if (inputs[5 + s]) expectShape(op, 'initial state', floatInput(op, inputs, 5 + s), [d, b, h]);
  const state: TensorType = { dtype: 'f32', shape: [d, b, h] };
  return [{ dtype: 'f32', shape: [t, d, b, h] }, ...Array.from({ length: states }, () => state)];
}

/** Reads what LSTM and GRU share and refuses what the kernels do not do. */
export function importRecurrent(
  node: OnnxNode,
  op: string,
  activations: readonly string[],
  states: 1 | 2,
  more: Attrs,
): void {
  const hidden = node.int('hidden_size', node.type(2)?.shape[2] ?? 0);
  const direction = node.string('direction', 'forward');
  if (!['forward', 'reverse', 'bidirectional'].includes(direction))
    node.reject(`direction '${direction}' is not known`);
  const given = node.strings('activations');
  const count = direction === 'bidirectional' ? 2 : 1;
  const wanted = Array.from({ length: count }, () => activations).flat();
  if (given && given.join().toLowerCase() !== wanted.join().toLowerCase())
    node.reject(`activations ${given.join(', ')} are not supported (${wanted.join(', ')} are)`);
  if (node.has('clip') && node.float('clip', 0) !== 0) node.reject('clip is not supported');
  if (node.int('input_forget', 0) !== 0) node.reject('input_forget is not supported');
  if (node.inputs[7]) node.reject('peepholes are not supported');
  const batchFirst = node.int('layout', 0) === 1;
  const swap = (v: string, perm: readonly number[], outputs?: readonly string[]): string =>
    node.emit('Transpose', [v], { perm }, outputs)[0]!;
  const x = batchFirst ? swap(node.inputs[0]!, [1, 0, 2]) : node.inputs[0]!;
  checkLengths(node, batchFirst ? 1 : 0);
  const initial = [5, 6].slice(0, states).map((i) => {
    const v = node.inputs[i];
    return v ? (batchFirst ? swap(v, [1, 0, 2]) : v) : '';
  });
  const inputs = [x, node.inputs[1]!, node.inputs[2]!, node.inputs[3] ?? '', '', ...initial];
  while (inputs.at(-1) === '') inputs.pop();
  const attrs: Attrs = { hidden, direction, ...more };
  if (!batchFirst) {
    const outputs = Array.from({ length: states + 1 }, (_, i) => node.outputs[i] ?? '');
    node.emit(op, inputs, attrs, outputs);
    return;
  }
  const made = node.emit(op, inputs, attrs);
  if (node.outputs[0]) swap(made[0]!, [2, 0, 1, 3], [node.outputs[0]]);
  for (let s = 1; s <= states; s++) if (node.outputs[s]) swap(made[s]!, [1, 0, 2], [node.outputs[s]!]);
}

/** Writes an LSTM or GRU whose inputs are those of ONNX. */
export function writeRecurrent(
  w: OnnxWriter,
  op: string,
  inputs: readonly string[],
  more: Readonly<Record<string, number>> = {},
): void {
  const attrs = { hidden_size: num(w.attrs, 'hidden'), direction: str(w.attrs, 'direction'), ...more };
  const outputs = Array.from({ length: op === 'LSTM' ? 3 : 2 }, (_, i) => w.output(i));
  w.emit(op, inputs, attrs, outputs);
}

/** Sequence lengths may be given when they are all the full length. */
function checkLengths(node: OnnxNode, timeAxis: number): void {
  if (!node.inputs[4]) return;
  const lengths = node.need(4, 'sequence lengths');
  const steps = node.type(0)?.shape[timeAxis];
  if (Array.from(lengths.data as ArrayLike<number | bigint>, Number).some((l) => l !== steps))
    node.reject(`sequence lengths other than ${steps} are not supported`);
}

/** The pieces of one direction of a recurrent layer, row-major. */
export interface Direction1 {
  readonly w: Float32Array;
  readonly r: Float32Array;
  readonly b: Float32Array;
  readonly reverse: boolean;
}

export function directionParts(inputs: Tensors, attrs: Attrs, gates: number, d: number): Direction1 {
  const h = num(attrs, 'hidden');
  const i = required('recurrent', inputs, 0).shape[2]!;
  const part = (t: Tensor | undefined, n: number): Float32Array =>
    t ? floats(t).subarray(d * n, (d + 1) * n) : new Float32Array(n);
  return {
    w: part(inputs[1], gates * h * i),
    r: part(inputs[2], gates * h * h),
    b: part(inputs[3], 2 * gates * h),
    reverse: str(attrs, 'direction') === 'reverse' || d === 1,
  };
}

/** Dot product of row `row` of a matrix with k columns and v at `at`, in f64. */
export function dotRow(m: Float32Array, row: number, v: Float32Array, at: number, k: number): number {
  let sum = 0;
  for (let i = 0; i < k; i++) sum += m[row * k + i]! * v[at + i]!;
  return sum;
}

export function describe(t: TensorType | undefined): string {
  return t ? formatType(t) : 'none';
}
