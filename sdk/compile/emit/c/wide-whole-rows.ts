import type { WideVectors } from '../../target.ts';
import type { KernelContext } from './context.ts';
import { hasLanewiseTail, onlyCodes, type RowEpilogue } from './epilogue.ts';
import { NR } from './gemm.ts';
import type { Geometry } from './geometry.ts';

/**
 * The tail of rows of which a block has all the channels that it can: where all that is left is codes of 8 bits, four vectors of them, two of
 * each of two rows or one of each of four, are cut off together and stored as one or two, since cutting off and storing each by itself would
 * take about as long as what comes before.
 */

/** Vectors that are stored together. */
const TOGETHER = 4;

/** How many rows are stored together, where a block has so many vectors of channels; 0: every vector is stored by itself. */
export function rowsStoredTogether(
  ctx: KernelContext,
  { lanes }: WideVectors,
  { o, og }: Geometry,
  vectors: number,
): number {
  // Four rows of one vector each lie side by side where they have no more channels.
  const whole = vectors === 2 ? og % (2 * lanes) === 0 : vectors === 1 && o === lanes;
  return lanes === NR && whole && hasLanewiseTail(ctx) && onlyCodes(ctx) !== undefined ? TOGETHER / vectors : 0;
}

interface WholeRows {
  readonly lanes: number;
  /** Vectors of channels of a row. */
  readonly vectors: number;
  readonly epi: RowEpilogue;
  /** C expressions: where scales and biases of a block are, and the scale of row `row`, if rows have some. */
  readonly multiplier: string;
  readonly bias: string;
  readonly rowScale: ((row: string) => string) | undefined;
}

/** C text, in the words of four lanes, of tails of a block of channels that begins at G + n and of rows that begin at m. */
export interface WholeRowsText {
  readonly setup: string;
  /** Stores rows from `row` on, the sums of whose vector i are `sums(i)`, counted through all rows. */
  store(row: string, sums: (i: number) => string): string;
}

export function wholeRows(ctx: KernelContext, p: WholeRows): WholeRowsText {
  const { lanes, vectors, epi, multiplier, bias, rowScale } = p;
  const codes = epi.codes!;
  const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
  const channel = (v: number): string => `G + n + ${v * lanes}`;
  const factors = range(vectors).map((v) => {
    const [m, b] = [multiplier, bias].map((at) => `f4_load(${at} + ${v * lanes})`);
    return `const f4 scale${v} = ${m}, bias${v} = ${b}; ${epi.each(channel(v), `_${v}`)}`;
  });
  const cell = (row: string, v: number, sums: string): string => {
    const f = `f4_from_i4(${sums})`;
    const scaled = rowScale ? `f4_mul(${f}, ${rowScale(row)})` : f;
    const value = `f4_add(f4_mul(${scaled}, scale${v}), bias${v})`;
    return `${codes.name}(${ctx.arguments()}, ${row}, ${channel(v)}, ${lanes}, ${value}${epi.moreOf(`_${v}`)})`;
  };
  return {
    setup: `${epi.once} ${factors.join(' ')}`,
    store: (from, sums) => {
      const row = (r: number): string => `(m + ${from} + ${r})`;
      const cells = range(TOGETHER).map((i) => cell(row(Math.floor(i / vectors)), i % vectors, sums(i)));
      const [first, second] = [0, 1].map((r) => codes.at(row(r), 'G + n'));
      const where = vectors === 2 ? `pairs(${first}, ${second}` : `four(${first}`;
      return `i4_store_i8_${where}, ${cells.join(', ')});`;
    },
  };
}
