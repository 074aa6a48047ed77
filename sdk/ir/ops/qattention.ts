import { formatType, sizeOf, type Tensor, type TensorType } from '../../util/tensor.ts';
import type { Attrs } from '../graph.ts';
import type { KernelOf } from '../kernel.ts';
import { exp32, roundEven } from '../math.ts';
import type { OpCase, OpDef, Types } from '../op.ts';
import { broadcastTo, f32, floats } from './lib/arrays.ts';
import { writeQAttention } from './lib/attention-onnx.ts';
import { sample, sampleInts } from './lib/cases.ts';
import { expectShape, flag, floatInput, ints, invalid, num, required } from './lib/check.ts';

const f = Math.fround;

type Spec = KernelOf<'qattention'>;
type View = Spec['q'];

/** Code of the largest weight of a row: as large as i16 and sums of `keys` products with i8 values in an i32 allow. */
export function weightScale(keys: number): number {
  return Math.min(32767, Math.floor((2 ** 31 - 1) / (keys * 128)));
}

function specOf(attrs: Attrs): Spec {
  return {
    kind: 'qattention',
    batch: num(attrs, 'batch'),
    heads: num(attrs, 'heads'),
    queries: num(attrs, 'queries'),
    keys: num(attrs, 'keys'),
    size: num(attrs, 'size'),
    valueSize: num(attrs, 'valueSize'),
    q: ints(attrs, 'q') as View,
    k: ints(attrs, 'k') as View,
    v: ints(attrs, 'v') as View,
    causal: flag(attrs, 'causal'),
  };
}

/** Refuses a view that leaves its tensor: kernels read what it says. */
function checkView(what: string, t: TensorType, view: View, s: Spec, positions: number, size: number): void {
  if (t.dtype !== 'i8') invalid('QAttention', `${what} must be i8 codes, not ${formatType(t)}`);
  const [offset, b, h, p] = view;
  const last = offset + (s.batch - 1) * b + (s.heads - 1) * h + (positions - 1) * p + size - 1;
  if (view.length !== 4 || view.some((n) => !(n >= 0)) || last >= sizeOf(t.shape))
    invalid('QAttention', `view [${view.join(',')}] of ${what} leaves ${formatType(t)}`);
}

function infer(inputs: Types, attrs: Attrs): TensorType[] {
  const s = specOf(attrs);
  checkView('q', required('QAttention', inputs, 0), s.q, s, s.queries, s.size);
  checkView('k', required('QAttention', inputs, 1), s.k, s, s.keys, s.size);
  checkView('v', required('QAttention', inputs, 2), s.v, s, s.keys, s.valueSize);
  expectShape('QAttention', 'scale', floatInput('QAttention', inputs, 3), [s.heads]);
  expectShape('QAttention', 'value scale', floatInput('QAttention', inputs, 4), [s.heads * s.valueSize]);
  if (inputs[5]) {
    const mask = floatInput('QAttention', inputs, 5).shape;
    const full = [s.batch, s.heads, s.queries, s.keys];
    const aligned = full.slice(full.length - mask.length);
    if (mask.at(-1) !== s.keys || mask.some((n, i) => n !== 1 && n !== aligned[i]))
      invalid('QAttention', `a mask of [${mask.join(',')}] does not fit [${full.join(',')}]`);
  }
  if (s.causal && s.keys < s.queries) invalid('QAttention', `${s.queries} queries look back on ${s.keys} keys`);
  return [{ dtype: 'f32', shape: [s.batch, s.queries, s.heads * s.valueSize] }];
}

interface Operands {
  readonly s: Spec;
  readonly q: Int8Array;
  readonly k: Int8Array;
  readonly v: Int8Array;
  readonly scale: Float32Array;
  readonly valueScale: Float32Array;
  /** [batch, heads, queries, keys]. */
  readonly mask: Float32Array | undefined;
}

/** Codes of one row's weights, e^(s - max) in steps of 1 / weightScale: the row's sum takes the place of the softmax's denominator. */
function weightsOf(o: Operands, b: number, h: number, i: number): Int32Array {
  const { s } = o;
  const seen = s.causal ? i + s.keys - s.queries + 1 : s.keys;
  const [qo, qb, qh, qt] = s.q;
  const [ko, kb, kh, kt] = s.k;
  const scores = new Float32Array(seen);
  let top = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < seen; j++) {
    const q = qo + b * qb + h * qh + i * qt;
    const k = ko + b * kb + h * kh + j * kt;
    let sum = 0;
    for (let d = 0; d < s.size; d++) sum += o.q[q + d]! * o.k[k + d]!;
    let score = f(f(sum) * o.scale[h]!);
    if (o.mask) score = f(score + o.mask[((b * s.heads + h) * s.queries + i) * s.keys + j]!);
    scores[j] = score;
    if (top < score) top = score;
  }
  // A row that is masked altogether: all weights 0.
  if (top === Number.NEGATIVE_INFINITY) top = 0;
  const limit = weightScale(s.keys);
  return Int32Array.from(scores, (v) => roundEven(f(exp32(f(v - top)) * limit)));
}

function evaluate(inputs: readonly (Tensor | undefined)[], attrs: Attrs): Tensor[] {
  const [type] = infer(inputs, attrs);
  const s = specOf(attrs);
  const [q, k, v] = [0, 1, 2].map((i) => inputs[i]!.data as Int8Array) as [Int8Array, Int8Array, Int8Array];
  const mask = inputs[5] && floats(broadcastTo(inputs[5], [s.batch, s.heads, s.queries, s.keys]));
  const o: Operands = { s, q, k, v, scale: floats(inputs[3]), valueScale: floats(inputs[4]), mask };
  const out = new Float32Array(sizeOf(type!.shape));
  const [vo, vb, vh, vt] = s.v;
  for (let b = 0; b < s.batch; b++) {
    for (let h = 0; h < s.heads; h++) {
      for (let i = 0; i < s.queries; i++) {
        const weights = weightsOf(o, b, h, i);
        const total = weights.reduce((sum, w) => sum + w, 0);
        const inverse = total > 0 ? f(1 / f(total)) : 0;
        for (let c = 0; c < s.valueSize; c++) {
          const at = vo + b * vb + h * vh + c;
          let sum = 0;
          for (let j = 0; j < weights.length; j++) sum += weights[j]! * v[at + j * vt]!;
          const n = h * s.valueSize + c;
          out[(b * s.queries + i) * s.heads * s.valueSize + n] = f(f(f(sum) * inverse) * o.valueScale[n]!);
        }
      }
    }
  }
  return [f32(type!.shape, out)];
}

/** q, k and v as the three thirds of one tensor's columns. */
function packedCase(name: string, positions: number, heads: number, size: number, causal: boolean): OpCase {
  const width = heads * size;
  const codes = sampleInts('i8', [2, positions, 3 * width], -127, 128, positions);
  const view = (third: number): number[] => [third * width, positions * 3 * width, size, 3 * width];
  const [q, k, v] = [view(0), view(1), view(2)];
  const scales = [sample([heads], 2, 1e-4, 4e-4), sample([width], 3, 0.01, 0.02)];
  const sizes = { batch: 2, heads, queries: positions, keys: positions, size, valueSize: size };
  return { name, inputs: [codes, codes, codes, ...scales], attrs: { ...sizes, q, k, v, causal }, constants: [3, 4] };
}

/** Every head holds its query, key and value side by side. */
function interleavedCase(): OpCase {
  const codes = sampleInts('i8', [11, 2, 3, 7], -127, 128, 10);
  const sizes = { batch: 1, heads: 2, queries: 11, keys: 11, size: 7, valueSize: 7 };
  const views = { q: [0, 0, 21, 42], k: [7, 0, 21, 42], v: [14, 0, 21, 42] };
  return {
    name: 'queries, keys and values of a head side by side',
    inputs: [codes, codes, codes, sample([2], 11, 1e-4, 4e-4), sample([14], 12, 0.01, 0.02)],
    attrs: { ...sizes, ...views, causal: true },
    constants: [3, 4],
  };
}

/** Few queries against more keys, [batch, head, position, channel], values narrower than keys, with a mask. */
function cachedCase(): OpCase {
  const sizes = { batch: 1, heads: 2, queries: 2, keys: 21, size: 16, valueSize: 5 };
  const mask = sample([1, 1, 2, 21], 9, -3, 3);
  mask.data.fill(Number.NEGATIVE_INFINITY, 3, 9);
  return {
    name: 'a mask that hides keys, fewer queries than keys',
    inputs: [
      sampleInts('i8', [1, 2, 2, 16], -127, 128, 4),
      sampleInts('i8', [1, 2, 21, 16], -127, 128, 5),
      sampleInts('i8', [1, 2, 21, 5], -127, 128, 6),
      sample([2], 7, 1e-4, 4e-4),
      sample([10], 8, 0.01, 0.02),
      mask,
    ],
    attrs: { ...sizes, q: [0, 64, 32, 16], k: [0, 672, 336, 16], v: [0, 210, 105, 5], causal: false },
    constants: [3, 4],
  };
}

export const qattention: OpDef = {
  name: 'QAttention',
  doc: 'softmax(f32(q.k) * scale[h] + mask) v * valueScale, heads side by side: f32 [batch, queries, heads * valueSize]. inputs: q, k, v i8 of any shape, read at offset + b * s1 + h * s2 + position * s3 + d (attributes q, k, v); scale f32 [heads], valueScale f32 [heads * valueSize], mask? f32. Weights e^(s - max) are rounded to i16 and divided by their sum.',
  tolerance: 'exact',
  infer,
  evaluate,
  toOnnx: { write: (w) => writeQAttention(w, specOf(w.attrs)) },
  lower: (_inputs, attrs) => specOf(attrs),
  cases: [
    packedCase('heads of 8, every key seen', 20, 3, 8, false),
    packedCase('heads of 15, causal', 37, 2, 15, true),
    packedCase('one position', 1, 1, 4, true),
    interleavedCase(),
    cachedCase(),
  ],
};
