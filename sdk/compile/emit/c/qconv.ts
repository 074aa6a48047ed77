import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, type ShortVector, share } from './context.ts';
import {
  blockedLoops,
  blockRows,
  mostRows,
  ROWS_TO_SPLIT,
  raggedLoops,
  raggedTaps,
  realRows,
  rowSplit,
  type Sharing,
  sharingOf,
} from './conv.ts';
import { chainsOfTiles, type TileChains } from './dot7-chains.ts';
import { emitEpilogue, emitRowEpilogue, type RowEpilogue, type Space, spaceOf } from './epilogue.ts';
import { type Done, fittingRows, MR, microDot7, microI16, NR, type Rows, rowsPerTile } from './gemm.ts';
import { rowForm } from './gemv.ts';
import {
  emitGather,
  emitLine,
  type Gather,
  type Geometry,
  geometryOf,
  type Line,
  linearGeometry,
  lineOf,
} from './geometry.ts';
import { NARROW } from './lanes.ts';
import { DOT7_BITS, DOT7_OFFSET } from './panels.ts';
import { type Turn, turnOf } from './turn.ts';
import { eightOf, expanded } from './vectors.ts';
import { wideProduct } from './wide-product.ts';
import { isWideRow, wideRow } from './wide-row.ts';
import { emitLines, type Windows, windowAt, windowLoops, windowRows, windowSums, windowsOf } from './windows.ts';
import { narrowWinograd } from './winograd.ts';
import { winogradOf } from './winograd-plan.ts';

/** What turns integer sums into f32 results. */
export interface Scaling {
  /** Vectors of those of the eight channels of the tile, once `setup` has been done for it. */
  readonly multiplier: readonly [string, string];
  readonly bias: readonly [string, string];
  readonly setup: string;
  /** Pointer to one scale a row (dynamic activations), or undefined. */
  readonly rowScale?: string;
}

/** Outputs of a line in a block at most. */
const MOST_OUTPUTS = 1024;

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
    multiplier: ['s0', 's1'],
    bias: ['o0', 'o1'],
    setup: `${m.setup} ${b.setup} const f4 s0 = f4_load(${m.at}), s1 = f4_load(${m.at} + 4), o0 = f4_load(${b.at}), o1 = f4_load(${b.at} + 4);`,
    ...(rowScale === undefined ? {} : { rowScale }),
  };
}

// What is read of the graph, and in which order, is the same for all vectors: it decides where weights lie.
function productInt(ctx: KernelContext, geo: Geometry, v: Operands): KernelText {
  const space: Space = { ...spaceOf(ctx.type(v.y).shape), whole: geo.og % NR === 0 };
  // Bands are for results that are written over what others have read.
  const rest = { macs: geo.m * geo.k * geo.o, ...(ctx.group.turned ? {} : rowSplit(geo)) };
  const src = ctx.read(v.x);
  const oneRow = geo.m === 1 && geo.groups === 1;
  const { pointer: panels, bits } = ctx.panels(v.w, geo.o, geo.k, oneRow && ctx.type(v.x).dtype === 'i8');
  const { wide } = ctx.tuning;
  if (wide) {
    const p = { geo, src, panels, ...v };
    return { ...(isWideRow(ctx, p) ? wideRow : wideProduct)(ctx, wide, p, space), ...rest };
  }
  if (oneRow && (ctx.type(v.x).dtype === 'i8' || v.zp === '0'))
    return productOfRow(ctx, geo, { ...v, src, panels, bits });
  const scaling = scalingOf(ctx, v);
  const kp = Math.ceil(geo.k / 16) * 16;
  const narrow = ctx.type(v.x).dtype === 'i8';
  const winograd = winogradOf(ctx, geo, v, {
    lanes: 4,
    rows: MR,
    columns: 2,
    step: ctx.tuning.sums ? 8 : 2,
    direct: 2,
  });
  const line = lineOf(geo);
  const fit = line ? Math.min(line.outputs(ctx.tuning.blockBytes), MOST_OUTPUTS) : 0;
  const unit = ctx.tuning.sums ? 16 : 4;
  const inPlace =
    !narrow && geo.pointwise && geo.k % (ctx.tuning.sums ? 8 : 2) === 0 && geo.m % MR === 0 && !ctx.overlapped;
  // Rows that are not copied leave room for more of them, as do copies of bytes.
  const block = line ? Math.min(fit, Math.ceil(geo.m / MR) * MR) : blockRows(ctx, geo, 2, inPlace);
  const byteBlock = line ? block : blockRows(ctx, geo, 1);
  const copied = mostRows(ctx, geo, 2);
  const windows = line || geo.m < MR ? undefined : windowsOf(geo, unit, copied * 4 + (copied + 4) * kp * 2);
  const held = Math.max(block, byteBlock, (windows?.rows ?? 0) * geo.ow, (winograd?.rows ?? 0) * 2 * geo.ow);
  const turn = turnOf(ctx, held, NR);
  const epi = emitRowEpilogue(ctx, 'epi', { ...space, turn }, v.y, NARROW);
  const product = { ...v, geo, src, panels, epi, scaling, turn };
  if (winograd && !narrow) {
    const { helpers, body } = narrowWinograd(ctx, product, winograd);
    return { helpers: helpers + epi.text, body, ...rest };
  }
  const mark = ctx.scratchBytes;
  // In one block that no two parts share, whatever multiple of a tile's rows that is: parts begin at multiples of four.
  const apart = line || windows || block < geo.m || geo.m >= ROWS_TO_SPLIT;
  const mr = apart ? rowsPerTile(geo.m) : fittingRows(geo.m);
  const sums = ctx.scratch(32);
  const rowSums = ctx.scratch(narrow ? 4 * (windows ? windows.rows * geo.ow + MR : byteBlock) : 0);
  const tile = ctx.scratch(8 * kp * 2);
  const elements = windows?.elements ?? line?.elements(block) ?? Math.max(block + 4, (byteBlock + 4) / 2) * kp;
  const rows = ctx.scratch(inPlace ? 0 : elements * 2);
  const eight = bits > DOT7_BITS;
  const shared = {
    ctx,
    geo,
    line,
    windows,
    kp,
    mr,
    block,
    byteBlock,
    inPlace,
    epi,
    src,
    panels,
    sums,
    tile,
    rows,
    rowSums,
    scaling,
    eight,
    sharing: sharingOf(ctx, geo, NR),
    turn,
    zp: v.zp,
  };
  const plain = winograd
    ? ctx.instead(mark, () => narrowWinograd(ctx, product, winograd))
    : plainProduct(shared, narrow ? 'i8' : 'i16');
  // Of codes that change little is run.
  if (!narrow || (eight && (ctx.tuning.sums || !ctx.constant(v.w))))
    return { ...plain, helpers: plain.helpers + epi.text, ...rest };
  const chains = ctx.tuning.sums ? undefined : chainsFor(ctx, v.w, geo, windows ? geo.kh : 1, winograd?.share);
  const dot7 = dot7Product({ ...shared, chains });
  if ((chains && !eight) || ctx.tuning.sums)
    return {
      helpers: `#ifdef EW_DOT7\n${dot7.helpers}#else\n${plain.helpers}#endif\n${epi.text}`,
      body: `#ifdef EW_DOT7\n${dot7.body}\n#else\n${plain.body}\n#endif`,
      ...rest,
    };
  const where = `${eight ? 'ew_eight' : ''}${eight && !chains ? ' && ' : ''}${chains ? '' : '!ew_chained'}`;
  const renamed = (text: string): string => text.replace(/\bgather\(/g, 'gather16(');
  return {
    helpers: `#ifdef EW_DOT7\n${dot7.helpers}#endif\n${renamed(plain.helpers)}${epi.text}`,
    body: `#ifdef EW_DOT7\n  if (${where}) {\n  ${dot7.body}\n  return;\n  }\n#endif\n  ${renamed(plain.body)}`,
    ...rest,
  };
}

/** Channels of one row whose scales and biases are made plain together. */
const ROW_CHANNELS = 64;

/** One row: a tile of codes at a time is unpacked and multiplied. */
function productOfRow(
  ctx: KernelContext,
  geo: Geometry,
  v: Operands & { readonly src: string; readonly panels: string; readonly bits: number },
): KernelText {
  const { src, panels, bits } = v;
  const kp = Math.ceil(geo.k / 16) * 16;
  const type = ctx.type(v.x).dtype === 'i8' ? 'i8' : 'i16';
  const space: Space = { ...spaceOf(ctx.type(v.y).shape), whole: geo.og % NR === 0 };
  const gather = geo.pointwise ? '' : emitGather('gather', geo, { from: type, to: type, pitch: kp });
  const gathered = geo.pointwise ? src : `((${type} *)${ctx.scratch(kp * 2)})`;
  const form = rowForm(type, bits, v.zp === '0');
  const row = `((ew_row_${form} *)${ctx.scratch(kp * 2)})`;
  const room = ctx.scratch(16 * kp);
  const out = `((i32 *)${ctx.scratch(64)})`;
  // Both signs of every element, where tiles may be held for it.
  const signs = type === 'i8' ? `((i16 *)${ctx.scratch(kp * 4)})` : '';
  const epi = emitEpilogue(ctx, 'epi', space, v.y);
  const real = space.whole ? undefined : 'real';
  const [scales, biases] = [v.multiplier, v.bias].map((s) =>
    expanded(s, 'from', 'width', () => ctx.scratch(ROW_CHANNELS * 4), real),
  ) as [ReturnType<typeof expanded>, ReturnType<typeof expanded>];
  const four = (at: string): [string, string] => [`f4_load(${at} + n - from)`, `f4_load(${at} + n - from + 4)`];
  const scaling: Scaling = {
    multiplier: four(scales.at),
    bias: four(biases.at),
    setup: '',
    ...(v.rowScale === undefined ? {} : { rowScale: v.rowScale }),
  };
  const { use } = finish({ ctx, geo, scaling, mr: 1 });
  const body = `const i32 zp = ${v.zp}; (void)zp;
  ${share(geo.o, NR, 'n0', 'n1')}
  if (n0 >= n1) return;
  ${gather ? `gather(${src}, ${gathered}, 0, 1, 0, zp);` : ''}
  const i32 sum = ${type === 'i8' ? `ew_make_row_${form}(${gathered}, ${geo.k}, zp, ${row})` : `ew_make_row16_${form}(${gathered}, ${geo.k}, ${row})`}, G = 0, m = 0, r = 0;
  ${signs ? `ew_make_signs(${gathered}, ${geo.k}, zp, ${signs});` : ''}
  ew_place at = {${panels}, -1};
  for (i32 from = n0; from < n1; from += ${ROW_CHANNELS}) {
    const i32 real = n1 - from < ${ROW_CHANNELS} ? n1 - from : ${ROW_CHANNELS}, width = (real + ${NR - 1}) / ${NR} * ${NR};
    ${scales.setup} ${biases.setup}
    for (i32 first = from; first < from + real; first += ${2 * NR}) {
      const i32 behind = first + ${2 * NR} < from + real ? first + ${2 * NR} : from + real;
      ${signs ? `ew_gemv_rows_${form}(&at, ${panels}, first / ${NR}, (behind - first + ${NR - 1}) / ${NR}, ${geo.o}, ${geo.k}, ${row}, ${signs}, sum, ${room}, ${out});` : ''}
      EW_ROLLED for (i32 n = first; n < behind; n += ${NR}) {
        const i32 nv = n1 - n < ${NR} ? n1 - n : ${NR}; (void)nv;
        ${signs ? '' : `ew_gemv_${form}(&at, ${panels}, n / ${NR}, ${geo.o}, ${geo.k}, ${row}, sum, ${room}, ${out} + (n - first));`}
        ${use(`i4_load(${out} + (n - first))`, `i4_load(${out} + (n - first) + 4)`)}
      }
    }
  }`;
  return { helpers: gather + epi, body, macs: geo.k * geo.o };
}

type ProductText = Omit<KernelText, 'macs'>;

interface Product {
  readonly ctx: KernelContext;
  readonly geo: Geometry;
  readonly line: Line | undefined;
  readonly windows: Windows | undefined;
  readonly kp: number;
  readonly mr: number;
  /** Rows of a block, and where they are copied as bytes. */
  readonly block: number;
  readonly byteBlock: number;
  /** Rows of 16 bits are read where they are. */
  readonly inPlace: boolean;
  readonly epi: RowEpilogue;
  readonly src: string;
  readonly panels: string;
  readonly sums: string;
  readonly tile: string;
  readonly rows: string;
  readonly rowSums: string;
  readonly scaling: Scaling;
  /** Codes have 8 bits, which some engines' dot product of bytes takes. */
  readonly eight: boolean;
  readonly sharing: Sharing;
  readonly turn: Turn | undefined;
  readonly zp: string;
}

/** How products with constant codes are summed in 16 bits, where that is faster than plain ones. */
function chainsFor(
  ctx: KernelContext,
  w: string,
  { k, o }: Geometry,
  segments: number,
  share?: number,
): TileChains | undefined {
  const codes = ctx.largestCodes(w);
  return codes && chainsOfTiles({ data: codes, rows: o, cols: k, segments }, { share });
}

/** f32 results of one row from its two integer sums, handed to the epilogue. */
function finish(
  p: Pick<Product, 'ctx' | 'geo' | 'scaling' | 'mr'> & {
    readonly windows?: Windows | undefined;
    readonly epi?: RowEpilogue;
  },
): Done {
  const { geo, scaling, ctx } = p;
  const scaled = (c: string, half: 0 | 1): string => {
    const f = scaling.rowScale ? `f4_mul(f4_from_i4(${c}), xs)` : `f4_from_i4(${c})`;
    return `f4_add(f4_mul(${f}, ${scaling.multiplier[half]}), ${scaling.bias[half]})`;
  };
  const row = scaling.rowScale ? `const f4 xs = f4_load_splat(${scaling.rowScale} + m + r); ` : '';
  return {
    ...(p.windows ? windowRows(geo) : realRows(geo.m, p.mr)),
    use: (c0, c1) =>
      `${row}epi(${ctx.arguments()}, m + r, G + n, nv, ${scaled(c0, 0)}, ${scaled(c1, 1)}${p.epi?.more ?? ''});`,
  };
}

/** What is done once a channel tile: codes unpacked, scales and biases of its channels made plain, the zero point's share of the sums. */
function perTile(p: Product, type: 'i16' | 'u8'): string {
  const bytes = type === 'u8' && !p.ctx.tuning.sums;
  const offset = type === 'i16' ? '' : `, ${p.eight ? 0 : bytes ? `ew_eight ? 0 : ${DOT7_OFFSET}` : DOT7_OFFSET}`;
  // Activations without a sign are larger by 128.
  const zero = bytes ? (p.zp === '0' ? 'up' : 'zp + up') : 'zp';
  const plain = p.zp === '0' && !bytes;
  const panel = `${type === 'u8' ? '&at, ' : ''}${p.panels}, (G + n) / ${NR}, ${p.geo.o}, ${p.geo.k}${offset}, (${type} *)${p.tile}, ${plain ? '(i32 *)0' : `(i32 *)${p.sums}`}`;
  const correction = `const i32 *z = (const i32 *)${p.sums}; const i4 zs = i4_splat(-(${zero})), z0 = i4_mul(i4_load(z), zs), z1 = i4_mul(i4_load(z + 4), zs);`;
  const none = 'const i4 z0 = i4_splat(0), z1 = z0;';
  const start = `i32 *start = (i32 *)${p.sums}; i4_store(start, z0); i4_store(start + 4, z1);`;
  return `ew_panel_${type === 'i16' ? type : 'bytes'}(${panel}); ${p.scaling.setup} ${p.epi.setup('G + n')}
        ${plain ? none : correction} ${bytes ? start : ''}`;
}

/** The rows of a block, or the line whose pieces they are. */
function gatherOf({ geo, line, windows, kp }: Product, gather: Omit<Gather, 'pitch'>): string {
  if (windows) return emitLines(geo, windows, gather);
  return line ? emitLine('gather', geo, gather) : emitGather('gather', geo, { ...gather, pitch: kp });
}

/** Columns that a micro-kernel goes through: K up to a multiple of its step, which the padding of the tile reaches. */
const columnsOf = (k: number, step: number): number => Math.ceil(k / step) * step;

/** Rows that are windows in copied lines. */
function inWindows({ geo, rows }: Product, w: Windows, type: 'i8' | 'i16'): Rows {
  const pieces = { count: geo.kh, length: w.segment, apart: geo.dilations[0] * w.apart };
  return { base: windowAt(geo, w, type, rows), pitch: w.step, pieces };
}

/** Plain SIMD: activations and codes as i16, adjacent products summed. Activations that are widened lose their zero point with that. */
function plainProduct(p: Product, from: 'i8' | 'i16'): ProductText {
  const { geo, sharing, turn } = p;
  const kp = columnsOf(geo.k, p.ctx.tuning.sums ? 8 : 2);
  const { inPlace } = p;
  const pitch = p.line?.step ?? kp;
  const centred = from === 'i8' && p.zp !== '0';
  const gather = inPlace ? '' : gatherOf({ ...p, kp }, { from, to: 'i16', centred });
  const rows = p.windows
    ? inWindows(p, p.windows, 'i16')
    : { base: inPlace ? `${p.src} + m * ${kp}` : `(i16 *)${p.rows} + (m - mb) * ${pitch}`, pitch };
  const micro = microI16(p.ctx.tuning.sums, kp, p.mr, rows, `(i16 *)${p.tile}`, ['z0', 'z1'], finish(p));
  const setup = inPlace ? '' : `gather(${p.src}, (i16 *)${p.rows}, mb, me - mb, g, zp);`;
  const tile = perTile(centred ? { ...p, zp: '0' } : p, 'i16');
  const body = p.windows
    ? windowLoops(geo, p.windows, { src: p.src, type: 'i16', lines: p.rows, block: '', tile, micro, sharing, turn })
    : blockedLoops(geo, p.mr, p.block, { setup, tile, micro, sharing, turn });
  return { helpers: gather, body: `const i32 zp = ${p.zp};\n  ${body}` };
}

/**
 * Relaxed dot product: activations i8, codes offset to unsigned 7 bits. sum(a * u) = sum(a * q) + offset * sum(a), so the row sums of the
 * gathered rows are taken back afterwards; both include the padding columns, where q = 0. Where the engine takes 8 bits (`ew_eight`), codes
 * stay as they are and activations are made the operand without a sign, if it has none: what that adds is the same for all rows. So do those
 * whose sums go through 16 bits (`ew_chained`).
 */
function dot7Product(p: Product & { readonly chains: TileChains | undefined }): ProductText {
  const { geo, chains, sharing, turn, eight } = p;
  const { sums } = p.ctx.tuning;
  const kp = columnsOf(geo.k, sums ? 16 : 4);
  const pitch = p.line?.step ?? kp;
  const helpers = gatherOf({ ...p, kp }, { from: 'i8', to: 'i8' });
  const offset = `${DOT7_OFFSET}`;
  const rowSum = (r: number): string => `rs[m - mb + ${r}]`;
  const w = p.windows;
  const data = `(i8 *)${p.rows}`;
  const rows = w ? inWindows(p, w, 'i8') : { base: `${data} + (m - mb) * ${pitch}`, pitch };
  const signed = chains && { lengths: 'lengths', halves: chains.halves };
  const micro = microDot7(
    sums,
    kp,
    p.mr,
    rows,
    `(u8 *)${p.tile}`,
    ['z0', 'z1'],
    eight ? undefined : rowSum,
    finish(p),
    sums ? {} : { eight: { where: 'ew_eight', start: 'start', chains: signed } },
  );
  const unpack = perTile(p, 'u8');
  const tile = chains ? `${unpack} const u8 *const lengths = ${chains.at('G + n')}; (void)lengths;` : unpack;
  const rs = `(i32 *)${p.rowSums}`;
  const rowSums = w
    ? windowSums(geo, w, p.rows, rs, offset)
    : `ew_row_sums(${data}, ${rs}, me - mb, ${kp}, ${pitch}, 1, 0, ${offset});`;
  const count = w
    ? `(((me - 1) / ${geo.ow} - row) * ${geo.strides[0]} + ${(geo.kh - 1) * geo.dilations[0] + 1}) * ${w.apart}`
    : p.line
      ? `(me - mb - 1) * ${pitch} + ${geo.k}`
      : `(me - mb) * ${pitch}`;
  const flip = `ew_flip(${data}, ${data}, ${count}, flip);`;
  const summed = `${sums ? '' : eight ? flip : `if (ew_eight) ${flip} else`} ${eight ? '' : `{ ${rowSums} }`}`;
  const gather = `gather(${p.src}, ${data}, mb, me - mb, g, zp);`;
  const inPlace = !sums && geo.pointwise && pitch === geo.k;
  const straight = `ew_flip(${data}, ${p.src} + mb * ${geo.k}, ${count}, flip);`;
  const setup = `${inPlace ? (eight ? straight : `if (ew_eight) ${straight} else { ${gather} ${rowSums} }`) : `${gather} ${summed}`} const i32 *rs = ${rs}; (void)rs;`;
  const body = w
    ? windowLoops(geo, w, {
        src: p.src,
        type: 'i8',
        lines: p.rows,
        block: `${summed} const i32 *rs = ${rs}; (void)rs;`,
        tile,
        micro,
        sharing,
        turn,
      })
    : blockedLoops(geo, p.mr, p.byteBlock, { setup, tile, micro, sharing, turn });
  const up = sums ? '' : ' const i32 up = ew_eight == 1 ? 128 : 0; const b16 flip = b16_splat((i8)up);';
  return {
    helpers,
    body: `const i32 zp = ${p.zp};${up} ew_place at = {${p.panels}, -1}; ${chains?.text ?? ''}
  ${body}`,
  };
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
