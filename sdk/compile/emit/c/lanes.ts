import { LANE_MATH } from './math.ts';
import { LANE_PRELUDE } from './prelude.ts';

/**
 * How many channels an elementwise text works on at a time, and in what. Text is written in the words of four lanes; for wider vectors
 * the same words stand for vectors of 8 or 16 lanes under other names (`Vectors.wide`), and a text is renamed as a whole. Lanes are
 * channels or elements, so that every width gives the same bits.
 */
export interface Lanes {
  /** Channels at a time. */
  readonly block: number;
  /** Names of the vectors that hold them; vector i has the channels from `i * 4` on in the words of four lanes. */
  readonly pieces: readonly string[];
  readonly wide: boolean;
  /** Rows side by side in a block: with two, all channels of each fill half a vector; `all`: every lane has a row of its own, and one channel. */
  readonly rows: 1 | 2 | 'all';
}

/** Eight channels in two vectors. */
export const NARROW: Lanes = { block: 8, pieces: ['a', 'b'], wide: false, rows: 1 };

/** All channels of a block in one vector, or those of two rows, or one channel of many. */
export function wideLanes(lanes: number, rows: Lanes['rows'] = 1): Lanes {
  return { block: lanes, pieces: ['a'], wide: true, rows };
}

/** Helpers that are there for wide vectors as well, under names of their own. */
const HELPERS = [...`${LANE_MATH}${LANE_PRELUDE}`.matchAll(/^(?:EW_INLINE|static) \w+ ew_(\w+)\(/gm)].map((m) => m[1]);
const WORDS = /\b(?:([fi])4(_\w+)?|v_(\w+)|EW_H)\b/g;
const CALLS = new RegExp(`\\bew_(${HELPERS.join('|')})\\b`, 'g');

/** A text in the words of four lanes, in those of wide vectors. */
export function widened(text: string): string {
  return text
    .replace(WORDS, (word, kind?: string, rest = '', logic?: string) =>
      kind ? `${kind}x${rest}` : logic ? `x_${logic}` : `${word}X`,
    )
    .replace(CALLS, 'ewx_$1');
}

/** The helpers for wide vectors. */
export const WIDE_HELPERS = widened(`${LANE_MATH}${LANE_PRELUDE}`);
