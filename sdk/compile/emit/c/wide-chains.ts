import type { Tensor } from '../../../util/tensor.ts';
import { PANEL_COLS, PANEL_ROWS } from '../../../wire/panels.ts';

/**
 * How products of bytes are summed without VNNI: in 16 bits, for as many steps of four columns in a row as the codes allow. For every block
 * of tiles of eight channels that are multiplied together, the steps of one chain after another, a segment's last one ending with it; 0 is
 * a step whose products of two columns do not fit. `words`: it is faster to widen bytes to 16 bits and multiply those.
 */
export type Chains =
  | { readonly form: 'words' }
  | { readonly form: 'bytes'; readonly blocks: readonly (readonly number[])[] };

/** 255 times codes of one sign that add up to no more fit 16 bits. */
const FITS = 128;

/** Multiplications that a step takes: as words, and as bytes of even columns and of odd ones. */
const AS_WORDS = 2;
const AS_HALVES = 4;

/** Kernels of bytes have fewer rows at a time: they pay below this. */
const MOST_AS_BYTES = 1.75;

/** Steps in a chain at most: lengths are bytes. */
const MOST_STEPS = 255;

interface Rows {
  readonly data: Tensor['data'];
  readonly rows: number;
  readonly cols: number;
}

/** Rows of codes, `segments` pieces of a row one after another, each filled up to whole steps, and how many tiles of them are a block. */
interface Codes extends Rows {
  readonly segments: number;
  readonly tiles: number;
}

/**
 * The same for products of magnitudes of a row, 128 at most, with codes that have its signs: 4 where those of a unit of 16 columns fit 16
 * bits, else 1, which all do.
 */
export function reachesOfRow(codes: Rows): (1 | 4)[] {
  return Array.from({ length: Math.ceil(codes.rows / PANEL_ROWS) }, (_, t) =>
    unitsFit(codes, t * PANEL_ROWS) ? 4 : 1,
  );
}

/** 128 times magnitudes of codes that add up to no more fit 16 bits. */
const MAGNITUDES = 255;

function unitsFit({ data, rows, cols }: Rows, from: number): boolean {
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
  let [steps, multiplications] = [0, 0];
  for (const n of chains.blocks.flat()) {
    steps += n || 1;
    multiplications += n === 0 ? AS_HALVES : n + 1;
  }
  return multiplications / steps;
}

/** Steps of the chains of every block of tiles. */
export function lengthsOf(codes: Codes): number[][] {
  const height = codes.tiles * PANEL_ROWS;
  return Array.from({ length: Math.ceil(codes.rows / height) }, (_, b) => chainsOfBlock(codes, b * height));
}

export function chainsOf(codes: Codes): Chains {
  const bytes: Chains = { form: 'bytes', blocks: lengthsOf(codes) };
  return costOf(bytes) < MOST_AS_BYTES ? bytes : { form: 'words' };
}

/** Chains as long as codes of one sign in even pairs of columns of a row, and in odd ones, add up to what fits. */
function chainsOfBlock({ data, rows, cols, segments, tiles }: Codes, from: number): number[] {
  const to = Math.min(rows, from + tiles * PANEL_ROWS);
  const length = cols / segments;
  const lengths: number[] = [];
  // Of every row: positive and negative codes of even pairs, and of odd ones, so far and with a step more.
  const sums = new Int32Array((to - from) * 4);
  const with1 = new Int32Array(sums.length);
  for (let s = 0; s < segments; s++) {
    let n = 0;
    for (let k = 0; k < length; k += 4) {
      const fits = (base: Int32Array | undefined): boolean => {
        if (base) with1.set(base);
        else with1.fill(0);
        for (let r = from; r < to; r++)
          for (let c = k; c < Math.min(length, k + 4); c++) {
            const q = Number(data[r * cols + s * length + c]);
            const at = (r - from) * 4 + (c & 2) + (q < 0 ? 1 : 0);
            with1[at]! += Math.abs(q);
            if (with1[at]! > FITS) return false;
          }
        return true;
      };
      if (n > 0 && n < MOST_STEPS && fits(sums)) n++;
      else {
        if (n > 0) lengths.push(n);
        n = fits(undefined) ? 1 : 0;
        if (n === 0) lengths.push(0);
      }
      sums.set(with1);
    }
    if (n > 0) lengths.push(n);
  }
  return lengths;
}
