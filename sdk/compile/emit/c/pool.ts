import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { clip } from './conv.ts';
import { emitEpilogue, spaceOf } from './epilogue.ts';

/** Maximum or mean over windows of an NHWC image, eight channels at a time. */
export function emitPool(ctx: KernelContext, l: Lowered<KernelOf<'pool'>>): KernelText {
  const x = l.node.inputs[0]!;
  const y = l.node.outputs[0]!;
  const { fn, kernel, strides, pads, dilations, countIncludePad } = l.spec;
  const [, h, w, c] = ctx.type(x).shape as [number, number, number, number];
  const [n, oh, ow] = ctx.type(y).shape as [number, number, number, number];
  const src = ctx.read(x);
  const epi = emitEpilogue(ctx, 'epi', spaceOf(ctx.type(y).shape), y);
  const step =
    fn === 'max' ? (a: string, v: string) => `f4_max(${a}, ${v})` : (a: string, v: string) => `f4_add(${a}, ${v})`;
  const init = fn === 'max' ? 'f4_splat(-__builtin_inff())' : 'f4_splat(0.0f)';
  // A window that hangs over the padded image on the far side (ceil mode) counts only up to the padding.
  const count = countIncludePad
    ? `(float)((y_0 + ${kernel[0]} < ${h + pads[2]} ? ${kernel[0]} : ${h + pads[2]} - y_0) * (x_0 + ${kernel[1]} < ${w + pads[3]} ? ${kernel[1]} : ${w + pads[3]} - x_0))`
    : '(float)((y_hi - y_lo) * (x_hi - x_lo))';
  const scale =
    fn === 'avg' ? `const f4 count = f4_splat(${count}); a = f4_div(a, count); b2 = f4_div(b2, count);` : '';
  const body = `${share(n * oh * ow, 1, 'r0', 'r1')}
  for (i32 row = r0; row < r1; row++) {
    const i32 px = row % ${ow}, py = row / ${ow} % ${oh}, b = row / ${oh * ow};
    ${clip('py', strides[0], pads[0], dilations[0], kernel[0], h, 'y')}
    ${clip('px', strides[1], pads[1], dilations[1], kernel[1], w, 'x')}
    for (i32 n = 0; n < ${c}; n += 8) {
      const i32 nv = ${c} - n < 8 ? ${c} - n : 8;
      f4 a = ${init}, b2 = a;
      for (i32 ky = y_lo; ky < y_hi; ky++) for (i32 kx = x_lo; kx < x_hi; kx++) {
        const float *s = ${src} + ((b * ${h} + y_0 + ky * ${dilations[0]}) * ${w} + x_0 + kx * ${dilations[1]}) * ${c} + n;
        a = ${step('a', 'f4_load(s)')}; b2 = ${step('b2', 'f4_load(s + 4)')};
      }
      ${scale}
      epi(${ctx.arguments()}, row, n, nv, a, b2);
    }
  }`;
  return { helpers: epi, body, macs: 0 };
}
