import { formatType, type Tensor, type TensorType } from '../../util/tensor.ts';
import type { OnnxWriter } from '../backend.ts';
import type { Attrs } from '../graph.ts';
import { roundEven } from '../math.ts';
import type { OpDef, Tensors, Types } from '../op.ts';
import { f32, floats, i64 } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { expectShape, floatInput, invalid, num, required, str } from './lib/check.ts';
import { codedRows, remainingScales } from './lib/coded-rows.ts';
import { type Direction, directionsOf, writeRecurrent } from './lib/recurrent.ts';
import { lstmCell } from './lstm.ts';

const f = Math.fround;
/** h lies in [-1, 1], so one fixed step serves. */
const H_STEP = f(1 / 127);

/** h as the recurrence reads it. */
function hiddenCode(h: number): number {
  return Math.min(Math.max(roundEven(f(h * 127)), -128), 127);
}

function inferQLstm(inputs: Types, attrs: Attrs): TensorType[] {
  const h = num(attrs, 'hidden');
  const d = directionsOf(attrs);
  for (const at of [0, 2, 4])
    if (required('QLstm', inputs, at).dtype !== 'i8')
      invalid('QLstm', `input ${at} must be i8 codes, not ${formatType(inputs[at]!)}`);
  if (inputs[0]!.shape.length !== 3) invalid('QLstm', `x must be [T, B, I], not ${formatType(inputs[0]!)}`);
  const [t, b, i] = inputs[0]!.shape as [number, number, number];
  if (inputs[1]) expectShape('QLstm', 'xs', floatInput('QLstm', inputs, 1), [t, b]);
  expectShape('QLstm', 'w', inputs[2]!, [d, 4 * h, i]);
  expectShape('QLstm', 'r', inputs[4]!, [d, 4 * h, h]);
  for (const at of [3, 5, 6]) expectShape('QLstm', `input ${at}`, floatInput('QLstm', inputs, at), [d, 4 * h]);
  const state: TensorType = { dtype: 'f32', shape: [d, b, h] };
  for (const at of [7, 8])
    if (inputs[at]) expectShape('QLstm', 'initial state', floatInput('QLstm', inputs, at), state.shape);
  return [{ dtype: 'f32', shape: [t, d, b, h] }, state, state];
}

function dotCodes(m: Int8Array, row: number, v: Int8Array, k: number): number {
  let sum = 0;
  for (let i = 0; i < k; i++) sum += m[row * k + i]! * v[i]!;
  return f(sum);
}

function evaluateQLstm(inputs: Tensors, attrs: Attrs): Float32Array[] {
  const h = num(attrs, 'hidden');
  const dirs = directionsOf(attrs);
  const [steps, batch, width] = inputs[0]!.shape as [number, number, number];
  const x = inputs[0]!.data as Int8Array;
  const xs = inputs[1] && floats(inputs[1]);
  const [ws, rs, bias] = [floats(inputs[3]), floats(inputs[5]), floats(inputs[6])];
  const y = new Float32Array(steps * dirs * batch * h);
  const hs = inputs[7] ? floats(inputs[7]).slice() : new Float32Array(dirs * batch * h);
  const cs = inputs[8] ? floats(inputs[8]).slice() : new Float32Array(dirs * batch * h);
  for (let d = 0; d < dirs; d++) {
    const w = (inputs[2]!.data as Int8Array).subarray(d * 4 * h * width);
    const r = (inputs[4]!.data as Int8Array).subarray(d * 4 * h * h);
    const reverse = d === 1 || str(attrs, 'direction') === 'reverse';
    for (let s = 0; s < steps; s++) {
      const t = reverse ? steps - 1 - s : s;
      for (let b = 0; b < batch; b++) {
        const at = (d * batch + b) * h;
        const row = t * batch + b;
        const xq = x.subarray(row * width, (row + 1) * width);
        const hq = Int8Array.from({ length: h }, (_, k) => hiddenCode(hs[at + k]!));
        const gate = (g: number): number => {
          const o = d * 4 * h + g;
          const sum = dotCodes(w, g, xq, width);
          const input = f((xs ? f(sum * xs[row]!) : sum) * ws[o]!);
          const recurrent = f(dotCodes(r, g, hq, h) * f(rs[o]! * H_STEP));
          return f(f(input + recurrent) + bias[o]!);
        };
        for (let k = 0; k < h; k++) {
          const next = lstmCell(gate(k), gate(h + k), gate(2 * h + k), gate(3 * h + k), cs[at + k]!);
          cs[at + k] = next.c;
          hs[at + k] = next.h;
          y[((t * dirs + d) * batch + b) * h + k] = next.h;
        }
      }
    }
  }
  return [y, hs, cs];
}

/** The step of h cannot be written, since ONNX's LSTM keeps it inside, but how far an initial state goes can. */
function writeQLstm(w: OnnxWriter): void {
  const d = directionsOf(w.attrs);
  const h = num(w.attrs, 'hidden');
  const matrix = (at: number, scales: Float32Array): string => {
    const codes = w.need(at) as Tensor<'i8'>;
    const rows = w.dequantized({ ...codes, shape: [d * 4 * h, codes.shape[2]!] }, scales, 0);
    return w.emit('Reshape', [rows, w.constantValue(i64(codes.shape))]);
  };
  const bias = new Float32Array(d * 8 * h);
  for (let k = 0; k < d; k++) bias.set(floats(w.need(6)).subarray(k * 4 * h, (k + 1) * 4 * h), k * 8 * h);
  const weights = [matrix(2, remainingScales(w, 0, 3)), matrix(4, floats(w.need(5)))];
  const limit = (code: number): string => w.constantValue(f32([], new Float32Array([code * H_STEP])));
  const state = w.input(7);
  const limited = state === '' ? '' : w.emit('Clip', [state, limit(-128), limit(127)]);
  const rest = [w.constantValue(f32([d, 8 * h], bias)), '', limited, w.input(8)];
  writeRecurrent(w, 'LSTM', [codedRows(w, 0, 1), ...weights, ...rest]);
}

const caseInputs = (d: number): Tensors => [
  sampleInts('i8', [4, 2, 6], -127, 128),
  sample([4, 2], 9, 0.002, 0.02),
  sampleInts('i8', [d, 20, 6], -63, 64, 2),
  sample([d, 20], 3, 0.002, 0.02),
  sampleInts('i8', [d, 20, 5], -63, 64, 4),
  sample([d, 20], 5, 0.002, 0.02),
  sample([d, 20], 6, -0.3, 0.3),
];

const CONSTANTS = [2, 3, 4, 5, 6] as const;

export const qlstm: OpDef = {
  name: 'QLstm',
  doc: 'LSTM on integer products, gates i o f c: w.x * xs * ws + r.round(127 h) * (rs / 127) + bias; inputs: x i8 [T,B,I], xs f32 [T,B] or absent (1), w, ws, r, rs, bias, h0?, c0?.',
  tolerance: 'exact',
  infer: inferQLstm,
  evaluate(inputs, attrs) {
    const types = inferQLstm(inputs, attrs);
    return evaluateQLstm(inputs, attrs).map((data, i) => f32(types[i]!.shape, data));
  },
  toOnnx: { write: writeQLstm },
  lower: (_inputs, attrs) => ({
    kind: 'qlstm',
    hidden: num(attrs, 'hidden'),
    direction: str(attrs, 'direction') as Direction,
  }),
  cases: [
    {
      name: 'forward',
      inputs: caseInputs(1),
      attrs: { hidden: 5, direction: 'forward' },
      constants: CONSTANTS,
    },
    {
      name: 'bidirectional, directions that share tiles of rows',
      inputs: caseInputs(2),
      attrs: { hidden: 5, direction: 'bidirectional' },
      constants: CONSTANTS,
    },
    {
      name: 'with state',
      inputs: [...caseInputs(1), sample([1, 2, 5], 7, -1, 1), sample([1, 2, 5], 8)],
      attrs: { hidden: 5, direction: 'reverse' },
      constants: CONSTANTS,
    },
    ...[1, 3].map((steps) => ({
      name: `a state beyond what its codes hold, 8-bit weights, ${steps === 1 ? 'one step' : 'several steps'}`,
      inputs: [
        sampleInts('i8', [steps, 1, 6], -127, 128),
        sample([steps, 1], 9, 0.002, 0.02),
        sampleInts('i8', [1, 64, 6], -127, 128, 2),
        sample([1, 64], 3, 0.0002, 0.002),
        sampleInts('i8', [1, 64, 16], -127, 128, 4),
        sample([1, 64], 5, 0.0002, 0.002),
        sample([1, 64], 6, -0.3, 0.3),
        sample([1, 1, 16], 7, -3, 3),
      ],
      attrs: { hidden: 16, direction: 'forward' },
      constants: CONSTANTS,
    })),
    {
      name: 'no row scales, more steps than are computed together',
      inputs: [
        sampleInts('i8', [1100, 1, 3], -127, 128),
        undefined,
        sampleInts('i8', [1, 32, 3], -63, 64, 2),
        sample([1, 32], 3, 0.0002, 0.002),
        sampleInts('i8', [1, 32, 8], -63, 64, 4),
        sample([1, 32], 5, 0.002, 0.02),
        sample([1, 32], 6, -0.3, 0.3),
      ],
      attrs: { hidden: 8, direction: 'reverse' },
      constants: CONSTANTS,
    },
  ],
};
