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
}

/** Eight channels in two vectors. */
export const NARROW: Lanes = { block: 8, pieces: ['a', 'b'], wide: false };

/** All channels of a block in one vector. */
export function wideLanes(lanes: number): Lanes {
  return { block: lanes, pieces: ['a'], wide: true };
}

const FUNCTIONS = [
  ...[
    'rint',
    'pow2i',
    'exp_lo',
    'exp',
    'sigmoid',
    'split_log',
    'log_poly',
    'log',
    'tanh',
    'erf',
    'sincos',
    'sin',
    'cos',
  ],
  ...['round', 'decode', 'bool', 'eq', 'lt', 'le', 'zero_mask', 'not', 'and', 'or', 'sel'],
];
const WORDS = /\b(?:([fi])4(_\w+)?|v_(\w+)|EW_H)\b/g;
const CALLS = new RegExp(`\\bew_(${FUNCTIONS.join('|')})\\b`, 'g');

/** A text in the words of four lanes, in those of wide vectors. */
export function widened(text: string): string {
  return text
    .replace(WORDS, (word, kind?: string, rest = '', logic?: string) =>
      kind ? `${kind}x${rest}` : logic ? `x_${logic}` : `${word}X`,
    )
    .replace(CALLS, 'ewx_$1');
}
