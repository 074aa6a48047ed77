import { type ByteReader, type ByteWriter, damaged } from './bits.ts';
import { extraBits, MAX_TOKENS } from './tokens.ts';

/**
 * The static model of a stream: a frequency for every token, summing to 2^precision. What travels is one small level a
 * token, its frequency on a logarithmic grid (level 0: absent), as Rice-coded differences. Coder and decoder derive the
 * frequencies from the levels with the same IEEE arithmetic, so a fine table costs few bytes: a quarter octave loses
 * about 0.05 % of the bits and takes some 2.5 bits a token.
 */
export interface TokenModel {
  readonly precision: 12 | 14;
  /** Levels an octave. */
  readonly steps: 2 | 4 | 8;
  readonly levels: Uint8Array;
  /** Predict a level from the one before (1) or from the one of the same sign (2). */
  readonly back: 1 | 2;
  readonly rice: number;
  readonly frequencies: Uint16Array;
  /** Size of the table and of the coded tokens with their extra bits. */
  readonly tableBits: number;
  readonly payloadBits: number;
}

const STEPS = [2, 4, 8] as const;
const TABLE_HEADER_BITS = 1 + 2 + 1 + 3 + 9;

/** 2^(j/8) as literals: Math.pow is not the same on every engine. */
const EIGHTHS = [
  1,
  1.0905077326652577,
  1.189207115002721,
  1.2968395546510096,
  Math.SQRT2,
  1.5422108254079407,
  1.681792830507429,
  1.8340080864093424,
];

/** Weight of a level, in units of 2^-precision: 1 for level 1, then `steps` levels an octave. */
function weightOf(level: number, steps: number): number {
  const eighth = (level - 1) * (8 / steps);
  return EIGHTHS[eighth & 7] * (1 << (eighth >> 3));
}

/** The level whose weight is nearest to `target` in ratio. */
function levelOf(target: number, steps: number, highest: number): number {
  let low = 1;
  let high = highest;
  while (low < high) {
    const middle = (low + high) >> 1;
    // Above the geometric mean of two neighbours the upper one is nearer.
    if (target * target > weightOf(middle, steps) * weightOf(middle + 1, steps)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Frequencies of at least 1 for every present token, summing to 2^precision exactly. */
function frequenciesOf(levels: Uint8Array, steps: number, precision: number): Uint16Array {
  let present = 0;
  let sum = 0;
  for (const level of levels) {
    if (level === 0) continue;
    present++;
    sum += weightOf(level, steps) - 1;
  }
  const total = 2 ** precision - present;
  const out = new Uint16Array(levels.length);
  let cumulative = 0;
  let reached = 0;
  let seen = 0;
  for (let t = 0; t < levels.length; t++) {
    if (levels[t] === 0) continue;
    seen++;
    cumulative += weightOf(levels[t], steps) - 1;
    // Rounding the running sum spreads the error; where every weight is 1 the tokens share evenly.
    const share = sum > 0 ? cumulative / sum : seen / present;
    const border = seen === present ? total : Math.floor(share * total);
    out[t] = 1 + border - reached;
    reached = border;
  }
  return out;
}

/** The cheapest models of histograms of tokens, all of one precision; every histogram has at least one positive entry. */
export function fitModels(counts: readonly ArrayLike<number>[]): TokenModel[] {
  const at = (precision: 12 | 14): TokenModel[] => counts.map((c) => fitAt(c, precision));
  const [coarse, fine] = [at(12), at(14)];
  const bits = (models: readonly TokenModel[]): number => models.reduce((sum, m) => sum + bitsOf(m), 0);
  // The 2^14 table is slower to decode, so it has to save 0.1 %.
  return bits(fine) * 1.001 < bits(coarse) ? fine : coarse;
}

function fitAt(counts: ArrayLike<number>, precision: 12 | 14): TokenModel {
  let length = counts.length;
  while (length > 1 && counts[length - 1] === 0) length--;
  let best: TokenModel | undefined;
  for (const steps of STEPS) {
    const model = modelOf(counts, length, precision, steps);
    if (!best || bitsOf(model) < bitsOf(best)) best = model;
  }
  return best!;
}

function bitsOf(model: TokenModel): number {
  return model.tableBits + model.payloadBits;
}

function modelOf(counts: ArrayLike<number>, length: number, precision: 12 | 14, steps: 2 | 4 | 8): TokenModel {
  let total = 0;
  for (let t = 0; t < length; t++) total += counts[t];
  const scale = 2 ** precision / total;
  const levels = new Uint8Array(length);
  for (let t = 0; t < length; t++)
    if (counts[t] > 0) levels[t] = levelOf(counts[t] * scale, steps, highestLevel(precision, steps));
  const frequencies = frequenciesOf(levels, steps, precision);
  let payloadBits = 0;
  for (let t = 0; t < length; t++) {
    if (counts[t] > 0) payloadBits += counts[t] * (precision - Math.log2(frequencies[t]) + extraBits(t));
  }
  return { precision, steps, levels, frequencies, payloadBits, ...cheapestTable(levels) };
}

function highestLevel(precision: number, steps: number): number {
  return precision * steps + 1;
}

function cheapestTable(levels: Uint8Array): { back: 1 | 2; rice: number; tableBits: number } {
  let best = { back: 1 as 1 | 2, rice: 0, tableBits: Number.POSITIVE_INFINITY };
  for (const back of [1, 2] as const) {
    for (let rice = 0; rice < 6; rice++) {
      let tableBits = TABLE_HEADER_BITS;
      for (let t = 0; t < levels.length; t++) tableBits += (folded(levels, t, back) >> rice) + 1 + rice;
      if (tableBits < best.tableBits) best = { back, rice, tableBits };
    }
  }
  return best;
}

function predicted(levels: Uint8Array, t: number, back: number): number {
  return t < back ? (t === 0 ? 0 : levels[t - 1]) : levels[t - back];
}

/** Difference to the prediction as an unsigned number. */
function folded(levels: Uint8Array, t: number, back: number): number {
  const d = levels[t] - predicted(levels, t, back);
  return d >= 0 ? 2 * d : -2 * d - 1;
}

export function writeModel(writer: ByteWriter, model: TokenModel): void {
  writer.bits(model.precision === 14 ? 1 : 0, 1);
  writer.bits(STEPS.indexOf(model.steps), 2);
  writer.bits(model.back - 1, 1);
  writer.bits(model.rice, 3);
  writer.bits(model.levels.length, 9);
  for (let t = 0; t < model.levels.length; t++) {
    const d = folded(model.levels, t, model.back);
    for (let q = d >> model.rice; q > 0; q--) writer.bits(1, 1);
    writer.bits(0, 1);
    writer.bits(d, model.rice);
  }
  writer.align();
}

/** What a decoder needs of the model. */
export interface ReadModel {
  readonly precision: number;
  /** By token, summing to 2^precision. */
  readonly frequencies: Uint16Array;
}

/** @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function readModel(reader: ByteReader): ReadModel {
  const precision = reader.bits(1) === 1 ? 14 : 12;
  const steps = STEPS[reader.bits(2)];
  const back = reader.bits(1) + 1;
  const rice = reader.bits(3);
  const length = reader.bits(9);
  if (steps === undefined || length === 0 || length > MAX_TOKENS) throw damaged('a frequency table is not valid');
  const highest = highestLevel(precision, steps);
  const levels = new Uint8Array(length);
  for (let t = 0; t < length; t++) {
    const quotient = reader.unary();
    const d = quotient * 2 ** rice + reader.bits(rice);
    const level = predicted(levels, t, back) + (d % 2 === 0 ? d / 2 : -(d + 1) / 2);
    if (level < 0 || level > highest) throw damaged('a frequency table is not valid');
    levels[t] = level;
  }
  reader.align();
  if (levels[length - 1] === 0) throw damaged('a frequency table is not valid');
  return { precision, frequencies: frequenciesOf(levels, steps, precision) };
}
