import type { KernelOf } from '../../../ir/kernel.ts';
import { sizeOf } from '../../../util/tensor.ts';
import { PANEL_ROWS } from '../../../wire/panels.ts';
import type { Lowered } from '../../lower.ts';
import type { KernelContext, KernelText } from '../c/context.ts';
import { spaceOf } from '../c/epilogue.ts';
import { checkedRow, emitGather as copyRows } from '../c/move.ts';
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
  const [x, w, bias] = l.node.inputs as [string, string, string?];
  const y = l.node.outputs[0]!;
  const { strides, pads, dilations, groups } = l.spec;
  const [, h, wd, c] = ctx.type(x).shape as [number, number, number, number];
  const [, kh, kw, og] = ctx.type(w).shape as [number, number, number, number];
  const [n, oh, ow, o] = ctx.type(y).shape as [number, number, number, number];
  const [cg, src, filter] = [c / groups, ctx.read(x), ctx.read(w)];
  const body = `for (i32 row = 0; row < ${n * oh * ow}; row++) for (i32 j = 0; j < ${o}; j++) {
    const i32 px = row % ${ow}, py = row / ${ow} % ${oh}, b = row / ${oh * ow};
    float acc = ${bias ? `${ctx.read(bias)}[j]` : '0.0f'};
    for (i32 ky = 0; ky < ${kh}; ky++) {
      const i32 ty = py + ${pads[0]} - ky * ${dilations[0]}; if (ty < 0 || ty % ${strides[0]} != 0 || ty / ${strides[0]} >= ${h}) continue;
      for (i32 kx = 0; kx < ${kw}; kx++) {
        const i32 tx = px + ${pads[1]} - kx * ${dilations[1]}; if (tx < 0 || tx % ${strides[1]} != 0 || tx / ${strides[1]} >= ${wd}) continue;
        const float *s = ${src} + ((b * ${h} + ty / ${strides[0]}) * ${wd} + tx / ${strides[1]}) * ${c};
        for (i32 i = j / ${og} * ${cg}; i < (j / ${og} + 1) * ${cg}; i++) acc = acc + s[i] * ${filter}[((i * ${kh} + ky) * ${kw} + kx) * ${og} + j % ${og}];
      }
    }
    ${ctx.write(y)}[row * ${o} + j] = acc;
  }`;
  return { helpers: '', body, macs: n * h * wd * c * kh * kw * og };
}
