import type { WideVectors } from '../../target.ts';
import type { KernelContext } from './context.ts';
import { hasTailOfRows, type RowEpilogue } from './epilogue.ts';
import { NR } from './gemm.ts';
import type { Geometry } from './geometry.ts';
import type { WideProduct } from './wide-product.ts';
import { type Source, STEP } from './wide-rows.ts';

/**
 * Products whose channels are one tile of codes, which fills half a vector: two neighbouring windows of an image share one. Bytes of both
 * are found by one instruction in what lies from the first one on; codes, scales and biases are there twice.
 */

/** Bytes of a line that one vector holds. */
const LINE_BYTES = 64;
/** Vectors of codes that registers hold beside the rest. */
const MOST_CODES = 16;
/** Vectors of sums at a time, as many as one store takes codes of. */
const TOGETHER = 4;

/** Whether windows, which are read line by line, can be taken two at a time. */
export function pairsRows(ctx: KernelContext, { lanes, vnni }: WideVectors, geo: Geometry, p: WideProduct): boolean {
  const steps = Math.ceil((geo.kw * geo.c) / STEP);
  return (
    vnni &&
    2 * NR === lanes &&
    geo.o === NR &&
    geo.ow % 2 === 0 &&
    p.rowScale === undefined &&
    geo.strides[1] * geo.c + steps * STEP <= LINE_BYTES &&
    geo.kh * steps <= MOST_CODES &&
    hasTailOfRows(ctx, ctx.type(p.y).shape)
  );
}

interface Pairs {
  readonly source: Source;
  readonly codes: string;
  readonly steps: number;
  readonly start: string;
  readonly multiplier: { readonly at: string };
  readonly bias: { readonly at: string };
  readonly epi: RowEpilogue;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** C text, in the words of four lanes, of all rows of a block. */
export function pairedRows(ctx: KernelContext, geo: Geometry, p: Pairs): string {
  const { source, codes, steps, start, multiplier, bias, epi } = p;
  const lines = range(geo.kh);
  const taps = range(steps);
  const vectors = lines.flatMap((y) =>
    taps.map((k) => `w${y}_${k} = i4_load_twice(${codes} + ${(y * steps + k) * 2 * NR * STEP})`),
  );
  // Lines are summed by themselves, so that no sum waits for long.
  const half = geo.strides[1] * geo.c + steps * STEP <= LINE_BYTES / 2 ? 'ew_load_half' : 'i4_load';
  const sums = (pairs: number): string =>
    [
      ...range(pairs).map((r) => `const u8 *const p${r} = ${source.base} + places[${2 * r}];`),
      ...lines.flatMap((y) =>
        range(pairs).map(
          (r) =>
            `i4 c${r}_${y} = ${y === 0 ? 'first' : 'i4_splat(0)'}; { const i4 x = ${half}(p${r} + ${y * source.apart}); ${taps.map((k) => `c${r}_${y} = ew_dot_bytes(c${r}_${y}, ew_bytes_at(x, at${k}), w${y}_${k});`).join(' ')} }`,
        ),
      ),
      ...range(pairs).map(
        (r) => `const i4 c${r} = ${lines.map((y) => `c${r}_${y}`).reduce((a, b) => `i4_add(${a}, ${b})`)};`,
      ),
    ].join('\n          ');
  const result = (r: number): string =>
    `${ctx.arguments()}, m + ${2 * r}, 0, nv, f4_add(f4_mul(f4_from_i4(c${r}), scale), bias)${epi.more}`;
  const stored = (pairs: number): string =>
    epi.codes && pairs === TOGETHER
      ? `i4_store_i8_four(${epi.codes.at('m', '0')}, ${range(pairs)
          .map((r) => `${epi.codes!.name}(${result(r)})`)
          .join(', ')});`
      : range(pairs)
          .map((r) => `epi(${result(r)});`)
          .join(' ');
  const loop = (pairs: number): string => `for (; m + ${2 * pairs} <= me; m += ${2 * pairs}, places += ${2 * pairs}) {
          ${sums(pairs)}
          ${stored(pairs)}
        }`;
  return `{
        const i4 ${vectors.join(', ')};
        const i4 ${taps.map((k) => `at${k} = ew_places_of_bytes(${geo.strides[1] * geo.c}, ${k * STEP})`).join(', ')}, first = i4_load_twice(${start});
        const f4 scale = f4_load_twice(${multiplier.at}), bias = f4_load_twice(${bias.at}); ${epi.setup('0')}
        const i32 nv = ${2 * NR}, *places = ${source.places}; i32 m = mb; (void)nv;
        ${loop(TOGETHER)}
        ${loop(1)}
        }`;
}
