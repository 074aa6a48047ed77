import type { Tensor } from '../../../util/tensor.ts';
import { PANEL_ROWS } from '../../../wire/panels.ts';
import { lengthsOf } from './wide-chains.ts';

/**
 * Where WebAssembly engines are to sum relaxed dot products in 16 bits first (`ew_chained`), kernels sum as many steps of four columns as the
 * codes of each tile allow, less the least one of them (`ew_reach` of emit/c/panels.ts), or take the plain product: whichever is faster.
 */

/** Steps that may be summed. */
export const REACHES = [8, 6, 4, 3, 2, 1] as const;
type Reach = (typeof REACHES)[number];

/** Sums of codes up to which they may: times -128 .. 127 they fit 16 bits. */
export const MOST_SUM = 255;

/** Time of a product with one row of 16 codes, measured; the plain one's and that of finding the reach of a tile are in the same unit. */
const COST: Readonly<Record<Reach, number>> = { 8: 4.3, 6: 4.4, 4: 4.7, 3: 5.3, 2: 6.5, 1: 10 };
const PLAIN = 6.5;
const FINDING = 20;

/** Codes of 7 bits [rows][cols], of which each row is `segments` pieces whose chains begin anew. */
interface Codes {
  readonly data: Tensor['data'];
  readonly rows: number;
  readonly cols: number;
  readonly segments: number;
}

/** Whether chains are faster than what takes that share of the time of plain products with so many rows of activations. */
export function paysChains(codes: Codes, activations: number, share = 1): boolean {
  let cost = 0;
  for (let from = 0; from < codes.rows; from += PANEL_ROWS) cost += activations * COST[reachOf(codes, from)] + FINDING;
  return cost < Math.ceil(codes.rows / PANEL_ROWS) * activations * PLAIN * share;
}

function reachOf({ data, rows, cols, segments }: Codes, from: number): Reach {
  const tile = Array.from({ length: Math.min(PANEL_ROWS, rows - from) }, (_, r) =>
    Int8Array.from(data.subarray((from + r) * cols, (from + r + 1) * cols) as Int8Array),
  );
  const least = Math.min(0, ...tile.map((row) => row.reduce((a, b) => Math.min(a, b), 0)));
  return REACHES.find((reach) => tile.every((row) => fits(row, least, cols / segments, 4 * reach))) ?? 1;
}

/** Whether codes less the least one, in even pairs of columns and in odd ones, add up to what fits, in every chain of `chain` columns. */
function fits(row: Int8Array, least: number, segment: number, chain: number): boolean {
  for (let piece = 0; piece < row.length; piece += segment)
    for (let begin = piece; begin < piece + segment; begin += chain) {
      const sums = [0, 0];
      for (let c = begin; c < Math.min(piece + segment, begin + chain); c++) sums[(c & 2) >> 1]! += row[c]! - least;
      if (Math.max(...sums) > MOST_SUM) return false;
    }
  return true;
}

/** Time of a step of a signed chain, of what ends a chain, and of a step of which halves are summed at once, in the unit of `PLAIN`; measured. */
const STEP = 3.6;
const END = 5.7;
const AS_HALVES = 16;

/** Chains of all tiles: C text of their lengths, C expression of where those of tile `tile` are, and whether there are steps of which halves are summed at once. */
export interface TileChains {
  readonly text: string;
  readonly at: (tile: string) => string;
  readonly halves: boolean;
}

/** Chains of products of activations without a sign with signed codes, where they are faster than what takes that share of the time of plain products. */
export function chainsOfTiles(codes: Codes, share = 1): TileChains | undefined {
  const tiles = lengthsOf({ ...codes, tiles: 1 });
  let [cost, steps] = [0, 0];
  for (const n of tiles.flat()) {
    cost += n === 0 ? AS_HALVES : n * STEP + END;
    steps += n || 1;
  }
  if (cost >= steps * PLAIN * share) return undefined;
  const starts = [0];
  for (const { length } of tiles) starts.push(starts.at(-1)! + length);
  return {
    text: `static const u8 chains[] = {${tiles.flat().join(', ')}}; static const u16 starts[] = {${starts.slice(0, -1).join(', ')}};`,
    at: (tile) => `chains + starts[${tile}]`,
    halves: tiles.flat().includes(0),
  };
}
