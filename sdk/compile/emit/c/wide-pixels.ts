import type { WideVectors } from '../../target.ts';
import type { KernelContext } from './context.ts';
import { hasTailOfRows, onlyCodes, type RowEpilogue } from './epilogue.ts';
import { NR } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import { widened } from './lanes.ts';
import type { WideProduct } from './wide-product.ts';
import { type Source, STEP } from './wide-rows.ts';

/**
 * Products whose channels are one tile of codes, of windows that lie near to each other: lanes are neighbouring pixels instead of channels, so
 * that none of them is empty and columns of a window are filled up once, not line by line. One instruction finds the bytes that a line has of
 * four columns for all pixels; codes, scales and biases are in all lanes.
 */

/** Bytes of a line that one instruction picks from. */
const PICKED_FROM = 128;
/** Vectors of pixels at a time, which each code is loaded once for. */
const TOGETHER = 2;
/** Pixels that may be computed in vain, as a share of those of a line. */
const MOST_IN_VAIN = 0.15;

/** Whether windows, which are read line by line, can be taken a vector of pixels at a time. */
export function takesPixels(ctx: KernelContext, { lanes, vnni }: WideVectors, geo: Geometry, p: WideProduct): boolean {
  const pixels = Math.ceil(geo.ow / lanes) * lanes;
  return (
    vnni &&
    2 * NR === lanes &&
    geo.o === NR &&
    ctx.type(p.x).dtype === 'i8' &&
    p.rowScale === undefined &&
    pixels <= geo.ow * (1 + MOST_IN_VAIN) &&
    reachOf(geo, lanes) <= PICKED_FROM &&
    onlyCodes(ctx) !== undefined &&
    hasTailOfRows(ctx, ctx.type(p.y).shape, false)
  );
}

/** Bytes of a line that a vector of pixels reads. */
const reachOf = (geo: Geometry, lanes: number): number => ((lanes - 1) * geo.strides[1] + geo.kw) * geo.c;

interface Pixels {
  readonly source: Source;
  readonly codes: string;
  readonly start: string;
  readonly multiplier: { readonly at: string };
  readonly bias: { readonly at: string };
  readonly epi: RowEpilogue;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** C text of all rows of a block. */
export function rowsOfPixels(ctx: KernelContext, { lanes }: WideVectors, geo: Geometry, p: Pixels): string {
  const { source, codes, start, multiplier, bias, epi } = p;
  const picks = picksOf(geo, lanes);
  const channels = range(NR);
  const far = reachOf(geo, lanes) > PICKED_FROM / 2;
  const group = (groups: number): string => {
    const each = (text: (v: number) => string): string => range(groups).map(text).join(' ');
    const loads = each((v) =>
      range(geo.kh)
        .map((y) => {
          const at = `places[m + ${v * lanes} - mb] + ${y * source.apart}`;
          return `const ix x${v}_${y} = ix_load(lines + ${at}), y${v}_${y} = ${far ? `ix_load(lines + ${at} + ${PICKED_FROM / 2})` : `x${v}_${y}`};`;
        })
        .join(' '),
    );
    const sums = each((v) => `ix ${channels.map((c) => `c${v}_${c} = ix_splat(${start}[${c}])`).join(', ')};`);
    const steps = picks.map((step, k) => {
      const bytes = (v: number): string =>
        step
          .map(({ line, mask, at }) => `ew_bytes_of(${mask}, ((ix){${at.join(', ')}}), x${v}_${line}, y${v}_${line})`)
          .reduce((a, b) => `x_or(${a}, ${b})`);
      const dots = channels.map(
        (c) =>
          `{ const ix w = fx_load_splat(${codes} + ${(k * lanes + c) * STEP}); ${each((v) => `c${v}_${c} = ew_dot_bytes(c${v}_${c}, x${v}, w);`)} }`,
      );
      return `{ const ix ${range(groups)
        .map((v) => `x${v} = ${bytes(v)}`)
        .join(', ')};
          ${dots.join(' ')} }`;
    });
    const result = (v: number, c: number): string =>
      `q${v}_${c} = ${epi.codes!.name}(${ctx.arguments()}, m, ${c}, nv, f4_add(f4_mul(f4_from_i4(c${v}_${c}), scale), bias)${epi.more});`;
    const results = channels.map((c) =>
      widened(
        `{ const f4 scale = f4_load_splat(${multiplier.at} + ${c}), bias = f4_load_splat(${bias.at} + ${c}); ${epi.setup(String(c))} ${each((v) => result(v, c))} }`,
      ),
    );
    const count = (v: number): string => (groups > 1 ? String(lanes) : `n - ${v * lanes}`);
    return `${loads}
          ${sums}
          ${steps.join('\n          ')}
          ix ${range(groups)
            .flatMap((v) => channels.map((c) => `q${v}_${c}`))
            .join(', ')};
          ${results.join('\n          ')}
          ${each((v) => `ew_store_pixels(${epi.codes!.at(`m + ${v * lanes}`, '0')}, ${count(v)}, ${channels.map((c) => `q${v}_${c}`).join(', ')});`)}`;
  };
  return `{
        const u8 *const lines = ${source.base}; const i32 nv = ${NR}, *const places = ${source.places}; (void)nv;
        for (i32 m = mb, n; m < me; m += n) {
          const i32 left = ${geo.ow} - m % ${geo.ow} < me - m ? ${geo.ow} - m % ${geo.ow} : me - m;
          if (left >= ${TOGETHER * lanes}) {
          n = ${TOGETHER * lanes};
          ${group(TOGETHER)}
          continue;
          }
          n = left < ${lanes} ? left : ${lanes};
          ${group(1)}
        }
        }`;
}

/** Bytes of a line that are part of four columns. */
interface Pick {
  readonly line: number;
  /** Those of all lanes that it has, and where they are. */
  readonly mask: string;
  readonly at: readonly string[];
}

/** For every four columns of the matrix, the lines that have them. */
function picksOf(geo: Geometry, lanes: number): Pick[][] {
  const length = geo.kw * geo.c;
  return range(Math.ceil(geo.k / STEP)).map((k) => {
    const columns = range(STEP).map((b) => k * STEP + b);
    const lines = [...new Set(columns.filter((c) => c < geo.k).map((c) => Math.floor(c / length)))];
    return lines.map((line): Pick => {
      const inside = columns.map((c) => c < geo.k && Math.floor(c / length) === line);
      const nibble = inside.reduce((bits, is, b) => bits | (is ? 1 << b : 0), 0);
      const place = (lane: number): string =>
        hex(columns.map((c, b) => (inside[b] ? lane * geo.strides[1] * geo.c + (c % length) : 0)));
      return { line, mask: `0x${nibble.toString(16).repeat(lanes)}ull`, at: range(lanes).map(place) };
    });
  });
}

/** Four bytes as one number. */
const hex = (bytes: readonly number[]): string =>
  `0x${[...bytes]
    .reverse()
    .map((b) => b.toString(16).padStart(2, '0'))
    .join('')}`;
