import type { Tensor } from '../../../util/tensor.ts';
import { PANEL_COLS, PANEL_ROWS } from '../../../wire/panels.ts';

/**
 * How products of bytes are summed without VNNI: in 16 bits for as many steps of four columns as the codes of each tile of eight channels
 * allow (8, 4, 2, 1, or 0: not even the products of two columns fit). `words`: it is faster to widen bytes to 16 bits and multiply those.
 */
export type Chains =
  | { readonly form: 'words' }
  | { readonly form: 'bytes'; readonly reaches: readonly (0 | 1 | 2 | 4 | 8)[] };

/** 255 times codes of one sign that add up to no more fit 16 bits. */
const FITS = 128;

/** Multiplications that a step takes: as words, and as bytes of even columns and of odd ones. */
const AS_WORDS = 2;
const AS_HALVES = 4;

/** Rows of codes, `segments` pieces of a row one after another, each filled up to whole steps. */
interface Codes {
  readonly data: Tensor['data'];
  readonly rows: number;
  readonly cols: number;
  readonly segments: number;
}

/**
 * The same for products of magnitudes of a row, 128 at most, with codes that have its signs: 4 where those of a unit of 16 columns fit 16
 * bits, else 1, which all do.
 */
export function reachesOfRow(codes: Omit<Codes, 'segments'>): (1 | 4)[] {
  return Array.from({ length: Math.ceil(codes.rows / PANEL_ROWS) }, (_, t) =>
    unitsFit(codes, t * PANEL_ROWS) ? 4 : 1,
  );
}

/** 128 times magnitudes of codes that add up to no more fit 16 bits. */
const MAGNITUDES = 255;

function unitsFit({ data, rows, cols }: Omit<Codes, 'segments'>, from: number): boolean {
  for (let r = from; r < Math.min(rows, from + PANEL_ROWS); r++)
    for (let begin = 0; begin < cols; begin += PANEL_COLS) {
      const sums = [0, 0];
      for (let c = begin; c < Math.min(cols, begin + PANEL_COLS); c++)
        sums[(c & 2) >> 1]! += Math.abs(Number(data[r * cols + c]));
      if (Math.max(...sums) > MAGNITUDES) return false;
    }
  return true;
}

/** Multiplications that a step takes on average. */
export function costOf(chains: Chains): number {
  if (chains.form === 'words') return AS_WORDS;
  const { reaches } = chains;
  return reaches.reduce<number>((sum, r) => sum + (r === 0 ? AS_HALVES : 1 + 1 / r), 0) / reaches.length;
}

export function chainsOf(codes: Codes): Chains {
  const tiles = Math.ceil(codes.rows / PANEL_ROWS);
  const reaches = Array.from({ length: tiles }, (_, t) => reachOfTile(codes, t * PANEL_ROWS));
  const bytes: Chains = { form: 'bytes', reaches };
  return costOf(bytes) < AS_WORDS ? bytes : { form: 'words' };
}

function reachOfTile(codes: Codes, from: number): 0 | 1 | 2 | 4 | 8 {
  for (const reach of [8, 4, 2, 1] as const) if (fits(codes, from, reach)) return reach;
  return 0;
}

/** Whether, in every row and chain of so many steps, codes of one sign in even pairs of columns, and in odd ones, add up to what fits. */
function fits({ data, rows, cols, segments }: Codes, from: number, reach: number): boolean {
  const length = cols / segments;
  for (let r = from; r < Math.min(rows, from + PANEL_ROWS); r++)
    for (let begin = 0; begin < length; begin += 4 * reach)
      for (let s = 0; s < segments; s++) {
        const sums = [0, 0, 0, 0];
        for (let c = begin; c < Math.min(length, begin + 4 * reach); c++) {
          const q = Number(data[r * cols + s * length + c]);
          sums[(c & 2) + (q < 0 ? 1 : 0)]! += Math.abs(q);
        }
        if (Math.max(...sums) > FITS) return false;
      }
  return true;
}
