import type { KernelOf } from '../../../ir/kernel.ts';
import { weightScale } from '../../../ir/ops/qattention.ts';
import { sizeOf } from '../../../util/tensor.ts';
import type { Lowered } from '../../lower.ts';
import { f32Literal, type KernelContext, type KernelText } from '../c/context.ts';
import { spaceOf } from '../c/epilogue.ts';
import { emitEpilogue, emitRowTail, rowBuffer, scratchOf } from './epilogue.ts';

/** One query after another, and for each one head after another: scores, weights, and the sums of the values. */
export function emitQAttention(ctx: KernelContext, l: Lowered<KernelOf<'qattention'>>): KernelText {
  const [q, k, v, scale, valueScale, mask] = l.node.inputs as [string, string, string, string, string, string?];
  const y = l.node.outputs[0]!;
  const s = l.spec;
  const scores = scratchOf(ctx, 'float', s.keys);
  const weights = scratchOf(ctx, 'i16', s.keys);
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const buffer = rowBuffer(ctx, s.heads * s.valueSize);
  const at = (p: string, [offset, b, h]: readonly [number, number, number, number]): string =>
    `${p} + ${offset} + bi * ${b} + h * ${h}`;
  const seen = s.causal ? `i + ${s.keys - s.queries + 1}` : String(s.keys);
  const channel = `h * ${s.valueSize} + c`;
  const score = `f4_mul(f4_from_i4(i4_splat(sum)), f4_load(${ctx.read(scale)} + h))`;
  const body = `for (i32 bi = 0; bi < ${s.batch}; bi++) for (i32 i = 0; i < ${s.queries}; i++) {
    const i32 row = bi * ${s.queries} + i, seen = ${seen};
    for (i32 h = 0; h < ${s.heads}; h++) {
      const i8 *q = ${at(ctx.read(q), s.q)} + i * ${s.q[3]};
      for (i32 j = 0; j < seen; j++) {
        const i8 *e = ${at(ctx.read(k), s.k)} + j * ${s.k[3]};
        i32 sum = 0;
        for (i32 d = 0; d < ${s.size}; d++) sum += q[d] * e[d];
        f4_store(${scores} + j, ${mask ? `f4_add(${score}, f4_load(${maskAt(ctx, mask)} + j))` : score});
      }
      const f4 inv = f4_splat(ew_weights(${scores}, seen, ${f32Literal(weightScale(s.keys))}, ${weights}));
      for (i32 c = 0; c < ${s.valueSize}; c++) {
        const i8 *e = ${at(ctx.read(v), s.v)} + c;
        i32 sum = 0;
        for (i32 j = 0; j < seen; j++) sum += ${weights}[j] * e[j * ${s.v[3]}];
        epi(${ctx.arguments()}, row, ${channel}, f4_mul(f4_mul(f4_from_i4(i4_splat(sum)), inv), f4_load(${ctx.read(valueScale)} + ${channel}))${buffer.argument});
      }
    }
    ${emitRowTail(ctx, buffer.pointer, 'row')}
  }`;
  const macs = s.batch * s.heads * s.queries * s.keys * (s.size + s.valueSize);
  return { helpers: epi, body, macs };
}

/** The mask's row of query i and head h. */
function maskAt(ctx: KernelContext, mask: string): string {
  const { shape } = ctx.type(mask);
  const padded = [...new Array<number>(4 - shape.length).fill(1), ...shape];
  const terms = ['bi', 'h', 'i'].flatMap((index, d) =>
    padded[d]! > 1 ? [`${index} * ${sizeOf(padded.slice(d + 1))}`] : [],
  );
  return `${ctx.read(mask)} + ${terms.length > 0 ? terms.join(' + ') : '0'}`;
}
