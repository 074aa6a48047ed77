import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf } from '../../../util/tensor.ts';
import { PANEL_ROWS } from '../../../wire/panels.ts';
import type { Lowered } from '../../lower.ts';
import type { KernelContext, KernelText } from '../c/context.ts';
import { spaceOf } from '../c/epilogue.ts';
import { checkedRow, emitGather as copyRows } from '../c/move.ts';
import { tapsOfPixel, transposedOf } from '../c/transposed.ts';
import { eightOf } from '../c/vectors.ts';
import { emitEpilogue, emitRowTail, overRow, rowBuffer, scratchOf } from './epilogue.ts';

/** Rows of a table; what is not fused is copied as by every engine. */
export function emitGather(ctx: KernelContext, l: Lowered<KernelOf<'gather'>>): KernelText {
  if (ctx.group.tail.length === 0) return copyRows(ctx, l);
  const [x, idx] = l.node.inputs as [string, string];
  const y = l.node.outputs[0]!;
  const [n, d] = ctx.type(x).shape as [number, number];
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const body = `for (i32 i = 0; i < ${sizeOf(ctx.type(idx).shape)}; i++) {
    ${checkedRow(`${ctx.read(idx)}[i]`, n)} const float *s = ${ctx.read(x)} + (i32)r * ${d};
    ${overRow(ctx, d, 'i', 'f4_load(s + n)')}
  }`;
  return { helpers: epi, body, macs: 0 };
}

/** Rows of an embedding table of codes [V, D] with one scale a row. */
export function emitQGather(ctx: KernelContext, l: Lowered<KernelOf<'qgather'>>): KernelText {
  const [codes, scale, idx] = l.node.inputs as [string, string, string];
  const y = l.node.outputs[0]!;
  const [v, d] = ctx.type(codes).shape as [number, number];
  const { pointer: panels } = ctx.panels(codes, v, d);
  const tile = scratchOf(ctx, 'i8', PANEL_ROWS * Math.ceil(d / 16) * 16);
  const buffer = rowBuffer(ctx, d);
  const epi = emitEpilogue(ctx, spaceOf(ctx.type(y).shape), y);
  const scales = eightOf(ctx.vector(scale), '(i32)r', () => ctx.scratch(32));
  const code = `*EW_CODE(${tile}, (i32)r % ${PANEL_ROWS}, n, pitch)`;
  const body = `const i32 pitch = EW_PITCH(${d}); (void)pitch;
  for (i32 i = 0; i < ${sizeOf(ctx.type(idx).shape)}; i++) {
    ${checkedRow(`${ctx.read(idx)}[i]`, v)}
    ew_panel(${panels}, (i32)r / ${PANEL_ROWS}, ${v}, ${d}, ${tile});
    ${scales.setup}
    ${overRow(ctx, d, 'i', `f4_mul(f4_from_i4(i4_splat(${code})), f4_load(${scales.at}))`, buffer.argument)}
    ${emitRowTail(ctx, buffer.pointer, 'i')}
  }`;
  return { helpers: epi, body, macs: 0 };
}

/** Transposed convolution as a gather: every output pixel sums the taps that reach it. */
export function emitConvTranspose(ctx: KernelContext, l: Lowered<KernelOf<'convtranspose'>>): KernelText {
  const t = transposedOf(ctx, l);
  const { o, og, cg, kh, kw } = t;
  const [src, filter] = [ctx.read(t.x), ctx.read(t.filters)];
  const each = `for (i32 i = j / ${og} * ${cg}; i < (j / ${og} + 1) * ${cg}; i++) acc = acc + s[i] * ${filter}[((i * ${kh} + ky) * ${kw} + kx) * ${og} + j % ${og}];`;
  const body = `for (i32 row = 0; row < ${t.images * t.oh * t.ow}; row++) for (i32 j = 0; j < ${o}; j++) {
    float acc = ${t.bias ? `${ctx.read(t.bias)}[j]` : '0.0f'};
    ${tapsOfPixel(t, src, each)}
    ${ctx.write(t.y)}[row * ${o} + j] = acc;
  }`;
  return { helpers: '', body, macs: t.macs };
}
