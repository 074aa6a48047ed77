import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { clip } from './conv.ts';
import { emitEpilogue, spaceOf } from './epilogue.ts';
import { floatSource } from './load.ts';

/** Maximum or mean over windows of an NHWC image, eight channels at a time. */
export function emitPool(ctx: KernelContext, l: Lowered<KernelOf<'pool'>>): KernelText {
  return ctx.type(l.node.inputs[0]!).dtype === 'f32' ? poolFloats(ctx, l) : poolCodes(ctx, l);
}

function poolFloats(ctx: KernelContext, l: Lowered<KernelOf<'pool'>>): KernelText {
  const y = l.node.outputs[0]!;
  const { fn, kernel, pads, countIncludePad } = l.spec;
  const [, h, w] = ctx.type(l.node.inputs[0]!).shape as [number, number, number];
  const source = floatSource(ctx, l.node.inputs[0]!);
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
  const body = windows(ctx, l, source, {
    init: `f4 a = ${init}, b2 = a;`,
    tap: `${source.pair('v', 's', 'n')} a = ${step('a', 'va')}; b2 = ${step('b2', 'vb')};`,
    done: `${scale}
      epi(${ctx.arguments()}, row, n, nv, a, b2);`,
  });
  return { helpers: epi, body, macs: 0 };
}

/** Codes of one scale are ordered as what they stand for, so their maximum is found as it is. */
function poolCodes(ctx: KernelContext, l: Lowered<KernelOf<'pool'>>): KernelText {
  const [x, y] = [l.node.inputs[0]!, l.node.outputs[0]!];
  const type = ctx.cType(x);
  const narrow = type === 'i8';
  const c = ctx.type(x).shape[3]!;
  const whole = narrow ? 'h = b16_narrow(h, h); b16_store_lo8(o, h);' : 'h8_store(o, h);';
  const part = narrow ? 'i8 t[16]; h = b16_narrow(h, h); b16_store(t, h);' : 'i16 t[8]; h8_store(t, h);';
  const body = windows(
    ctx,
    l,
    { type, pointer: ctx.read(x) },
    {
      init: 'h8 h = h8_splat(-32768);',
      tap: `h = h8_max(h, ${narrow ? 'h8_load_i8' : 'h8_load'}(s));`,
      done: `${type} *o = ${ctx.write(y)} + row * ${c} + n;
      if (nv == 8) { ${whole} } else { ${part} for (i32 j = 0; j < nv; j++) o[j] = t[j]; }`,
    },
  );
  return { helpers: '', body, macs: 0 };
}

/** Loops over output pixels, blocks of channels and the taps inside the image; `s` is the address of a tap. */
function windows(
  ctx: KernelContext,
  l: Lowered<KernelOf<'pool'>>,
  source: { readonly type: string; readonly pointer: string },
  text: { readonly init: string; readonly tap: string; readonly done: string },
): string {
  const { kernel, strides, pads, dilations } = l.spec;
  const [, h, w, c] = ctx.type(l.node.inputs[0]!).shape as [number, number, number, number];
  const [n, oh, ow] = ctx.type(l.node.outputs[0]!).shape as [number, number, number];
  const rows = n * oh * ow;
  const split = ctx.overlapped
    ? `${share(c, 8, 'n0', 'n1')} const i32 r0 = 0, r1 = ${rows};`
    : `${share(rows, 1, 'r0', 'r1')} const i32 n0 = 0, n1 = ${c};`;
  return `${split}
  for (i32 row = r0; row < r1; row++) {
    const i32 px = row % ${ow}, py = row / ${ow} % ${oh}, b = row / ${oh * ow};
    ${clip('py', strides[0], pads[0], dilations[0], kernel[0], h, 'y')}
    ${clip('px', strides[1], pads[1], dilations[1], kernel[1], w, 'x')}
    for (i32 n = n0; n < n1; n += 8) {
      const i32 nv = ${c} - n < 8 ? ${c} - n : 8;
      ${text.init}
      for (i32 ky = y_lo; ky < y_hi; ky++) for (i32 kx = x_lo; kx < x_hi; kx++) {
        const ${source.type} *s = ${source.pointer} + ((b * ${h} + y_0 + ky * ${dilations[0]}) * ${w} + x_0 + kx * ${dilations[1]}) * ${c} + n;
        ${text.tap}
      }
      ${text.done}
    }
  }`;
}
