import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { clip } from './conv.ts';
import { emitEpilogue, hasLanewiseTail, spaceOf } from './epilogue.ts';
import { type Lanes, NARROW, wideLanes, widened } from './lanes.ts';
import { floatSource } from './load.ts';

/** Maximum or mean over windows of an NHWC image, eight channels at a time. */
export function emitPool(ctx: KernelContext, l: Lowered<KernelOf<'pool'>>): KernelText {
  return ctx.type(l.node.inputs[0]!).dtype === 'f32' ? poolFloats(ctx, l) : poolCodes(ctx, l);
}

function poolFloats(ctx: KernelContext, l: Lowered<KernelOf<'pool'>>): KernelText {
  const y = l.node.outputs[0]!;
  const { fn, kernel, pads, countIncludePad } = l.spec;
  const [, h, w] = ctx.type(l.node.inputs[0]!).shape as [number, number, number];
  const { wide } = ctx.tuning;
  const lanes = wide && hasLanewiseTail(ctx) ? wideLanes(wide.lanes) : NARROW;
  const source = floatSource(ctx, l.node.inputs[0]!, lanes);
  const space = spaceOf(ctx.type(y).shape);
  const epi = emitEpilogue(ctx, 'epi', { ...space, whole: space.cols % lanes.block === 0 }, y, lanes);
  const step =
    fn === 'max' ? (a: string, v: string) => `f4_max(${a}, ${v})` : (a: string, v: string) => `f4_add(${a}, ${v})`;
  const init = fn === 'max' ? 'f4_splat(-__builtin_inff())' : 'f4_splat(0.0f)';
  // A window that hangs over the padded image on the far side (ceil mode) counts only up to the padding.
  const count = countIncludePad
    ? `(float)((y_0 + ${kernel[0]} < ${h + pads[2]} ? ${kernel[0]} : ${h + pads[2]} - y_0) * (x_0 + ${kernel[1]} < ${w + pads[3]} ? ${kernel[1]} : ${w + pads[3]} - x_0))`
    : '(float)((y_hi - y_lo) * (x_hi - x_lo))';
  const groups = together(space.cols, lanes);
  const sums = groups.map((g) => lanes.pieces.map((p) => `s${g}${p}`));
  const all = sums.flat();
  const scale =
    fn === 'avg'
      ? `const f4 count = f4_splat(${count}); ${all.map((s) => `${s} = f4_div(${s}, count);`).join(' ')}`
      : '';
  const taken = groups.map((g) => {
    const at = g === 0 ? '' : ` + ${g * lanes.block}`;
    const steps = lanes.pieces.map((p) => `s${g}${p} = ${step(`s${g}${p}`, `v${g}${p}`)};`);
    return `${source.pair(`v${g}`, `s${at}`, `n${at}`)} ${steps.join(' ')}`;
  });
  const done = groups.map((g) => `epi(${ctx.arguments()}, row, n + ${g * lanes.block}, nv, ${sums[g]!.join(', ')});`);
  const text = {
    block: groups.length * lanes.block,
    init: `f4 ${all.map((s) => `${s} = ${init}`).join(', ')};`,
    tap: taken.join(' '),
    done: `${scale}
      ${done.join(' ')}`,
  };
  const body = windows(ctx, l, source, lanes.wide ? inWide(text) : text);
  return { helpers: epi, body, macs: 0 };
}

/** Vectors of channels that are added up side by side: a sum alone would wait for itself. */
function together(channels: number, { wide, block }: Lanes): readonly number[] {
  const most = !wide || channels % block !== 0 ? 1 : [4, 2, 1].find((n) => channels % (n * block) === 0)!;
  return Array.from({ length: most }, (_, i) => i);
}

const inWide = (text: WindowText): WindowText => ({
  block: text.block,
  init: widened(text.init),
  tap: widened(text.tap),
  done: widened(text.done),
});

interface WindowText {
  /** Channels at a time. */
  readonly block: number;
  readonly init: string;
  readonly tap: string;
  readonly done: string;
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
      block: 8,
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
  text: WindowText,
): string {
  const { kernel, strides, pads, dilations } = l.spec;
  const [, h, w, c] = ctx.type(l.node.inputs[0]!).shape as [number, number, number, number];
  const [n, oh, ow] = ctx.type(l.node.outputs[0]!).shape as [number, number, number];
  const rows = n * oh * ow;
  const split = ctx.overlapped
    ? `${share(c, text.block, 'n0', 'n1')} const i32 r0 = 0, r1 = ${rows};`
    : `${share(rows, 1, 'r0', 'r1')} const i32 n0 = 0, n1 = ${c};`;
  return `${split}
  for (i32 row = r0; row < r1; row++) {
    const i32 px = row % ${ow}, py = row / ${ow} % ${oh}, b = row / ${oh * ow};
    ${clip('py', strides[0], pads[0], dilations[0], kernel[0], h, 'y')}
    ${clip('px', strides[1], pads[1], dilations[1], kernel[1], w, 'x')}
    for (i32 n = n0; n < n1; n += ${text.block}) {
      const i32 nv = ${c} - n < ${text.block} ? ${c} - n : ${text.block}; (void)nv;
      ${text.init}
      for (i32 ky = y_lo; ky < y_hi; ky++) for (i32 kx = x_lo; kx < x_hi; kx++) {
        const ${source.type} *s = ${source.pointer} + ((b * ${h} + y_0 + ky * ${dilations[0]}) * ${w} + x_0 + kx * ${dilations[1]}) * ${c} + n;
        ${text.tap}
      }
      ${text.done}
    }
  }`;
}
