import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import type { KernelContext } from './context.ts';

/** Sizes of a transposed convolution: x [images, h, w, c], filters [c, kh, kw, og], output [images, oh, ow, o]. */
export interface Transposed {
  readonly x: string;
  readonly filters: string;
  readonly bias: string | undefined;
  readonly y: string;
  readonly images: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly cg: number;
  readonly kh: number;
  readonly kw: number;
  readonly og: number;
  readonly oh: number;
  readonly ow: number;
  readonly o: number;
  readonly spec: KernelOf<'convtranspose'>;
  readonly macs: number;
}

export function transposedOf(ctx: KernelContext, { node, spec }: Lowered<KernelOf<'convtranspose'>>): Transposed {
  const [x, filters, bias] = node.inputs as [string, string, string?];
  const y = node.outputs[0]!;
  const [images, h, w, c] = ctx.type(x).shape as [number, number, number, number];
  const [, kh, kw, og] = ctx.type(filters).shape as [number, number, number, number];
  const [, oh, ow, o] = ctx.type(y).shape as [number, number, number, number];
  const sizes = { images, h, w, c, cg: c / spec.groups, kh, kw, og, oh, ow, o };
  return { x, filters, bias: bias || undefined, y, ...sizes, spec, macs: images * h * w * c * kh * kw * og };
}

/**
 * C text that does `each` for every tap (ky, kx) that reaches output pixel `row`, with `s` at the pixel of the input, whose pointer is `src`, that it
 * comes from.
 */
export function tapsOfPixel({ spec, kh, kw, h, w, c, oh, ow }: Transposed, src: string, each: string): string {
  const { strides, pads, dilations } = spec;
  return `const i32 px = row % ${ow}, py = row / ${ow} % ${oh}, b = row / ${oh * ow};
    for (i32 ky = 0; ky < ${kh}; ky++) {
      const i32 ty = py + ${pads[0]} - ky * ${dilations[0]}; if (ty < 0 || ty % ${strides[0]} != 0 || ty / ${strides[0]} >= ${h}) continue;
      for (i32 kx = 0; kx < ${kw}; kx++) {
        const i32 tx = px + ${pads[1]} - kx * ${dilations[1]}; if (tx < 0 || tx % ${strides[1]} != 0 || tx / ${strides[1]} >= ${w}) continue;
        const float *s = ${src} + ((b * ${h} + ty / ${strides[0]}) * ${w} + tx / ${strides[1]}) * ${c};
        ${each}
      }
    }`;
}
