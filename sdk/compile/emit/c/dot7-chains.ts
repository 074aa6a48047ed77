import type { Tensor } from '../../../util/tensor.ts';
import { PANEL_ROWS } from '../../../wire/panels.ts';
import { lengthsOf } from './wide-chains.ts';

/**
 * Where WebAssembly engines are to sum relaxed dot products in 16 bits first (`ew_chained`), kernels sum as many steps of four columns as the
 * codes of each tile allow, or take the plain product: whichever is faster. Codes are the operand with a sign, so that those of either sign
 * take each other back, and activations the one without.
 */

/**
 * Time of a step with one row of 16 codes and of what ends a chain, fitted to measured times of chains of 1 to 8 steps; of a step of which halves
 * are summed at once, reckoned from its instructions; and of a step of the plain product, measured.
 */
const STEP = 3.6;
const END = 5.7;
const AS_HALVES = 16;
const PLAIN = 6.5;

/** Codes [rows][cols], of which each row is `segments` pieces whose chains begin anew, each filled up to whole steps. */
interface Codes {
  readonly data: Tensor['data'];
  readonly rows: number;
  readonly cols: number;
  readonly segments: number;
}

/** The chains of all tiles, or of all pairs of them. */
export interface TileChains {
  /** C text of tables of how many steps each has, 0 for a step of which halves are summed at once. */
  readonly text: string;
  /** C expression of where those of the tiles from row `row` on are. */
  readonly at: (row: string) => string;
  /** Whether there are 0s. */
  readonly halves: boolean;
}

/**
 * Chains of so many tiles at a time, where they are faster than what takes that share of the time of plain products. Where kernels go through
 * more columns, the last ones being zeros, `columns` says so.
 */
export function chainsOfTiles(
  codes: Codes,
  { share = 1, tiles = 1, name = 'chains', columns = codes.cols } = {},
): TileChains | undefined {
  const lengths = lengthsOf({ ...codes, tiles });
  let [cost, steps] = [0, 0];
  for (const n of lengths.flat()) {
    cost += n === 0 ? AS_HALVES : n * STEP + END;
    steps += n || 1;
  }
  if (cost >= steps * PLAIN * share) return undefined;
  const more = Math.ceil(columns / 4) - Math.ceil(codes.cols / 4);
  if (more > 0) for (const chains of lengths) chains.push(more);
  const starts = [0];
  for (const { length } of lengths) starts.push(starts.at(-1)! + length);
  return {
    text: `static const u8 ${name}[] = {${lengths.flat().join(', ')}}; static const i32 ${name}_at[] = {${starts.slice(0, -1).join(', ')}};`,
    at: (row) => `${name} + ${name}_at[(${row}) / ${tiles * PANEL_ROWS}]`,
    halves: lengths.flat().includes(0),
  };
}
