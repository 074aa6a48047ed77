import { formatType, type TensorType } from '../../util/tensor.ts';
import type { Attrs } from '../graph.ts';
import { roundEven } from '../math.ts';
import type { OpDef, Tensors, Types } from '../op.ts';
import { quantizeRow } from './dyn-quantize.ts';
import { f32, floats } from './lib/arrays.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { expectShape, floatInput, invalid, num, required, str } from './lib/check.ts';
import { type Direction, directionsOf } from './lib/recurrent.ts';
import { lstmCell } from './lstm.ts';

const f = Math.fround;
/** h lies in [-1, 1], so one fixed step serves. */
const H_STEP = f(1 / 127);

function inferQLstm(inputs: Types, attrs: Attrs): TensorType[] {
  const h = num(attrs, 'hidden');
  const d = directionsOf(attrs);
  const [t, b, i] = floatInput('QLstm', inputs, 0, 3).shape as [number, number, number];
  for (const at of [1, 3])
    if (required('QLstm', inputs, at).dtype !== 'i8')
      invalid('QLstm', `input ${at} must be i8 codes, not ${formatType(inputs[at]!)}`);
  expectShape('QLstm', 'w', inputs[1]!, [d, 4 * h, i]);
  expectShape('QLstm', 'r', inputs[3]!, [d, 4 * h, h]);
  for (const at of [2, 4, 5]) expectShape('QLstm', `input ${at}`, floatInput('QLstm', inputs, at), [d, 4 * h]);
  const state: TensorType = { dtype: 'f32', shape: [d, b, h] };
  for (const at of [6, 7])
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
  const x = floats(inputs[0]);
  const [ws, rs, bias] = [floats(inputs[2]), floats(inputs[4]), floats(inputs[5])];
  const y = new Float32Array(steps * dirs * batch * h);
  const hs = inputs[6] ? floats(inputs[6]).slice() : new Float32Array(dirs * batch * h);
  const cs = inputs[7] ? floats(inputs[7]).slice() : new Float32Array(dirs * batch * h);
  const xq = new Int8Array(width);
  for (let d = 0; d < dirs; d++) {
    const w = (inputs[1]!.data as Int8Array).subarray(d * 4 * h * width);
    const r = (inputs[3]!.data as Int8Array).subarray(d * 4 * h * h);
    const reverse = d === 1 || str(attrs, 'direction') === 'reverse';
    for (let s = 0; s < steps; s++) {
      const t = reverse ? steps - 1 - s : s;
      for (let b = 0; b < batch; b++) {
        const at = (d * batch + b) * h;
        const xs = quantizeRow(x, (t * batch + b) * width, width, xq, 0);
        const hq = Int8Array.from({ length: h }, (_, k) =>
          Math.min(Math.max(roundEven(f(hs[at + k]! * 127)), -128), 127),
        );
        const gate = (g: number): number => {
          const o = d * 4 * h + g;
          const input = f(f(dotCodes(w, g, xq, width) * xs) * ws[o]!);
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

const caseInputs = (d: number): Tensors => [
  sample([4, 2, 6]),
  sampleInts('i8', [d, 20, 6], -63, 64, 2),
  sample([d, 20], 3, 0.002, 0.02),
  sampleInts('i8', [d, 20, 5], -63, 64, 4),
  sample([d, 20], 5, 0.002, 0.02),
  sample([d, 20], 6, -0.3, 0.3),
];

export const qlstm: OpDef = {
  name: 'QLstm',
  doc: 'LSTM on integer products, gates i o f c: w.xq * xs * ws + r.hq * (rs / 127) + bias; inputs: x, w, ws, r, rs, bias, h0?, c0?; x rows quantized as DynQuantize, h with step 1/127.',
  tolerance: 'exact',
  infer: inferQLstm,
  evaluate(inputs, attrs) {
    const types = inferQLstm(inputs, attrs);
    return evaluateQLstm(inputs, attrs).map((data, i) => f32(types[i]!.shape, data));
  },
  lower: (_inputs, attrs) => ({
    kind: 'qlstm',
    hidden: num(attrs, 'hidden'),
    direction: str(attrs, 'direction') as Direction,
  }),
  cases: [
    { name: 'forward', inputs: caseInputs(1), attrs: { hidden: 5, direction: 'forward' }, constants: [1, 2, 3, 4, 5] },
    {
      name: 'bidirectional',
      inputs: caseInputs(2),
      attrs: { hidden: 5, direction: 'bidirectional' },
      constants: [1, 2, 3, 4, 5],
    },
    {
      name: 'with state',
      inputs: [...caseInputs(1), sample([1, 2, 5], 7, -1, 1), sample([1, 2, 5], 8)],
      attrs: { hidden: 5, direction: 'reverse' },
      constants: [1, 2, 3, 4, 5],
    },
  ],
};
