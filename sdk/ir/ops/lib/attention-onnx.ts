import { sizeOf, tensor } from '../../../util/tensor.ts';
import type { OnnxWriter } from '../../backend.ts';
import type { KernelOf } from '../../kernel.ts';
import { f32, floats, i64 } from './arrays.ts';

type Spec = KernelOf<'qattention'>;
type View = Spec['q'];

/** Added to the scores of keys that a query must not see. */
const HIDDEN = -1e9;

/** Attention over floats, with what is left of the scales: softmax(q k * factor + mask) v * factor. */
export function writeQAttention(w: OnnxWriter, s: Spec): void {
  const q = heads(w, 0, s, s.q, s.queries, s.size);
  const k = heads(w, 1, s, s.k, s.keys, s.size);
  const v = heads(w, 2, s, s.v, s.keys, s.valueSize);
  const product = w.emit('MatMul', [q, w.emit('Transpose', [k], { perm: [0, 1, 3, 2] })]);
  let scores = w.emit('Mul', [product, w.constantValue(f32([s.heads, 1, 1], scoreFactors(w, s)))]);
  if (w.input(5) !== '') scores = w.emit('Add', [scores, w.input(5)]);
  if (s.causal) scores = w.emit('Add', [scores, laterKeys(w, s)]);
  const weights = w.emit('Softmax', [scores], { axis: -1 });
  const left = w.constantValue(f32([s.heads, 1, s.valueSize], valueFactors(w, s)));
  const out = w.emit('Mul', [w.emit('MatMul', [weights, v]), left]);
  const rows = w.emit('Transpose', [out], { perm: [0, 2, 1, 3] });
  const shape = w.constantValue(i64([s.batch, s.queries, s.heads * s.valueSize]));
  w.emit('Reshape', [rows, shape], {}, [w.output()]);
}

function laterKeys(w: OnnxWriter, s: Spec): string {
  const shape = w.constantValue(i64([s.queries, s.keys]));
  const low = w.emit('Expand', [w.constantValue(f32([], [HIDDEN])), shape]);
  return w.emit('Trilu', [low, w.constantValue(tensor('i64', [], [s.keys - s.queries + 1]))], { upper: 1 });
}

/** Input i as [batch, heads, positions, size]. */
function heads(w: OnnxWriter, i: number, s: Spec, view: View, positions: number, size: number): string {
  const [offset, sample, head, position] = view;
  const total = sizeOf(w.graphShape(i));
  const channels = s.heads * size;
  const reshape = (from: string, shape: readonly number[]): string =>
    w.emit('Reshape', [from, w.constantValue(i64(shape))]);
  const samples = (stride: number): boolean => s.batch === 1 || sample === stride;
  if (
    offset === 0 &&
    position === size &&
    head === positions * size &&
    samples(s.heads * head) &&
    total === s.batch * channels * positions
  )
    return reshape(w.input(i), [s.batch, s.heads, positions, size]);
  if (
    head === size &&
    total === s.batch * positions * position &&
    samples(positions * position) &&
    offset + channels <= position
  ) {
    const rows = reshape(w.input(i), [s.batch, positions, position]);
    const [from, to, axis] = [offset, offset + channels, 2].map((n) => w.constantValue(i64([n]))) as [
      string,
      string,
      string,
    ];
    const own = channels === position ? rows : w.emit('Slice', [rows, from, to, axis]);
    return w.emit('Transpose', [reshape(own, [s.batch, positions, s.heads, size])], { perm: [0, 2, 1, 3] });
  }
  const indices: number[] = [];
  for (let b = 0; b < s.batch; b++)
    for (let h = 0; h < s.heads; h++)
      for (let p = 0; p < positions; p++)
        for (let d = 0; d < size; d++) indices.push(offset + b * sample + h * head + p * position + d);
  const at = w.constantValue(tensor('i64', [s.batch, s.heads, positions, size], indices));
  return w.emit('Gather', [reshape(w.input(i), [-1]), at], { axis: 0 });
}

/** What one code of input i stands for at head h, place d. */
function stepOf(w: OnnxWriter, i: number, [offset, , head]: View, h: number, d: number): number {
  const { scale } = w.quantization(i);
  return scale[scale.length === 1 ? 0 : (offset + h * head + d) % scale.length]!;
}

function scoreFactors(w: OnnxWriter, s: Spec): number[] {
  const scale = floats(w.need(3));
  return Array.from({ length: s.heads }, (_, h) => {
    const step = (d: number): number => stepOf(w, 0, s.q, h, d) * stepOf(w, 1, s.k, h, d);
    const first = step(0);
    for (let d = 1; d < s.size; d++)
      if (Math.abs(step(d) / first - 1) > 1e-5) w.reject('products of its queries and keys differ in scale');
    return scale[h]! / first;
  });
}

function valueFactors(w: OnnxWriter, s: Spec): number[] {
  return Array.from(floats(w.need(4)), (v, n) => {
    const h = Math.floor(n / s.valueSize);
    return v / stepOf(w, 2, s.v, h, n % s.valueSize);
  });
}
