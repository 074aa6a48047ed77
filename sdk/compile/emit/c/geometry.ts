import type { KernelOf } from '../../../ir/kernel.ts';
import type { TensorType } from '../../../util/tensor.ts';

/** Sizes of one convolution: x [n,h,w,c], filters [o,kh,kw,cg], output [n,oh,ow,o]; m = n*oh*ow rows, k = kh*kw*cg columns. */
export interface Geometry {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly cg: number;
  readonly o: number;
  readonly og: number;
  readonly kh: number;
  readonly kw: number;
  readonly oh: number;
  readonly ow: number;
  readonly groups: number;
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly m: number;
  readonly k: number;
  /** Rows of the matrix are the pixels of x as they lie: nothing to gather. */
  readonly pointwise: boolean;
}

export function geometryOf(
  spec: KernelOf<'conv'> | KernelOf<'qconv'>,
  x: TensorType,
  w: TensorType,
  y: TensorType,
): Geometry {
  const [n, h, width, c] = x.shape as [number, number, number, number];
  const [o, kh, kw, cg] = w.shape as [number, number, number, number];
  const [, oh, ow] = y.shape as [number, number, number, number];
  const pointwise =
    kh === 1 && kw === 1 && spec.groups === 1 && spec.strides.every((s) => s === 1) && spec.pads.every((p) => p === 0);
  const { strides, pads, dilations, groups } = spec;
  return {
    n,
    h,
    w: width,
    c,
    cg,
    o,
    og: o / groups,
    kh,
    kw,
    oh,
    ow,
    groups,
    strides,
    pads,
    dilations,
    m: n * oh * ow,
    k: kh * kw * cg,
    pointwise,
  };
}

/** A matrix product over rows that already exist. */
export function linearGeometry(rows: number, k: number, o: number): Geometry {
  return {
    n: 1,
    h: 1,
    w: rows,
    c: k,
    cg: k,
    o,
    og: o,
    kh: 1,
    kw: 1,
    oh: 1,
    ow: rows,
    groups: 1,
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    m: rows,
    k,
    pointwise: true,
  };
}

export interface Gather {
  /** Element type of x and of the gathered rows. */
  readonly from: 'float' | 'i8' | 'i16';
  readonly to: 'float' | 'i8' | 'i16';
  /** Elements from one gathered row to the next. */
  readonly pitch: number;
}

/**
 * Function `name(x, d, m0, mb, g, zp)`: gathers the receptive fields of output pixels m0..m0+mb-1 of group g as rows of a
 * matrix, taps in (ky, kx, channel) order; taps outside the image are `zp`.
 */
export function emitGather(name: string, geo: Geometry, gather: Gather): string {
  const { from, to, pitch } = gather;
  const copy = (d: string, s: string, n: string | number): string =>
    from === to ? `ew_copy(${d}, ${s}, (u32)(${n}) * sizeof(${to}))` : `ew_widen(${d}, ${s}, ${n})`;
  const fill = (d: string, n: string | number): string =>
    to === 'float'
      ? `ew_fill(${d}, 0, (u32)(${n}) * 4)`
      : to === 'i16'
        ? `ew_fill16(${d}, zp, ${n})`
        : `ew_fill(${d}, zp, ${n})`;
  const head = `static void ${name}(const ${from} *x, ${to} *d, i32 m0, i32 mb, i32 g, i32 zp) {\n  (void)zp; (void)g;`;
  if (geo.pointwise && pitch === geo.k) return `${head}\n  ${copy('d', `x + m0 * ${geo.k}`, `mb * ${geo.k}`)};\n}\n`;
  const [sh, sw] = geo.strides;
  const [pt, pl] = geo.pads;
  const [dh, dw] = geo.dilations;
  const whole = dw === 1 && geo.groups === 1;
  const taps = whole
    ? `if (x0 >= 0 && x0 + ${geo.kw} <= ${geo.w}) { ${copy('r', `line + x0 * ${geo.c}`, geo.kw * geo.c)}; r += ${geo.kw * geo.c}; } else`
    : '';
  return `${head}
  for (i32 i = 0; i < mb; i++) {
    i32 m = m0 + i, px = m % ${geo.ow}, py = m / ${geo.ow} % ${geo.oh}, b = m / ${geo.ow * geo.oh};
    i32 y0 = py * ${sh} - ${pt}, x0 = px * ${sw} - ${pl};
    ${to} *r = d + i * ${pitch};
    for (i32 ky = 0; ky < ${geo.kh}; ky++) {
      i32 iy = y0 + ky * ${dh};
      if (iy < 0 || iy >= ${geo.h}) { ${fill('r', geo.kw * geo.cg)}; r += ${geo.kw * geo.cg}; continue; }
      const ${from} *line = x + (b * ${geo.h} + iy) * ${geo.w * geo.c} + g * ${geo.cg};
      ${taps}
      for (i32 kx = 0; kx < ${geo.kw}; kx++, r += ${geo.cg}) {
        i32 ix = x0 + kx * ${dw};
        if (ix < 0 || ix >= ${geo.w}) ${fill('r', geo.cg)}; else ${copy('r', `line + ix * ${geo.c}`, geo.cg)};
      }
    }
  }
}
`;
}
