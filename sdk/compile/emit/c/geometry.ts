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
  /** Elements less the zero point: i8 to i16. */
  readonly centred?: boolean;
}

/** C text of the copying of `n` elements, and of what is outside the image. */
export function copying({ from, to, centred }: Omit<Gather, 'pitch'>): {
  copy(d: string, s: string, n: string | number): string;
  fill(d: string, n: string | number): string;
} {
  const nothing = to === 'float' || centred ? '0' : 'zp';
  return {
    copy: (d, s, n) =>
      from === to
        ? `ew_copy(${d}, ${s}, (u32)(${n}) * sizeof(${to}))`
        : centred
          ? `ew_widen_less(${d}, ${s}, ${n}, zp)`
          : `ew_widen(${d}, ${s}, ${n})`,
    fill: (d, n) =>
      to === 'i16' ? `ew_fill16(${d}, ${nothing}, ${n})` : `ew_fill(${d}, ${nothing}, (u32)(${n}) * sizeof(${to}))`,
  };
}

/**
 * Function `name(x, d, m0, mb, g, zp)`: gathers the receptive fields of output pixels m0..m0+mb-1 of group g as rows of a
 * matrix, taps in (ky, kx, channel) order; taps outside the image are `zp`.
 */
export function emitGather(name: string, geo: Geometry, gather: Gather): string {
  const { from, to, pitch } = gather;
  const { copy, fill } = copying(gather);
  const head = `static void ${name}(const ${from} *x, ${to} *d, i32 m0, i32 mb, i32 g, i32 zp) {\n  (void)zp; (void)g;`;
  if (geo.pointwise && pitch === geo.k) return `${head}\n  ${copy('d', `x + m0 * ${geo.k}`, `mb * ${geo.k}`)};\n}\n`;
  const [sh, sw] = geo.strides;
  const [pt, pl] = geo.pads;
  const [dh, dw] = geo.dilations;
  const whole = dw === 1 && geo.groups === 1;
  const taps = whole
    ? `if (x0 >= 0 && x0 + ${geo.kw} <= ${geo.w}) { ${copy('r', `line + x0 * ${geo.c}`, geo.kw * geo.c)}; r += ${geo.kw * geo.c}; } else`
    : '';
  const inside = whole
    ? `if (y0 >= 0 && y0 + ${(geo.kh - 1) * dh} < ${geo.h} && x0 >= 0 && x0 + ${geo.kw} <= ${geo.w}) {
      const ${from} *s = x + ((b * ${geo.h} + y0) * ${geo.w} + x0) * ${geo.c};
      for (i32 ky = 0; ky < ${geo.kh}; ky++, s += ${dh * geo.w * geo.c}, r += ${geo.kw * geo.c}) ${copy('r', 's', geo.kw * geo.c)};
    } else `
    : '';
  return `${head}
  i32 px = m0 % ${geo.ow}, py = m0 / ${geo.ow} % ${geo.oh}, b = m0 / ${geo.ow * geo.oh};
  for (i32 i = 0; i < mb; i++) {
    i32 y0 = py * ${sh} - ${pt}, x0 = px * ${sw} - ${pl};
    ${to} *r = d + i * ${pitch};
    ${inside}for (i32 ky = 0; ky < ${geo.kh}; ky++) {
      i32 iy = y0 + ky * ${dh};
      if (iy < 0 || iy >= ${geo.h}) { ${fill('r', geo.kw * geo.cg)}; r += ${geo.kw * geo.cg}; continue; }
      const ${from} *line = x + (b * ${geo.h} + iy) * ${geo.w * geo.c} + g * ${geo.cg};
      ${taps}
      for (i32 kx = 0; kx < ${geo.kw}; kx++, r += ${geo.cg}) {
        i32 ix = x0 + kx * ${dw};
        if (ix < 0 || ix >= ${geo.w}) ${fill('r', geo.cg)}; else ${copy('r', `line + ix * ${geo.c}`, geo.cg)};
      }
    }
    if (++px == ${geo.ow}) { px = 0; if (++py == ${geo.oh}) { py = 0; b++; } }
  }
}
`;
}

/** A convolution along one axis of a single image: the window of an output is a piece of the image, `step` elements behind that of the last one. */
export interface Line {
  readonly step: number;
  /** Outputs whose pieces of the image lie in `bytes` of elements of two bytes; 8 at least. */
  outputs(bytes: number): number;
  /** Elements of the pieces of that many outputs, and of three more that a tile reads beyond the last one. */
  elements(outputs: number): number;
}

/** Undefined where windows are not pieces of the image, or do not overlap, so that gathered rows take no more. */
export function lineOf(geo: Geometry): Line | undefined {
  const axis = geo.h === 1 && geo.kh === 1 ? 1 : geo.w === 1 && geo.kw === 1 ? 0 : undefined;
  if (axis === undefined || geo.n !== 1 || geo.groups !== 1 || geo.pads[1 - axis] !== 0 || geo.dilations[axis] !== 1)
    return undefined;
  const taps = axis === 1 ? geo.kw : geo.kh;
  const stride = geo.strides[axis]!;
  if (stride >= taps) return undefined;
  const step = stride * geo.c;
  return {
    step,
    outputs: (bytes) => Math.max(8, Math.floor((bytes / 2 - geo.k) / step / 4) * 4),
    elements: (outputs) => (outputs + 2) * step + geo.k + 16,
  };
}

/** As emitGather, the pieces of outputs m0..m0+mb-1 of a line once, one after another. */
export function emitLine(name: string, geo: Geometry, gather: Omit<Gather, 'pitch'>): string {
  const { from, to } = gather;
  const { copy, fill } = copying(gather);
  const axis = geo.h === 1 && geo.kh === 1 ? 1 : 0;
  const [size, taps] = axis === 1 ? [geo.w, geo.kw] : [geo.h, geo.kh];
  const { c } = geo;
  return `static void ${name}(const ${from} *x, ${to} *d, i32 m0, i32 mb, i32 g, i32 zp) {
  (void)g; (void)zp;
  i32 at = m0 * ${geo.strides[axis]} - ${geo.pads[axis]}; const i32 end = at + (mb - 1) * ${geo.strides[axis]} + ${taps};
  if (at < 0) { const i32 before = end < 0 ? end - at : -at; ${fill('d', `before * ${c}`)}; d += before * ${c}; at += before; }
  if (at < end && at < ${size}) { const ${from} *s = x + at * ${c}; const i32 n = ((end < ${size} ? end : ${size}) - at) * ${c}; ${copy('d', 's', 'n')}; d += n; at += n / ${c}; }
  if (at < end) ${fill('d', `(end - at) * ${c}`)};
}
`;
}
