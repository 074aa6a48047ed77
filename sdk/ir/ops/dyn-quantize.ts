import { roundEven } from '../math.ts';
import type { OpDef } from '../op.ts';
import { f32, floats, i64 } from './lib/arrays.ts';
import { sample } from './lib/cases.ts';
import { floatInput, invalid } from './lib/check.ts';

const f = Math.fround;

/** Codes and scale of one row of k values: m = max|x|, scale m / 127, codes round(x * (127 / m)). */
export function quantizeRow(x: Float32Array, at: number, k: number, into: Int8Array, to: number): number {
  let m = 0;
  for (let i = 0; i < k; i++) {
    const a = Math.abs(x[at + i]!);
    if (m < a) m = a;
  }
  if (m === 0) {
    into.fill(0, to, to + k);
    return 0;
  }
  const inv = f(127 / m);
  // Rows of denormal numbers would give an infinite factor; their codes saturate.
  for (let i = 0; i < k; i++) into[to + i] = Math.min(Math.max(roundEven(f(x[at + i]! * inv)), -128), 127);
  return f(m / 127);
}

/** Far below any activation, and its 127th part is still a normal number. */
const TINY = 1e-30;

export const dynQuantize: OpDef = {
  name: 'DynQuantize',
  doc: 'x [..., K] as i8 codes [..., K] and one f32 scale a row [...]: the largest magnitude of the row becomes 127.',
  tolerance: 'exact',
  infer(inputs) {
    const { shape } = floatInput('DynQuantize', inputs, 0);
    if (shape.length === 0) invalid('DynQuantize', 'a scalar has no rows');
    return [
      { dtype: 'i8', shape },
      { dtype: 'f32', shape: shape.slice(0, -1) },
    ];
  },
  evaluate(inputs) {
    const x = floats(inputs[0]);
    const { shape } = inputs[0]!;
    const k = shape.at(-1)!;
    const rows = k === 0 ? 0 : x.length / k;
    const codes = new Int8Array(x.length);
    const scales = Float32Array.from({ length: rows }, (_, r) => quantizeRow(x, r * k, k, codes, r * k));
    return [{ dtype: 'i8', shape, data: codes }, f32(shape.slice(0, -1), scales)];
  },
  toOnnx: {
    write(w) {
      const x = w.input(0);
      const last = w.constantValue(i64([-1]));
      const scalar = (v: number): string => w.constantValue(f32([], [v]));
      const largest = w.emit('ReduceMax', [w.emit('Abs', [x]), last]);
      // Rows of zeros have codes of zero whatever the scale.
      const scale = w.emit('Div', [w.emit('Max', [largest, scalar(TINY)]), scalar(127)]);
      w.emit('Round', [w.emit('Div', [x, scale])], {}, [w.output(0)]);
      w.emit('Squeeze', [scale, last], {}, [w.output(1)]);
    },
  },
  lower: () => ({ kind: 'dynquantize' }),
  cases: [
    { name: 'rows', inputs: [sample([3, 4, 11])], attrs: {} },
    { name: 'zero row', inputs: [f32([2, 5], [0, 0, 0, 0, 0, 1, -2, 3, -4, 0.5])], attrs: {} },
  ],
};
