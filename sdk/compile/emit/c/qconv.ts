import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, type ShortVector, share, splitOf } from './context.ts';
import { blockedLoops, blockRows, clip, depthwiseShare, raggedLoops, raggedTaps, realRows, rowSplit } from './conv.ts';
import { emitEpilogue, type Space, spaceOf } from './epilogue.ts';
import { type Done, microDot7, microI16, NR, type Rows, rolled, rowsPerTile } from './gemm.ts';
import { rowForm } from './gemv.ts';
import { emitGather, type Geometry, geometryOf, linearGeometry } from './geometry.ts';
import { DOT7_BITS, DOT7_OFFSET } from './panels.ts';
import { eightOf } from './vectors.ts';
import { suitsWideDepthwise, wideDepthwise } from './wide-depthwise.ts';
import { wideProduct } from './wide-product.ts';

/** What turns integer sums into f32 results. */
interface Scaling {
  /** Pointers to those of the eight channels of the tile, once `setup` has been done for it. */
  readonly multiplier: string;
  readonly bias: string;
  readonly setup: string;
  /** Pointer to one scale a row (dynamic activations), or undefined. */
  readonly rowScale?: string;
}

/** Integer convolution: codes unpacked once a channel tile, activations widened once a block of rows. */
export function emitQConv(ctx: KernelContext, l: Lowered<KernelOf<'qconv'>>): KernelText {
  const [x, w, m, bias, zp] = l.node.inputs as [string, string, string, string, string];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const zero = zeroPoint(ctx, zp);
  const factors = { multiplier: ctx.vector(m), bias: ctx.vector(bias) };
  return productInt(ctx, geo, { x, w, y, zp: zero, ...factors });
}

/** Integer x [..., K] with one scale a row or one zero point, times codes [N, K]. */
export function emitQLinear(ctx: KernelContext, l: Lowered<KernelOf<'qlinear'>>): KernelText {
  const [x, xs, w, ws, bias, zp] = l.node.inputs as [string, string, string, string, string, string?];
  const y = l.node.outputs[0]!;
  const [o, k] = ctx.type(w).shape as [number, number];
  const geo = linearGeometry(spaceOf(ctx.type(y).shape).rows, k, o);
  const factors = { multiplier: ctx.vector(ws), bias: ctx.vector(bias) };
  const rowScale = xs ? ctx.read(xs) : undefined;
  return productInt(ctx, geo, { x, w, y, ...factors, rowScale, zp: zp ? zeroPoint(ctx, zp) : '0' });
}

/** C expression of the one zero point; '0' where it is known to be that. */
function zeroPoint(ctx: KernelContext, zp: string): string {
  return ctx.constant(zp)?.data[0] === 0 ? '0' : `*${ctx.read(zp)}`;
}

/** Values of an integer product; x and w are still to be read. */
interface Operands {
  readonly x: string;
  readonly w: string;
  readonly y: string;
  /** C expression of the zero point. */
  readonly zp: string;
  /** What turns integer sums into f32 results, by channel. */
  readonly multiplier: ShortVector;
  readonly bias: ShortVector;
  /** Pointer to one scale a row, or undefined. */
  readonly rowScale?: string | undefined;
}

function scalingOf(ctx: KernelContext, { multiplier, bias, rowScale }: Operands): Scaling {
  const eight = (v: ShortVector) => eightOf(v, 'G + n', () => ctx.scratch(32));
  const [m, b] = [eight(multiplier), eight(bias)];
  return {
    multiplier: m.at,
    bias: b.at,
    setup: `${m.setup} ${b.setup}`,
    ...(rowScale === undefined ? {} : { rowScale }),
  };
}

// What is read of the graph, and in which order, is the same for all vectors: it decides where weights lie.
function productInt(ctx: KernelContext, geo: Geometry, v: Operands): KernelText {
  const space: Space = { ...spaceOf(ctx.type(v.y).shape), whole: geo.og % NR === 0 };
  const rest = { macs: geo.m * geo.k * geo.o, ...rowSplit(geo) };
  const src = ctx.read(v.x);
  const { pointer: panels, bits } = ctx.panels(v.w, geo.o, geo.k);
  const { wide } = ctx.tuning;
  if (wide) return { ...wideProduct(ctx, wide, { geo, src, panels, bits, ...v }, space), ...rest };
  const scaling = scalingOf(ctx, v);
  if (geo.m === 1 && geo.groups === 1 && (ctx.type(v.x).dtype === 'i8' || v.zp === '0'))
    return productOfRow(ctx, geo, { ...v, src, panels, bits }, scaling);
  const kp = Math.ceil(geo.k / 16) * 16;
  const narrow = ctx.type(v.x).dtype === 'i8';
  const epi = emitEpilogue(ctx, 'epi', space, v.y);
  const mr = rowsPerTile(geo.m);
  const block = blockRows(ctx, geo, 2);
  const sums = ctx.scratch(32);
  const rowSums = ctx.scratch(block * 4);
  const tile = ctx.scratch(8 * kp * 2);
  const rows = ctx.scratch((block + 4) * kp * 2);
  const shared = { ctx, geo, kp, mr, block, src, panels, sums, tile, rows, rowSums, scaling, zp: v.zp };
  const plain = plainProduct(shared, narrow ? 'i8' : 'i16');
  if (!narrow || bits > DOT7_BITS) return { ...plain, helpers: plain.helpers + epi, ...rest };
  const dot7 = dot7Product(shared);
  return {
    helpers: `#ifdef EW_DOT7\n${dot7.helpers}#else\n${plain.helpers}#endif\n${epi}`,
    body: `#ifdef EW_DOT7\n${dot7.body}\n#else\n${plain.body}\n#endif`,
    ...rest,
  };
}

/** One row: codes are multiplied as they are unpacked. */
function productOfRow(
  ctx: KernelContext,
  geo: Geometry,
  v: Operands & { readonly src: string; readonly panels: string; readonly bits: number },
  scaling: Scaling,
): KernelText {
  const { src, panels, bits } = v;
  const kp = Math.ceil(geo.k / 16) * 16;
  const type = ctx.type(v.x).dtype === 'i8' ? 'i8' : 'i16';
  const space: Space = { ...spaceOf(ctx.type(v.y).shape), whole: geo.og % NR === 0 };
  const gather = geo.pointwise ? '' : emitGather('gather', geo, { from: type, to: type, pitch: kp });
  const gathered = geo.pointwise ? src : `((${type} *)${ctx.scratch(kp * 2)})`;
  const row = `((ew_row_${rowForm(type, bits)} *)${ctx.scratch(kp * 2)})`;
  const room = ctx.scratch(16 * kp);
  const out = `((i32 *)${ctx.scratch(64)})`;
  const epi = emitEpilogue(ctx, 'epi', space, v.y);
  const { use } = finish({ ctx, geo, scaling, mr: 1 });
  const form = rowForm(type, bits);
  const body = `const i32 zp = ${v.zp}; (void)zp;
  ${share(geo.o, NR, 'n0', 'n1')}
  if (n0 >= n1) return;
  ${gather ? `gather(${src}, ${gathered}, 0, 1, 0, zp);` : ''}
  const i32 sum = ${type === 'i8' ? `ew_make_row_${form}(${gathered}, ${geo.k}, zp, ${row})` : `ew_make_row16_${form}(${gathered}, ${geo.k}, ${row})`}, G = 0, m = 0, r = 0;
  for (i32 n = n0; n < n1; n += ${NR}) {
    const i32 nv = ${geo.o} - n < ${NR} ? ${geo.o} - n : ${NR}; (void)nv;
    ew_gemv_${form}(${panels}, n / ${NR}, ${geo.o}, ${geo.k}, ${row}, sum, zp, ${room}, ${out}); ${scaling.setup}
    ${use(`i4_load(${out})`, `i4_load(${out} + 4)`)}
  }`;
  return { helpers: gather + epi, body, macs: geo.k * geo.o };
}

type ProductText = Omit<KernelText, 'macs'>;

interface Product {
  readonly ctx: KernelContext;
  readonly geo: Geometry;
  readonly kp: number;
  readonly mr: number;
  readonly block: number;
  readonly src: string;
  readonly panels: string;
  readonly sums: string;
  readonly tile: string;
  readonly rows: string;
  readonly rowSums: string;
  readonly scaling: Scaling;
  readonly zp: string;
}

/** f32 results of one row from its two integer sums, handed to the epilogue. */
function finish(p: Pick<Product, 'ctx' | 'geo' | 'scaling' | 'mr'>): Done {
  const { geo, scaling, ctx } = p;
  const scaled = (c: string, k: number): string => {
    const f = scaling.rowScale ? `f4_mul(f4_from_i4(${c}), xs)` : `f4_from_i4(${c})`;
    return `f4_add(f4_mul(${f}, f4_load(${scaling.multiplier} + ${k})), f4_load(${scaling.bias} + ${k}))`;
  };
  const row = scaling.rowScale ? `const f4 xs = f4_load_splat(${scaling.rowScale} + m + r); ` : '';
  return {
    ...realRows(geo.m, p.mr),
    use: (c0, c1) => `${row}epi(${ctx.arguments()}, m + r, G + n, nv, ${scaled(c0, 0)}, ${scaled(c1, 4)});`,
  };
}

/** What is done once a channel tile: codes unpacked, scales and biases of its channels made plain, the zero point's share of the sums. */
function perTile(p: Product, unpack: 'ew_panel_i16' | 'ew_panel_u7', type: 'i16' | 'u8'): string {
  const panel = `${p.panels}, (G + n) / ${NR}, ${p.geo.o}, ${p.geo.k}, (${type} *)${p.tile}, ${p.zp === '0' ? '(i32 *)0' : `(i32 *)${p.sums}`}`;
  const correction = `const i32 *z = (const i32 *)${p.sums}; const i4 zs = i4_splat(-zp), z0 = i4_mul(i4_load(z), zs), z1 = i4_mul(i4_load(z + 4), zs);`;
  const none = 'const i4 z0 = i4_splat(0), z1 = z0;';
  return `${unpack}(${panel}); ${p.scaling.setup}
        ${p.zp === '0' ? none : correction}`;
}

/** Plain SIMD: activations and codes as i16, adjacent products summed. */
function plainProduct(p: Product, from: 'i8' | 'i16'): ProductText {
  const { geo, kp } = p;
  const inPlace = from === 'i16' && geo.pointwise && geo.k === kp && geo.m % 4 === 0 && !p.ctx.overlapped;
  const pitch = kp;
  const gather = inPlace ? '' : emitGather('gather', geo, { from, to: 'i16', pitch });
  const rows: Rows = { base: inPlace ? `${p.src} + m * ${kp}` : `(i16 *)${p.rows} + (m - mb) * ${kp}`, pitch: kp };
  const micro = microI16(p.ctx.tuning.sums, kp, p.mr, rows, `(i16 *)${p.tile}`, ['z0', 'z1'], finish(p));
  const setup = inPlace ? '' : `gather(${p.src}, (i16 *)${p.rows}, mb, me - mb, g, zp);`;
  const body = blockedLoops(geo, p.mr, p.block, setup, micro, perTile(p, 'ew_panel_i16', 'i16'));
  return { helpers: gather, body: `const i32 zp = ${p.zp};\n  ${body}` };
}

/**
 * Relaxed dot product: activations i8, codes offset to unsigned 7 bits. sum(a * u) = sum(a * q) + offset * sum(a), so
 * the row sums of the gathered rows are taken back afterwards; both include the padding columns, where q = 0.
 */
function dot7Product(p: Product): ProductText {
  const { geo, kp } = p;
  const helpers = emitGather('gather', geo, { from: 'i8', to: 'i8', pitch: kp });
  const init = (r: number): [string, string] => [
    `i4_add(z0, i4_splat(rs[m - mb + ${r}]))`,
    `i4_add(z1, i4_splat(rs[m - mb + ${r}]))`,
  ];
  const rows: Rows = { base: `(i8 *)${p.rows} + (m - mb) * ${kp}`, pitch: kp };
  const micro = microDot7(p.ctx.tuning.sums, kp, p.mr, rows, `(u8 *)${p.tile}`, init, finish(p));
  const setup = `gather(${p.src}, (i8 *)${p.rows}, mb, me - mb, g, zp); ew_row_sums((i8 *)${p.rows}, (i32 *)${p.rowSums}, me - mb, ${kp}, ${DOT7_OFFSET}); const i32 *rs = (const i32 *)${p.rowSums};`;
  const body = blockedLoops(geo, p.mr, p.block, setup, micro, perTile(p, 'ew_panel_u7', 'u8'));
  return { helpers, body: `const i32 zp = ${p.zp};\n  ${body}` };
}

/** Rows of a depthwise image in a band at least: filters are made ready once a band. */
const ROWS_IN_BAND = 4;

/** Output pixels computed together, so that a filter tap is loaded once for all of them. */
const DW_PIXELS = 2;

/**
 * Integer depthwise: taps paired along x so that one i16 dot product adds two of them; x - zp is exact in 9 bits. Taps
 * outside the image contribute nothing, which is what x = zp would.
 */
export function emitQDepthwise(ctx: KernelContext, l: Lowered<KernelOf<'qconv'>>): KernelText {
  const [x, w, m, bias, zp] = l.node.inputs as [string, string, string, string, string];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const src = ctx.read(x);
  const cpad = Math.ceil(geo.c / NR) * NR;
  const pairs = Math.ceil(geo.kw / 2);
  const taps = geo.kh * geo.kw;
  const { pointer: filter, bits } = ctx.panels(w, geo.c, taps);
  const zero = ctx.read(zp);
  const perChannel = ctx.type(zp).shape.some((d) => d > 1);
  const mult = ctx.read(m);
  const b = ctx.read(bias);
  const { wide } = ctx.tuning;
  const split = ctx.overlapped ? {} : { split: splitOf(geo.n * geo.oh, 1, ROWS_IN_BAND) };
  const rest = { macs: geo.m * taps * geo.c, ...split };
  if (wide && ctx.type(x).dtype === 'i8' && suitsWideDepthwise(ctx, wide, geo, bits)) {
    const operands = { src, filter, zero, zeroPerChannel: perChannel, multiplier: mult, bias: b, y };
    return { ...wideDepthwise(ctx, wide, geo, operands), ...rest };
  }
  const epi = emitEpilogue(ctx, 'epi', spaceOf(ctx.type(y).shape), y);
  const fw = ctx.scratch(geo.kh * pairs * cpad * 4);
  const tile = ctx.scratch(16 * (Math.ceil(taps / 16) * 16 + 2));
  const sums = ctx.scratch(32);
  const load = ctx.type(x).dtype === 'i8' ? 'h8_load_i8' : 'h8_load';
  const dx = geo.dilations[1] * geo.c;
  const step = geo.strides[1] * geo.c;
  const helpers = `${pairFilters(geo, cpad, pairs)}${epi}`;
  const z = perChannel
    ? `const h8 z = h8_narrow(i4_load(${zero} + n), i4_load(${zero} + n + 4));`
    : `const h8 z = h8_splat((i16)*${zero});`;
  const results = (k: number): string => `i4_store(acc + ${8 * k}, c${k}0); i4_store(acc + ${8 * k + 4}, c${k}1);`;
  const finish = `epi(${ctx.arguments()}, row0 * ${geo.ow} + px + r, n, nv, f4_add(f4_mul(f4_from_i4(i4_load(acc + 8 * r)), m0), b0), f4_add(f4_mul(f4_from_i4(i4_load(acc + 8 * r + 4)), m1), b1));`;
  const accumulate = (pixels: number, kxLoop: (body: (pair: string, second: boolean) => string) => string): string => {
    const px = Array.from({ length: pixels }, (_, k) => k);
    const body = (f: string, second: boolean): string =>
      `{ const h8 f0 = h8_load(${f}), f1 = h8_load(${f} + 8); ${px
        .map((k) => {
          const u = `h8_sub(${load}(s + ${k * step}), z)`;
          const v = second ? `h8_sub(${load}(s + ${k * step + dx}), z)` : 'h8_splat(0)';
          return `{ const h8 u = ${u}, v = ${v}; c${k}0 = i4_add(c${k}0, h8_dot(h8_zip_lo(u, v), f0)); c${k}1 = i4_add(c${k}1, h8_dot(h8_zip_hi(u, v), f1)); }`;
        })
        .join(' ')} }`;
    return `${px.map((k) => `i4 c${k}0 = i4_splat(0), c${k}1 = i4_splat(0);`).join(' ')}
          for (i32 ky = y_lo; ky < y_hi; ky++) {
            const __typeof__(*${src}) *s = ${src} + ((b * ${geo.h} + y_0 + ky * ${geo.dilations[0]}) * ${geo.w} + x_0) * ${geo.c} + n;
            const i16 *f = fw + ky * ${pairs * cpad * 2} + n * 2;
            ${kxLoop(body)}
          }
          ${px.map(results).join(' ')}`;
  };
  const inside = (pixels: number): string =>
    accumulate(pixels, (body) => {
      const taps = Array.from({ length: pairs }, (_, p) => body(`f + ${p * cpad * 2}`, 2 * p + 1 < geo.kw));
      return taps.join(`\n            s += ${2 * dx};\n            `);
    });
  const border = accumulate(1, () => borderTaps(load, dx, cpad));
  const body = `i16 *fw = (i16 *)${fw};
  pair_filters(${filter}, (i16 *)${tile}, (i32 *)${sums}, fw);
  ${depthwiseShare(ctx, geo)}
  for (i32 row0 = r0; row0 < r1; row0++) {
    const i32 py = row0 % ${geo.oh}, b = row0 / ${geo.oh};
    ${clip('py', geo.strides[0], geo.pads[0], geo.dilations[0], geo.kh, geo.h, 'y')}
    for (i32 px = 0; px < ${geo.ow};) {
      const i32 x_0 = px * ${geo.strides[1]} - ${geo.pads[1]};
      const i32 last = x_0 + ${(geo.kw - 1) * geo.dilations[1]};
      const i32 inside = x_0 >= 0 && last < ${geo.w};
      const i32 two = inside && px + 1 < ${geo.ow} && last + ${geo.strides[1]} < ${geo.w};
      for (i32 n = n0; n < n1; n += ${NR}) {
        const i32 nv = ${geo.c} - n < ${NR} ? ${geo.c} - n : ${NR}; (void)nv;
        ${z}
        const f4 m0 = f4_load(${mult} + n), m1 = f4_load(${mult} + n + 4), b0 = f4_load(${b} + n), b1 = f4_load(${b} + n + 4);
        i32 acc[${8 * DW_PIXELS}];
        if (two) {
          ${inside(DW_PIXELS)}
        } else if (inside) {
          ${inside(1)}
        } else {
          const i32 x_lo = x_0 < 0 ? (-x_0 + ${geo.dilations[1] - 1}) / ${geo.dilations[1]} : 0;
          i32 x_hi = last >= ${geo.w} ? (${geo.w} - x_0 + ${geo.dilations[1] - 1}) / ${geo.dilations[1]} : ${geo.kw}; if (x_hi < x_lo) x_hi = x_lo;
          ${border}
        }
        ${rolled('(two ? 2 : 1)', finish)}
      }
      px += two ? 2 : 1;
    }
  }`;
  return { helpers, body, ...rest };
}

/** One tap at a time: the pair's other half is multiplied by a zero activation. */
function borderTaps(load: string, dx: number, cpad: number): string {
  return `for (i32 kx = x_lo; kx < x_hi; kx++) {
              const h8 t = h8_sub(${load}(s + kx * ${dx}), z), o = h8_splat(0);
              const h8 u = kx & 1 ? o : t, v = kx & 1 ? t : o;
              const i16 *g = f + (kx >> 1) * ${cpad * 2};
              c00 = i4_add(c00, h8_dot(h8_zip_lo(u, v), h8_load(g))); c01 = i4_add(c01, h8_dot(h8_zip_hi(u, v), h8_load(g + 8)));
            }`;
}

/**
 * Panels of filters [channel][tap] -> [ky][pair][channel][2] i16, zero where a row has an odd number of taps. A tile has its taps in
 * pairs from the first one on, [tap / 2][8 channels][2]; a pair that begins at an odd tap lies across two of those.
 */
function pairFilters(geo: Geometry, cpad: number, pairs: number): string {
  const half = (k: number): string => {
    const even = `h8_load(u + ${k})`;
    const odd = `v_or(v_and(i4_shr(${even}, 16), low), i4_shl(h8_load(u + ${16 + k}), 16))`;
    const last = `v_and(v, low)`;
    return `{ const h8 v = t & 1 ? ${odd} : ${even}; h8_store(q + ${k}, both ? v : ${last}); }`;
  };
  return `static void pair_filters(const u8 *w, i16 *tile, i32 *sums, i16 *d) {
  const i4 low = i4_splat(0xffff);
  for (i32 c = 0; c < ${cpad}; c += ${NR}) {
    ew_panel_i16(w, c / ${NR}, ${geo.c}, ${geo.kh * geo.kw}, tile, sums);
    for (i32 ky = 0; ky < ${geo.kh}; ky++) for (i32 p = 0; p < ${pairs}; p++) {
      const i32 t = ky * ${geo.kw} + 2 * p, both = 2 * p + 1 < ${geo.kw};
      const i16 *u = tile + (t >> 1) * 16; i16 *q = d + ((ky * ${pairs} + p) * ${cpad} + c) * 2;
      ${half(0)} ${half(8)}
    }
  }
}
`;
}

/** Grouped integer convolution whose groups are not whole tiles: one channel at a time. */
export function emitRaggedQConv(ctx: KernelContext, l: Lowered<KernelOf<'qconv'>>): KernelText {
  const [x, w, m, bias, zp] = l.node.inputs as [string, string, string, string, string];
  const y = l.node.outputs[0]!;
  const geo = geometryOf(l.spec, ctx.type(x), ctx.type(w), ctx.type(y));
  const src = ctx.read(x);
  const { pointer: panels } = ctx.panels(w, geo.o, geo.k);
  const filter = `((const i8 *)${ctx.scratch(geo.o * geo.k)})`;
  const tile = ctx.scratch(16 * Math.ceil(geo.k / 16) * 16);
  const perChannel = ctx.type(zp).shape.some((d) => d > 1);
  const zero = perChannel ? `${ctx.read(zp)}[o / ${geo.og} * ${geo.cg} + c]` : `*${ctx.read(zp)}`;
  const epi = emitEpilogue(ctx, 'epi', spaceOf(ctx.type(y).shape), y);
  const mult = ctx.read(m);
  const b = ctx.read(bias);
  const lane = `i32 acc = 0; ${raggedTaps(geo, src, filter, `acc += (line[c] - ${zero}) * f[c];`)} t[j] = acc;`;
  const result = (k: number): string =>
    `f4_add(f4_mul(f4_from_i4(i4_load(t + ${k})), f4_load(${mult} + n + ${k})), f4_load(${b} + n + ${k}))`;
  return {
    helpers: epi,
    body: `ew_panel_rows(${panels}, ${geo.o}, ${geo.k}, (u8 *)${tile}, (i8 *)${filter});
  ${raggedLoops(ctx, geo, 'i32 t[8] = {0}', lane, `${result(0)}, ${result(4)}`)}`,
    macs: geo.m * geo.k * geo.o,
  };
}
