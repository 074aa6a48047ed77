import type { KernelOf } from '../../../ir/kernel.ts';
import { DTYPE_BYTES, sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { axesOf, indexOf } from './move.ts';

/** Planes of which there are a few, such as the colours of an image, to elements side by side: a vector of each at a time. */

const VECTOR_BYTES = 16;
const MOST_PLANES = 4;
/** Picks nothing. */
const NONE = 128;
/** Vectors of a plane in a part's share at least. */
const LEAST_SHARE = 64;

/** Undefined for any other permutation: axes side by side in memory count as one, and the last two of the result are places and planes. */
export function emitInterleave(ctx: KernelContext, l: Lowered<KernelOf<'strided'>>): KernelText | undefined {
  const [x, y] = [l.node.inputs[0]!, l.node.outputs[0]!];
  const { shape, dtype } = ctx.type(y);
  const axes = axesOf(shape, l.spec.strides);
  const [places, planes] = axes.slice(-2);
  const size = DTYPE_BYTES[dtype];
  const per = VECTOR_BYTES / size;
  if (!places || !planes || size > 2 || planes.size > MOST_PLANES) return undefined;
  if (places.stride !== 1 || planes.stride < places.size || places.size < per) return undefined;
  const type = ctx.cType(y);
  const images = axes.slice(0, -2);
  const all = Array.from({ length: planes.size }, (_, i) => i);
  const pairs = all.flatMap((to) => all.map((from) => `k${to}${from}`));
  const rows = all.flatMap((to) => all.map((from) => `{${picks(to, from, planes.size, size).join(', ')}}`));
  const merged = (to: number): string =>
    all.map((from) => `b16_pick(v${from}, k${to}${from})`).reduce((a, b) => `v_or(${a}, ${b})`);
  const body = `static const u8 picks[${rows.length}][16] = {${rows.join(', ')}};
  b16 ${pairs.map((k, i) => `${k} = b16_load(picks[${i}])`).join(', ')}; ${pairs.map((k) => `EW_KEEP(${k});`).join(' ')}
  ${share(places.size, per * LEAST_SHARE, 'r0', 'r1')}
  for (i32 i = 0; i < ${sizeOf(images.map((a) => a.size))}; i++) {
    const ${type} *const s = ${ctx.read(x)} + ${l.spec.offset} + ${indexOf(images, 'i')}; ${type} *const d = ${ctx.write(y)} + i * ${places.size * planes.size}; i32 p = r0;
    for (; p + ${per} <= r1; p += ${per}) {
      const b16 ${all.map((c) => `v${c} = b16_load(s + p + ${c * planes.stride})`).join(', ')};
      ${all.map((to) => `b16_store(d + p * ${planes.size} + ${to * per}, ${merged(to)});`).join(' ')}
    }
    for (; p < r1; p++) { ${all.map((c) => `d[p * ${planes.size} + ${c}] = s[p + ${c * planes.stride}];`).join(' ')} }
  }`;
  return { helpers: '', body, macs: 0 };
}

/** Which bytes of a vector of plane `from` go where in vector `to` of the result. */
function picks(to: number, from: number, planes: number, size: number): number[] {
  return Array.from({ length: VECTOR_BYTES }, (_, byte) => {
    const element = Math.floor((VECTOR_BYTES * to + byte) / size);
    return element % planes === from ? Math.floor(element / planes) * size + (byte % size) : NONE;
  });
}
