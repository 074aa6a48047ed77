import type { WideVectors } from '../../target.ts';
import { type KernelContext, type KernelText, type ShortVector, share } from './context.ts';
import { ROWS_TO_SPLIT } from './conv.ts';
import { emitEpilogue, hasLanewiseTail, type Space } from './epilogue.ts';
import { MR, NR } from './gemm.ts';
import { emitGather, type Geometry } from './geometry.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';
import { expanded } from './vectors.ts';

/** What a product is of and what becomes of it; everything that is read has been read already. */
export interface WideProduct {
  readonly geo: Geometry;
  /** Pointer to x; values: x, the result; C expression of the zero point. */
  readonly src: string;
  readonly x: string;
  readonly y: string;
  readonly zp: string;
  readonly panels: string;
  /** Bits that hold any of the codes. */
  readonly bits: number;
  readonly multiplier: ShortVector;
  readonly bias: ShortVector;
  /** Pointer to one scale a row, or undefined. */
  readonly rowScale?: string | undefined;
}

/** Memory of a block of codes at most, bytes: with it in the first cache, rows pass by in the second. */
const BLOCK_BYTES = 48 * 1024;

/**
 * Integer products on wide vectors (`Vectors.wide`): blocks of as many tiles of eight channels as the micro-kernels take side by side
 * are unpacked to [step of four columns][channel][4], then rows of activations run over them. Activations of 8 bits are made
 * unsigned by 128 more, which the sums of the codes take back as they do the zero point; those of 16 bits go as they are.
 */
export function wideProduct(
  ctx: KernelContext,
  wide: WideVectors,
  p: WideProduct,
  space: Space,
): Omit<KernelText, 'macs'> {
  const geo = laidDown(p.geo);
  const { lanes } = wide;
  // Columns of the matrix are padded to a multiple of 16, every line of a window by itself where those are read in the image.
  const windows = windowsOf(geo);
  const segments = windows === 'lines' ? geo.kh : 1;
  const segment = Math.ceil(geo.k / segments / 16) * 16;
  const kp = segments * segment;
  const from = ctx.type(p.x).dtype as 'i8' | 'i16';
  const bytes = from === 'i8';
  const type = bytes ? 'u8' : 'i16';
  const columns = Math.max(
    1,
    Math.min(wide.columns, Math.ceil(geo.og / lanes), Math.floor(BLOCK_BYTES / (kp * lanes))),
  );
  const channels = columns * lanes;
  const mr = rowsAtOnce(windows ? geo.ow : geo.m, wide.rows);
  const rowsFrom = { src: p.src, from, type, kp, mr } as const;
  const source = windows ? imageLines(ctx, geo, rowsFrom, windows) : matrixRows(ctx, geo, rowsFrom);
  const codes = `((i8 *)${ctx.scratch(channels * kp)})`;
  const tile = `((u8 *)${ctx.scratch(2 * NR * (Math.ceil(geo.k / 16) * 16 + 4))})`;
  const start = `((i32 *)${ctx.scratch(channels * 4)})`;
  const acc = `((i32 *)${ctx.scratch(mr * channels * 4)})`;
  const span = (v: ShortVector) => expanded(v, 'G + n', `columns * ${lanes}`, () => ctx.scratch((channels + 16) * 4));
  const [multiplier, bias] = [span(p.multiplier), span(p.bias)];
  const tail = hasLanewiseTail(ctx) ? wideLanes(lanes) : NARROW;
  const epi = emitEpilogue(ctx, 'epi', { ...space, whole: geo.og % tail.block === 0 }, p.y, tail);
  const dot = bytes ? 'ew_dot8(reach, ' : 'ew_dot16(';
  const known = reachOf(p.bits);
  const reach =
    known === MOST_REACH || geo.m < ROWS_TO_MEASURE
      ? String(known)
      : `ew_reach(${codes}, columns * ${lanes / NR}, ${kp / 4})`;
  const into = `${codes} + ${4 * NR} * i, columns * ${lanes}`;
  const place =
    segments === 1 || geo.k === kp
      ? `ew_place_tile(${tile}, ${into}, ${kp / 4}, ${start} + ${NR} * i);`
      : `ew_place_segments(${tile}, ${into} * 4, ${segments}, ${geo.k / segments}, ${segment / 4}, ${start} + ${NR} * i);`;
  const product = (i: number): string =>
    `${dot}a${i === 0 ? '' : ` + ${i * source.segment}`}, ${source.pitch}, rows, ${codes}${i === 0 ? '' : ` + ${i * segment} * columns * ${lanes}`}, columns, ${segment / 4}, ${i === 0 ? `${start}, 0` : `${acc}, columns * ${lanes}`}, ${acc});`;
  const products = Array.from({ length: segments }, (_, i) => product(i)).join('\n          ');
  const offset = bytes ? `(${p.zp} + 128)` : p.zp;
  const rowScale = p.rowScale ? `const f4 xs = f4_load_splat(${p.rowScale} + m + r);` : '';
  const value = (i: number): string => {
    const f = `f4_from_i4(i4_load(sums + ${4 * i}))`;
    return `f4_add(f4_mul(${p.rowScale ? `f4_mul(${f}, xs)` : f}, scale${i}), bias${i})`;
  };
  const factors = tail.pieces.map(
    (_, i) =>
      `const f4 scale${i} = f4_load(${multiplier.at} + c + ${4 * i}), bias${i} = f4_load(${bias.at} + c + ${4 * i});`,
  );
  const finish = `for (i32 c = 0; n + c < n1 && c < columns * ${lanes}; c += ${tail.block}) {
            const i32 nv = n1 - n - c < ${tail.block} ? n1 - n - c : ${tail.block}; (void)nv;
            ${factors.join(' ')}
            const i32 *sums = ${acc} + c;
            for (i32 r = 0; r < rows; r++, sums += columns * ${lanes}) {
              ${rowScale} epi(${ctx.arguments()}, m + r, G + n + c, nv, ${tail.pieces.map((_, i) => value(i)).join(', ')});
            }
          }`;
  const split =
    geo.m >= ROWS_TO_SPLIT
      ? `${share(geo.m, MR, 'm0', 'm1')} const i32 n0 = 0, n1 = ${geo.og};`
      : `${share(geo.og, lanes, 'n0', 'n1')} const i32 m0 = 0, m1 = ${geo.m};`;
  const body = `const i32 zp = ${p.zp}; (void)zp;
  ${split}
  if (m0 >= m1 || n0 >= n1) return;
  for (i32 g = 0; g < ${geo.groups}; g++) {
    const i32 G = g * ${geo.og}; (void)G;
    for (i32 mb = m0, me; mb < m1; mb = me) {
      ${source.block}
      for (i32 n = n0; n < n1; n += ${channels}) {
        const i32 rest = (n1 - n + ${lanes - 1}) / ${lanes}, columns = rest < ${columns} ? rest : ${columns};
        const i32 tiles = (n1 - n + ${NR - 1}) / ${NR} < columns * ${lanes / NR} ? (n1 - n + ${NR - 1}) / ${NR} : columns * ${lanes / NR};
        for (i32 i = 0; i < tiles; i++) {
          ew_panel(${p.panels}, (G + n) / ${NR} + i, ${geo.o}, ${geo.k}, 0, ${tile}, ${tile} + ${NR * Math.ceil(geo.k / 16) * 16});
          ${place}
        }
        for (i32 i = 0; i < tiles * ${NR}; i++) ${start}[i] *= -${offset};
        ${bytes ? `const i32 reach = ${reach};` : ''}
        ${multiplier.setup} ${bias.setup}
        for (i32 m = mb, rows; m < me; m += rows) {
          ${source.rows}
          ${products}
          ${tail.wide ? widened(finish) : finish}
        }
      }
    }
  }`;
  return { helpers: `${source.helpers}${epi}`, body };
}

/** Rows of a micro-kernel, so that few of them are left over; a call takes as long as a row more. */
function rowsAtOnce(m: number, most: number): number {
  const cost = (r: number): number => Math.ceil(m / r) * (r + 1);
  let best = Math.min(most, m);
  for (let r = best - 1; r > most / 2; r--) if (cost(r) < cost(best)) best = r;
  return best;
}

/** Steps that products of bytes are summed for in 16 bits at most. */
const MOST_REACH = 4;
/** Fewer rows than this do not make up for a look at the codes. */
const ROWS_TO_MEASURE = 16;

/** How many steps' products fit 16 bits for any codes of so many bits: 255 * 2^(bits - 1) * 2 a step. */
export function reachOf(bits: number): 0 | 1 | 2 | 4 {
  return bits <= 5 ? MOST_REACH : bits === 6 ? 2 : bits === 7 ? 1 : 0;
}

/**
 * Where windows are read in copied lines of the image: every line of a window by itself, or, where those are so short that padding adds
 * much, copied together for the rows of a micro-kernel. Other windows are gathered from the image.
 */
function windowsOf(geo: Geometry): 'lines' | 'copies' | undefined {
  const plain = geo.groups === 1 && geo.dilations[1] === 1 && geo.pads.every((n) => n >= 0);
  if (geo.pointwise || !plain) return undefined;
  const lines = geo.kh * Math.ceil((geo.kw * geo.cg) / 16) * 16;
  return lines <= MOST_PADDING * (Math.ceil(geo.k / 16) * 16) ? 'lines' : 'copies';
}

const MOST_PADDING = 1.25;

/** An image of one column as one of one row, which is the same memory: windows are pieces of its only line. */
function laidDown(geo: Geometry): Geometry {
  const { w, kw, ow, h, kh, oh, pads, strides, dilations } = geo;
  if (w !== 1 || kw !== 1 || ow !== 1 || pads[1] !== 0 || pads[3] !== 0) return geo;
  return {
    ...geo,
    ...{ h: w, w: h, kh: kw, kw: kh, oh: ow, ow: oh },
    pads: [0, pads[0], 0, pads[2]],
    strides: [1, strides[0]],
    dilations: [1, dilations[0]],
  };
}

interface RowsFrom {
  readonly src: string;
  readonly from: 'i8' | 'i16';
  readonly type: 'u8' | 'i16';
  /** Columns, padded. */
  readonly kp: number;
  /** Rows of a micro-kernel. */
  readonly mr: number;
}

/** Where the rows of the matrix are: C text. */
interface Source {
  readonly helpers: string;
  /** Sets `me`, the end of the block that begins at row mb, and makes it ready. */
  readonly block: string;
  /** Sets `rows`, how many there are to multiply at once from row m on, and declares the pointer `a` to the first. */
  readonly rows: string;
  /** Elements from one row to the next, and from one segment to the next. */
  readonly pitch: number;
  readonly segment: number;
}

/** Rows where they lie, or copied; columns past the end may be anything, codes are zero there. */
function matrixRows(ctx: KernelContext, geo: Geometry, { src, from, type, kp, mr }: RowsFrom): Source {
  const bytes = type === 'u8' ? 1 : 2;
  const block = Math.max(
    mr,
    Math.floor(Math.min(Math.ceil(geo.m / MR) * MR, ctx.tuning.blockBytes / 2 / (kp * bytes)) / mr) * mr,
  );
  const end = `me = mb + ${block} < m1 ? mb + ${block} : m1;`;
  const rows = `rows = me - m < ${mr} ? me - m : ${mr};`;
  if (geo.pointwise && from === 'i16' && !ctx.overlapped) {
    const at = `${rows} const i16 *a = ${src} + m * ${geo.k};`;
    return { helpers: '', block: end, rows: at, pitch: geo.k, segment: 0 };
  }
  const copy = `((${type} *)${ctx.scratch((block + 1) * kp * bytes)})`;
  const at = (pitch: number): string => `${rows} const ${type} *a = ${copy} + (m - mb) * ${pitch};`;
  if (geo.pointwise && type === 'u8') {
    const flip = `${end} ew_flip(${copy}, ${src} + mb * ${geo.k}, (i64)(me - mb) * ${geo.k});`;
    return { helpers: '', block: flip, rows: at(geo.k), pitch: geo.k, segment: 0 };
  }
  const to = type === 'u8' ? 'i8' : 'i16';
  const flip = type === 'u8' ? ` ew_flip(${copy}, (const i8 *)${copy}, (i64)(me - mb) * ${kp});` : '';
  return {
    helpers: emitGather('gather', geo, { from, to, pitch: kp }),
    block: `${end} gather(${src}, (${to} *)${copy}, mb, me - mb, g, zp);${flip}`,
    rows: at(kp),
    pitch: kp,
    segment: 0,
  };
}

/** Lines of the image with their padding; a row of the matrix is a window, line after line, and neighbouring windows overlap. */
function imageLines(
  ctx: KernelContext,
  geo: Geometry,
  { src, from, type, kp, mr }: RowsFrom,
  windows: 'lines' | 'copies',
): Source {
  const [sh, sw] = geo.strides;
  const [top, left] = geo.pads;
  const dh = geo.dilations[0];
  const pixels = Math.max((geo.ow - 1) * sw + geo.kw, left + geo.w);
  const line = pixels * geo.c;
  const bytes = type === 'u8' ? 1 : 2;
  const reach = (geo.kh - 1) * dh + 1;
  const fit = Math.floor((ctx.tuning.blockBytes / (line * bytes) - reach) / sh) + 1;
  const count = Math.max(1, Math.min(geo.oh, fit));
  const lines = `((${type} *)${ctx.scratch((((count - 1) * sh + reach) * line + 16) * bytes)})`;
  const copy = type === 'u8' ? 'ew_line_u8' : from === 'i8' ? 'ew_line_i8' : 'ew_line_i16';
  const copied = windows === 'copies' ? copiedWindows(ctx, geo, { type, kp, mr, line }) : '';
  return {
    helpers: '',
    block: `const i32 row = mb / ${geo.ow}, image = row / ${geo.oh}, py = row % ${geo.oh}, most = ${geo.oh} - py < ${count} ? ${geo.oh} - py : ${count};
      me = (row + most) * ${geo.ow} < m1 ? (row + most) * ${geo.ow} : m1;
      for (i32 i = 0; i < ((me - 1) / ${geo.ow} - row) * ${sh} + ${reach}; i++) {
        const i32 y = py * ${sh} - ${top} + i;
        ${copy}(${lines} + i * ${line}, y < 0 || y >= ${geo.h} ? 0 : ${src} + ((i64)image * ${geo.h} + y) * ${geo.w * geo.c}, ${left * geo.c}, ${geo.w * geo.c}, ${line}, zp);
      }`,
    rows: `const i32 px = m % ${geo.ow}, left = ${geo.ow} - px < me - m ? ${geo.ow} - px : me - m; rows = left < ${mr} ? left : ${mr};
          const ${type} *${windows === 'copies' ? 's' : 'a'} = ${lines} + (m / ${geo.ow} - row) * ${sh * line} + px * ${sw * geo.c};${copied}`,
    pitch: windows === 'copies' ? kp : sw * geo.c,
    segment: dh * line,
  };
}

/** Windows at `s` one after another: what is copied beyond the end of a line, the next one overwrites, and codes are zero behind the last. */
function copiedWindows(
  ctx: KernelContext,
  geo: Geometry,
  { type, kp, mr, line }: Pick<RowsFrom, 'type' | 'kp' | 'mr'> & { readonly line: number },
): string {
  const bytes = type === 'u8' ? 1 : 2;
  const width = geo.kw * geo.c;
  const rows = `((${type} *)${ctx.scratch((mr * kp + 16) * bytes)})`;
  const vectors = Array.from({ length: Math.ceil((width * bytes) / 16) }, (_, i) => (16 * i) / bytes);
  const moves = vectors.map((at) => `b16_store(d${at ? ` + ${at}` : ''}, b16_load(w${at ? ` + ${at}` : ''}));`);
  return `
          ${type} *const a = ${rows};
          for (i32 r = 0; r < rows; r++, s += ${geo.strides[1] * geo.c}) {
            ${type} *d = a + r * ${kp}; const ${type} *w = s;
            for (i32 ky = 0; ky < ${geo.kh}; ky++, d += ${width}, w += ${geo.dilations[0] * line}) { ${moves.join(' ')} }
          }`;
}
