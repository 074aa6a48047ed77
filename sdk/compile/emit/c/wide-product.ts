import type { WideVectors } from '../../target.ts';
import type { KernelContext, KernelText, ShortVector } from './context.ts';
import { sharedOut, sharingOf } from './conv.ts';
import { emitRowEpilogue, hasLanewiseTail, type Space } from './epilogue.ts';
import { NR, rowsAtOnce } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';
import { turnOf } from './turn.ts';
import { expanded } from './vectors.ts';
import { type Chains, chainsOf, costOf } from './wide-chains.ts';
import { pairedRows, pairsRows } from './wide-pairs.ts';
import { rowsOfPixels, takesPixels } from './wide-pixels.ts';
import { imageLines, laidDown, matrixRows, readsLines, STEP } from './wide-rows.ts';
import { rowsStoredTogether, wholeRows } from './wide-whole-rows.ts';
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

/** Where a tile takes no more steps, a call of it, and its sums on their way through memory, would take long beside them. */
const MOST_STEPS_INLINE = 64;

/** Floats of a line of memory. */
const LINE_FLOATS = 16;

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
  const { lanes, vnni } = wide;
  const windows = readsLines(geo);
  const pixels = windows && takesPixels(ctx, wide, geo, p);
  // Every line of a window by itself where those are read in the image.
  const segments = windows && !pixels ? geo.kh : 1;
  const steps = Math.ceil(geo.k / segments / STEP);
  const padded = Math.ceil(geo.k / 16) * 16;
  const kp = Math.max(padded, segments * steps * STEP);
  const from = ctx.type(p.x).dtype as 'i8' | 'i16';
  const chains = chainsFor(ctx, wide, p, segments, vectorsAtOnce(wide, geo, kp));
  const winograd = winogradOf(ctx, geo, p, { ...wide, step: 2, direct: chainCost(wide, chains) });
  if (winograd) return wideWinograd(ctx, wide, p, winograd, space);
  const bytes = chains.form === 'bytes';
  const type = bytes ? 'u8' : 'i16';
  const size = bytes ? 1 : 2;
  // Words are multiplied two columns at a time.
  const passes = bytes ? steps : Math.ceil(geo.k / segments / 2);
  const most = vectorsAtOnce(wide, geo, kp * size);
  const channels = most * lanes;
  const together = rowsStoredTogether(ctx, wide, geo, most);
  const mr = rowsAtOnce(geo.m, together > 2 ? together : wide.rows);
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
  // As many rows as whole lines of the result take that tiles are a part of, so that few tiles' results go through the first cache.
  const collected = pairs ? source.rows : LINE_FLOATS * mr;
  const turn = turnOf(ctx, collected, channels);
  const epi = emitRowEpilogue(ctx, 'epi', { ...space, whole: geo.og % tail.block === 0, turn }, p.y, tail);
  const sums = bytes && !vnni ? chainsText(chains.blocks, most * lanes) : { setup: '', chains: '0' };
  const dot = bytes ? `ew_dot8(${sums.chains}, ` : 'ew_dot16(';
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
  const finish = (from: string): string => `for (i32 c = 0; n + c < n1 && c < width; c += ${tail.block}) {
            const i32 nv = n1 - n - c < ${tail.block} ? n1 - n - c : ${tail.block}; (void)nv;
            ${factors.join(' ')} ${epi.setup('G + n + c')}
            const i32 *sums = ${acc} + ${from === '0' ? '' : `${from} * width + `}c;
            for (i32 r = ${from}; r < rows; r++, sums += width) {
              ${rowScale} epi(${ctx.arguments()}, m + r, G + n + c, nv, ${tail.pieces.map((_, i) => value(i)).join(', ')}${epi.more});
            }
          }`;
  const whole =
    together > 0 &&
    wholeRows(ctx, {
      ...{ lanes, vectors: most, epi, multiplier: multiplier.at, bias: bias.at },
      rowScale: p.rowScale ? (row) => `f4_load_splat(${p.rowScale} + ${row})` : undefined,
    });
  const tails = (): string =>
    whole
      ? `i32 done = 0;
          if (columns == ${most}) {
            const i32 *sums = ${acc}; done = rows / ${together} * ${together};
            ${whole.setup}
            for (i32 r = 0; r < done; r += ${together}, sums += ${together * most * lanes}) {
              ${whole.store('r', (i) => `i4_load(sums + ${i * lanes})`)}
            }
          }
          if (done < rows) ${finish('done')}`
      : finish('0');
  // Without VNNI, bytes have kernels of three rows, so that a tile is two of them.
  const tileRows = bytes && !vnni ? Math.min(3, mr) : mr;
  const short = lanes === NR && segments * passes <= MOST_STEPS_INLINE / (tileRows < mr ? 4 : 1);
  const inRegisters = tail.wide && (lanes >= LANES_OF_MANY_REGISTERS || (short && mr % tileRows === 0));
  /** Whole tiles, whose sums go to their tail in registers. */
  const registers = (): string => {
    const [rows, columns] = [mr, firstColumns(geo.og, lanes, most)];
    const tiles = range(rows / tileRows).map((i) => {
      const [places, cells] = i === 0 ? ['', ''] : [` + ${i * tileRows}`, ` + ${i * tileRows * columns}`];
      const at = `${source.row}${places}, ${codes}, ${segments}, ${source.apart}, ${passes}, ${start}, cells${cells}`;
      return `ew_tile${bytes ? '8' : '16'}_${tileRows}_${columns}(${sums.chains}, ${at});`;
    });
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
    const rest =
      whole && columns === most && rows % together === 0
        ? [
            whole.setup,
            ...range(rows / together).map((i) =>
              whole.store(String(i * together), (j) => `cells[${i * together * most + j}]`),
            ),
          ]
        : range(columns).map(stored);
    return `if (rows == ${rows} && columns == ${columns}) {
            ix cells[${rows * columns}];
            ${tiles.join(' ')}
            ${widened(rest.join('\n            '))}
            continue;
          }`;
  };
  const few = { source, codes, steps, start, multiplier, bias, epi };
  const collecting = (from: string, to: string, text: string): string =>
    turn ? `${turn.begin(from)} ${text} ${turn.end(from, to, '(n1 - n < width ? n1 - n : width)')}` : text;
  const rows = (): string => {
    if (pixels) return rowsOfPixels(ctx, wide, geo, few);
    if (pairs) return collecting('mb', 'me', widened(pairedRows(ctx, geo, few)));
    const loop = (from: string, to: string): string => `for (i32 m = ${from}, rows; m < ${to}; m += rows) {
          rows = ${to} - m < ${mr} ? ${to} - m : ${mr};
          ${inRegisters ? registers() : ''}
          ${dot}${source.row}, rows, ${codes}, columns, ${segments}, ${source.apart}, ${passes}, ${start}, ${acc});
          ${tail.wide ? widened(tails()) : finish('0')}
        }`;
    if (!turn) return loop('mb', 'me');
    return `for (i32 from = mb, to; from < me; from = to) {
          to = from + ${collected} < me ? from + ${collected} : me;
          ${collecting('from', 'to', loop('from', 'to'))}
        }`;
  };
  const split = sharedOut(geo, sharingOf(ctx, geo, lanes), sums.chains === '0' ? lanes : channels);
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
        ${sums.setup}
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

/** Vectors of channels in a block whose columns take so many bytes a channel. */
function vectorsAtOnce({ columns, lanes }: WideVectors, { og }: Geometry, bytes: number): number {
  return Math.max(1, Math.min(columns, Math.ceil(og / lanes), Math.floor(BLOCK_BYTES / (bytes * lanes))));
}

/** How products are summed, in blocks of so many vectors of bytes. */
function chainsFor(
  ctx: KernelContext,
  { vnni, lanes }: WideVectors,
  { x, w, geo }: WideProduct,
  segments: number,
  vectors: number,
): Chains {
  if (ctx.type(x).dtype === 'i16') return { form: 'words' };
  if (vnni) return { form: 'bytes', blocks: [] };
  const data = ctx.largestCodes(w);
  // Blocks of a group may begin anywhere, and so may those that are made about as wide as each other, where they can be wider than two vectors: what all codes allow.
  const regular = geo.groups === 1 && vectors <= 2;
  const tiles = regular ? (vectors * lanes) / NR : Math.ceil(geo.o / NR);
  return data ? chainsOf({ data, rows: geo.o, cols: geo.k, segments, tiles }) : { form: 'words' };
}

/** Multiplications that a step takes. */
const chainCost = ({ vnni }: WideVectors, chains: Chains): number =>
  vnni && chains.form === 'bytes' ? 1 : costOf(chains);

/** C text of the chains of a block that begins at channel n: a table of all of them, and C expression of where those are. */
function chainsText(blocks: readonly (readonly number[])[], channels: number): { setup: string; chains: string } {
  const all = blocks.map((lengths) => [1, ...lengths]);
  const starts = [0];
  for (const { length } of all.slice(0, -1)) starts.push(starts.at(-1)! + length);
  const setup = `static const u8 chains[] = {${all.flat().join(', ')}};`;
  if (all.length === 1) return { setup, chains: 'chains' };
  return {
    setup: `${setup} static const i32 starts[] = {${starts.join(', ')}};`,
    chains: `chains + starts[(G + n) / ${channels}]`,
  };
}

/** Steps that products of bytes are summed for in 16 bits at most. */
const MOST_REACH = 8;

/** How many steps' products fit 16 bits for any codes of so many bits: 255 * 2^(bits - 1) * 2 a step. */
export function reachOf(bits: number): 0 | 1 | 2 | 4 | 8 {
  return bits <= 4 ? MOST_REACH : bits === 5 ? 4 : bits === 6 ? 2 : bits === 7 ? 1 : 0;
}
