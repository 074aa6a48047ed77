import type { WideVectors } from '../../target.ts';
import type { KernelContext, KernelText, ShortVector } from './context.ts';
import { share } from './context.ts';
import { blockRows, ROWS_TO_SPLIT } from './conv.ts';
import { emitEpilogue, hasLanewiseTail, type Space } from './epilogue.ts';
import { MR, NR } from './gemm.ts';
import { emitGather, type Geometry } from './geometry.ts';
import { NARROW, wideLanes, widened } from './lanes.ts';
import { expanded } from './vectors.ts';

/**
 * Integer products on wide vectors (`Vectors.wide`): blocks of as many tiles of eight channels as the micro-kernels take side by side
 * are unpacked to [step of four columns][channel][4], then rows of activations run over them. Activations of 8 bits are made
 * unsigned by 128 more, which the sums of the codes take back as they do the zero point; those of 16 bits go as they are, and so do
 * those of 8 bits, widened, where the codes are too wide for the product of bytes.
 */
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

export function wideProduct(
  ctx: KernelContext,
  wide: WideVectors,
  p: WideProduct,
  space: Space,
): Omit<KernelText, 'macs'> {
  const { geo } = p;
  const { lanes } = wide;
  const kp = Math.ceil(geo.k / 16) * 16;
  const from = ctx.type(p.x).dtype as 'i8' | 'i16';
  const bytes = from === 'i8' && p.bits <= wide.bits;
  const type = bytes ? 'u8' : 'i16';
  const columns = Math.max(
    1,
    Math.min(wide.columns, Math.ceil(geo.og / lanes), Math.floor(BLOCK_BYTES / (kp * lanes))),
  );
  const channels = columns * lanes;
  const mr = rowsAtOnce(geo.m, wide.rows);
  const block = Math.max(mr, Math.floor(blockRows(ctx, geo, bytes ? 1 : 2) / mr) * mr);
  const gathered = rowsOf(ctx, geo, { src: p.src, from, type, kp, block });
  const codes = `((i8 *)${ctx.scratch(channels * kp)})`;
  const tile = `((u8 *)${ctx.scratch(2 * NR * kp)})`;
  const start = `((i32 *)${ctx.scratch(channels * 4)})`;
  const acc = `((i32 *)${ctx.scratch(mr * channels * 4)})`;
  const span = (v: ShortVector) => expanded(v, 'G + n', `columns * ${lanes}`, () => ctx.scratch((channels + 16) * 4));
  const [multiplier, bias] = [span(p.multiplier), span(p.bias)];
  const tail = hasLanewiseTail(ctx) ? wideLanes(lanes) : NARROW;
  const epi = emitEpilogue(ctx, 'epi', { ...space, whole: geo.og % tail.block === 0 }, p.y, tail);
  const chain = wide.chained ? chainOf(p.bits) : '';
  const dot = bytes ? `ew_dot8${chain}` : 'ew_dot16';
  const offset = bytes ? `(${p.zp} + 128)` : p.zp;
  const rowScale = p.rowScale ? `const f4 xs = f4_load_splat(${p.rowScale} + m + r);` : '';
  const value = (at: string): string => {
    const f = `f4_from_i4(i4_load(${acc} + r * columns * ${lanes} + ${at}))`;
    const scaled = p.rowScale ? `f4_mul(${f}, xs)` : f;
    return `f4_add(f4_mul(${scaled}, f4_load(${multiplier.at} + ${at})), f4_load(${bias.at} + ${at}))`;
  };
  const values = tail.pieces.map((_, i) => value(i === 0 ? 'c' : `c + ${4 * i}`)).join(', ');
  const finish = `${rowScale} for (i32 c = 0; n + c < n1 && c < columns * ${lanes}; c += ${tail.block}) {
            const i32 nv = n1 - n - c < ${tail.block} ? n1 - n - c : ${tail.block}; (void)nv;
            epi(${ctx.arguments()}, m + r, G + n + c, nv, ${values});
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
    for (i32 mb = m0; mb < m1; mb += ${block}) {
      const i32 me = mb + ${block} < m1 ? mb + ${block} : m1;
      ${gathered.setup}
      for (i32 n = n0; n < n1; n += ${channels}) {
        const i32 rest = (n1 - n + ${lanes - 1}) / ${lanes}, columns = rest < ${columns} ? rest : ${columns};
        const i32 tiles = (n1 - n + ${NR - 1}) / ${NR} < columns * ${lanes / NR} ? (n1 - n + ${NR - 1}) / ${NR} : columns * ${lanes / NR};
        for (i32 i = 0; i < tiles; i++) {
          ew_panel(${p.panels}, (G + n) / ${NR} + i, ${geo.o}, ${geo.k}, 0, ${tile}, ${tile} + ${NR * kp});
          ew_place_tile(${tile}, ${codes} + ${4 * NR} * i, columns * ${lanes}, ${kp / 4}, ${start} + ${NR} * i);
        }
        for (i32 i = 0; i < tiles * ${NR}; i++) ${start}[i] *= -${offset};
        ${multiplier.setup} ${bias.setup}
        for (i32 m = mb; m < me; m += ${mr}) {
          const i32 rows = me - m < ${mr} ? me - m : ${mr};
          ${dot}(${gathered.at}, ${gathered.pitch}, rows, ${codes}, columns, ${kp / 4}, ${start}, ${acc});
          for (i32 r = 0; r < rows; r++) {
          ${tail.wide ? widened(finish) : finish}
          }
        }
      }
    }
  }`;
  return { helpers: `${gathered.helpers}${epi}`, body };
}

/** Rows of a micro-kernel, so that few of them are left over. */
function rowsAtOnce(m: number, most: number): number {
  const least = Math.max(1, Math.floor(most / 2) + 1);
  let best = Math.min(most, m);
  for (let r = best - 1; r >= least; r--) if (Math.ceil(m / r) * r < Math.ceil(m / best) * best) best = r;
  return best;
}

/** How many steps' products fit 16 bits: 255 * 2^(bits - 1) * 2 a step. */
function chainOf(bits: number): '4' | '2' | '1' {
  return bits <= 5 ? '4' : bits === 6 ? '2' : '1';
}

interface Gathered {
  readonly helpers: string;
  /** Once a block of rows. */
  readonly setup: string;
  /** Pointer to row m, and elements from one row to the next. */
  readonly at: string;
  readonly pitch: number;
}

/** The rows of the matrix: where they lie, or copied; columns past the end may be anything, codes are zero there. */
function rowsOf(
  ctx: KernelContext,
  geo: Geometry,
  x: { src: string; from: 'i8' | 'i16'; type: 'u8' | 'i16'; kp: number; block: number },
): Gathered {
  const { src, from, type, kp, block } = x;
  if (geo.pointwise && from === 'i16' && !ctx.overlapped)
    return { helpers: '', setup: '', at: `${src} + m * ${geo.k}`, pitch: geo.k };
  const rows = `((${type} *)${ctx.scratch((block + 1) * kp * (type === 'u8' ? 1 : 2))})`;
  const row = (pitch: number): string => `${rows} + (m - mb) * ${pitch}`;
  if (geo.pointwise && type === 'u8') {
    const setup = `ew_flip(${rows}, ${src} + mb * ${geo.k}, (i64)(me - mb) * ${geo.k});`;
    return { helpers: '', setup, at: row(geo.k), pitch: geo.k };
  }
  const to = type === 'u8' ? 'i8' : 'i16';
  const gather = `gather(${src}, (${to} *)${rows}, mb, me - mb, g, zp);`;
  const flip = type === 'u8' ? ` ew_flip(${rows}, (const i8 *)${rows}, (i64)(me - mb) * ${kp});` : '';
  return {
    helpers: emitGather('gather', geo, { from, to, pitch: kp }),
    setup: `${gather}${flip}`,
    at: row(kp),
    pitch: kp,
  };
}
