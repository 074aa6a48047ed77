import type { WideVectors } from '../../target.ts';
import { type KernelContext, type KernelText, type ShortVector, share } from './context.ts';
import { sharesRows } from './conv.ts';
import { emitRowEpilogue, hasLanewiseTail, type Space } from './epilogue.ts';
import { MR, NR, rowsAtOnce } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';
import { expanded } from './vectors.ts';
import { type Chains, chainsOf, costOf } from './wide-chains.ts';
import { pairedRows, pairsRows } from './wide-pairs.ts';
import { rowsOfPixels, takesPixels } from './wide-pixels.ts';
import { imageLines, laidDown, matrixRows, readsLines, STEP } from './wide-rows.ts';
import { wideWinograd } from './winograd.ts';
import { winogradOf } from './winograd-plan.ts';

/** What a product is of and what becomes of it; everything that is read has been read already. */
export interface WideProduct {
  readonly geo: Geometry;
  /** Pointer to x; values: x, the codes, the result; C expression of the zero point. */
  readonly src: string;
  readonly x: string;
  readonly w: string;
  readonly y: string;
  readonly zp: string;
  readonly panels: string;
  readonly multiplier: ShortVector;
  readonly bias: ShortVector;
  /** Pointer to one scale a row, or undefined. */
  readonly rowScale?: string | undefined;
}

/** With vectors that wide there are 32 of them, which hold the sums of a tile beside what the rest of the kernel wants. */
const LANES_OF_MANY_REGISTERS = 16;

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
  const windows = readsLines(geo);
  const pixels = windows && takesPixels(ctx, wide, geo, p);
  // Every line of a window by itself where those are read in the image.
  const segments = windows && !pixels ? geo.kh : 1;
  const steps = Math.ceil(geo.k / segments / STEP);
  const padded = Math.ceil(geo.k / 16) * 16;
  const kp = Math.max(padded, segments * steps * STEP);
  const from = ctx.type(p.x).dtype as 'i8' | 'i16';
  const chains = chainsFor(ctx, wide, p, segments);
  const winograd = winogradOf(ctx, geo, p, { ...wide, step: 2, direct: chainCost(wide, chains) });
  if (winograd) return wideWinograd(ctx, wide, p, winograd, space);
  const bytes = chains.form === 'bytes';
  const type = bytes ? 'u8' : 'i16';
  const size = bytes ? 1 : 2;
  // Words are multiplied two columns at a time.
  const passes = bytes ? steps : Math.ceil(geo.k / segments / 2);
  const most = Math.max(
    1,
    Math.min(wide.columns, Math.ceil(geo.og / lanes), Math.floor(BLOCK_BYTES / (kp * lanes * size))),
  );
  const channels = most * lanes;
  const mr = rowsAtOnce(geo.m, wide.rows);
  const rowsFrom = { src: p.src, from, type, kp: padded, mr } as const;
  const source = windows ? imageLines(ctx, geo, rowsFrom) : matrixRows(ctx, geo, rowsFrom);
  const codes = `((i8 *)${ctx.scratch(channels * kp * size)})`;
  const tile = `((u8 *)${ctx.scratch(2 * NR * (padded + 4))})`;
  const start = `((i32 *)${ctx.scratch(channels * 4)})`;
  const acc = `((i32 *)${ctx.scratch(mr * channels * 4)})`;
  const real = geo.og % lanes === 0 ? undefined : 'real';
  const span = (v: ShortVector) => expanded(v, 'G + n', 'width', () => ctx.scratch((channels + 16) * 4), real);
  const [multiplier, bias] = [span(p.multiplier), span(p.bias)];
  const pairs = bytes && windows && !pixels && pairsRows(ctx, wide, geo, p);
  const tail = hasLanewiseTail(ctx) ? wideLanes(lanes, pixels ? 'all' : pairs ? 2 : 1) : NARROW;
  const epi = emitRowEpilogue(ctx, 'epi', { ...space, whole: geo.og % tail.block === 0 }, p.y, tail);
  const dot = bytes ? 'ew_dot8(reach, ' : 'ew_dot16(';
  const reach = bytes ? reachText(chains.reaches, '(G + n)', 'tiles') : '';
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
  const finish = `for (i32 c = 0; n + c < n1 && c < width; c += ${tail.block}) {
            const i32 nv = n1 - n - c < ${tail.block} ? n1 - n - c : ${tail.block}; (void)nv;
            ${factors.join(' ')} ${epi.setup('G + n + c')}
            const i32 *sums = ${acc} + c;
            for (i32 r = 0; r < rows; r++, sums += width) {
              ${rowScale} epi(${ctx.arguments()}, m + r, G + n + c, nv, ${tail.pieces.map((_, i) => value(i)).join(', ')}${epi.more});
            }
          }`;
  const inRegisters = tail.wide && lanes >= LANES_OF_MANY_REGISTERS;
  /** Whole tiles, whose sums go to their tail in registers. */
  const registers = (): string => {
    const [rows, columns] = [mr, firstColumns(geo.og, lanes, most)];
    const at = `${source.row}, ${codes}, ${segments}, ${source.apart}, ${passes}, ${start}, cells`;
    const cell = (r: number, i: number): string => {
      const f = `f4_from_i4(cells[${r * columns + i}])`;
      const scaled = p.rowScale ? `f4_mul(${f}, f4_load_splat(${p.rowScale} + m + ${r}))` : f;
      return `${ctx.arguments()}, m + ${r}, G + n + ${i * lanes}, nv, f4_add(f4_mul(${scaled}, scale${i}), bias${i})`;
    };
    const setup = (i: number): string => {
      const c = i * lanes;
      return `const f4 scale${i} = f4_load(${multiplier.at} + ${c}), bias${i} = f4_load(${bias.at} + ${c});`;
    };
    const stored = (i: number): string => {
      const c = i * lanes;
      return `{ const i32 nv = n1 - n - ${c} < ${lanes} ? n1 - n - ${c} : ${lanes}; (void)nv;
              ${setup(i)} ${epi.setup(`G + n + ${c}`)}
              ${range(rows)
                .map((r) => `epi(${cell(r, i)}${epi.more});`)
                .join('\n              ')} }`;
    };
    const rest = range(columns).map(stored);
    return `if (rows == ${rows} && columns == ${columns}) {
            ix cells[${rows * columns}];
            ew_tile${bytes ? '8' : '16'}_${rows}_${columns}(${bytes ? 'reach' : '0'}, ${at});
            ${widened(rest.join('\n            '))}
            continue;
          }`;
  };
  const few = { source, codes, steps, start, multiplier, bias, epi };
  const rows = (): string => {
    if (pixels) return rowsOfPixels(ctx, wide, geo, few);
    if (pairs) return widened(pairedRows(ctx, geo, few));
    return `for (i32 m = mb, rows; m < me; m += rows) {
          rows = me - m < ${mr} ? me - m : ${mr};
          ${inRegisters ? registers() : ''}
          ${dot}${source.row}, rows, ${codes}, columns, ${segments}, ${source.apart}, ${passes}, ${start}, ${acc});
          ${tail.wide ? widened(finish) : finish}
        }`;
  };
  const split = sharesRows(ctx, geo, lanes)
    ? `${share(geo.m, MR, 'm0', 'm1')} const i32 n0 = 0, n1 = ${geo.og};`
    : `${share(geo.og, lanes, 'n0', 'n1')} const i32 m0 = 0, m1 = ${geo.m};`;
  const body = `const i32 zp = ${p.zp}; (void)zp;
  ${split}
  if (m0 >= m1 || n0 >= n1) return;
  for (i32 g = 0; g < ${geo.groups}; g++) {
    const i32 G = g * ${geo.og}; (void)G;
    for (i32 mb = m0, me; mb < m1; mb = me) {
      ${source.block}
      for (i32 n = n0, width; n < n1; n += width) {
        /* blocks of about the same width: narrow ones take longer for what they do */
        const i32 rest = (n1 - n + ${lanes - 1}) / ${lanes}, blocks = (rest + ${most - 1}) / ${most}, columns = (rest + blocks - 1) / blocks;
        width = columns * ${lanes};
        ${real ? 'const i32 real = n1 - n < width ? n1 - n : width;' : ''}
        const i32 tiles = (n1 - n + ${NR - 1}) / ${NR} < columns * ${lanes / NR} ? (n1 - n + ${NR - 1}) / ${NR} : columns * ${lanes / NR};
        ew_block${bytes ? '' : '16'}(${p.panels}, (G + n) / ${NR}, tiles, ${geo.o}, ${geo.k}, ${segments}, ${passes}, ${codes}, width, ${tile}, ${start});
        ${widened(`for (i32 i = 0; i < width; i += ${lanes}) i4_store(${start} + i, i4_mul(i4_load(${start} + i), i4_splat(-${offset})));`)}
        ${reach}
        ${multiplier.setup} ${bias.setup}
        ${rows()}
      }
    }
  }`;
  return { helpers: `${source.helpers}${epi.text}`, body };
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Vectors of channels in the first block, as many as in most others. */
function firstColumns(channels: number, lanes: number, most: number): number {
  const vectors = Math.ceil(channels / lanes);
  return Math.ceil(vectors / Math.ceil(vectors / most));
}

/** How products are summed. */
function chainsFor(ctx: KernelContext, { vnni }: WideVectors, { x, w, geo }: WideProduct, segments: number): Chains {
  if (ctx.type(x).dtype === 'i16') return { form: 'words' };
  if (vnni) return { form: 'bytes', reaches: [MOST_REACH] };
  const data = ctx.largestCodes(w);
  return data ? chainsOf({ data, rows: geo.o, cols: geo.k, segments }) : { form: 'words' };
}

/** Multiplications that a step takes. */
const chainCost = ({ vnni }: WideVectors, chains: Chains): number =>
  vnni && chains.form === 'bytes' ? 1 : costOf(chains);

/** C text that sets `reach` for a number of tiles from channel `n` on. */
export function reachText(reaches: readonly number[], n: string, tiles: string): string {
  if (reaches.every((r) => r === reaches[0])) return `const i32 reach = ${reaches[0]};`;
  return `static const u8 reaches[] = {${reaches.join(', ')}}; i32 reach = ${MOST_REACH};
        for (i32 i = 0; i < ${tiles}; i++) if (reaches[${n} / ${NR} + i] < reach) reach = reaches[${n} / ${NR} + i];`;
}

/** Steps that products of bytes are summed for in 16 bits at most. */
const MOST_REACH = 8;

/** How many steps' products fit 16 bits for any codes of so many bits: 255 * 2^(bits - 1) * 2 a step. */
export function reachOf(bits: number): 0 | 1 | 2 | 4 | 8 {
  return bits <= 4 ? MOST_REACH : bits === 5 ? 4 : bits === 6 ? 2 : bits === 7 ? 1 : 0;
}
