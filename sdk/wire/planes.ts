import { DIGIT_BITS, type DigitTables, type Steps, type SymbolTables } from './rans.ts';
import { zigzag } from './tokens.ts';

/**
 * Tables for codes that travel in planes (sdk/util/nested.ts). All of them follow from the one model of the whole codes that
 * travels: a coarse value has the sum of the frequencies of the codes it stands for, and its digit the shares of these three. So
 * base and planes together take what the whole codes would take, but for the ends of the streams.
 */

/** Frequencies by token of the values k = round(q / 3), from those of q; the same sum. */
export function coarserFrequencies(frequencies: Uint16Array): Uint16Array {
  const reach = reachOf(frequencies);
  const out = new Uint16Array(zigzag(-Math.ceil(reach / 3)) + 2);
  for (let q = -reach; q <= reach; q++) out[zigzag(Math.round(q / 3))] += at(frequencies, q);
  return out;
}

/** Largest magnitude that a table of tokens can hold. */
function reachOf(frequencies: Uint16Array): number {
  return Math.ceil(frequencies.length / 2);
}

const at = (frequencies: Uint16Array, value: number): number => frequencies[zigzag(value)] ?? 0;

/** What an encoder needs for tokens, which are their own symbols. */
export function tokenSteps(classes: readonly Uint16Array[], bits: number): Steps {
  const width = Math.max(...classes.map((f) => f.length));
  const steps = new Uint32Array(classes.length * width);
  classes.forEach((frequencies, c) => {
    let start = 0;
    for (let t = 0; t < frequencies.length; t++) {
      steps[c * width + t] = frequencies[t] | (start << 16);
      start += frequencies[t];
    }
  });
  return { bits, steps };
}

/** What a decoder needs for tokens; `symbols` has what is put out for each. */
export function tokenTables(classes: readonly Uint16Array[], bits: number, symbols: Uint16Array): SymbolTables {
  return { bits, classes, symbols: symbols.subarray(0, Math.max(...classes.map((f) => f.length))) };
}

/** Largest coarse value of any class, from the frequencies of the codes. */
export function coarseReach(classes: readonly Uint16Array[]): number {
  return Math.max(...classes.map((f) => Math.round(reachOf(f) / 3)));
}

/** Part of 2^DIGIT_BITS that a frequency has of a sum, at least 1 where it is not 0. */
const shareOf = (frequency: number, sum: number): number =>
  frequency === 0 ? 0 : Math.max(1, Math.floor((2 ** DIGIT_BITS * frequency + (sum >> 1)) / sum));

/** Frequencies of the digits -1, 0, 1 of a coarse value, summing to 2^DIGIT_BITS; undefined when it does not occur. */
function digitFrequencies(frequencies: Uint16Array, k: number): readonly number[] | undefined {
  const [low, middle, high] = [at(frequencies, 3 * k - 1), at(frequencies, 3 * k), at(frequencies, 3 * k + 1)];
  const sum = low + middle + high;
  if (sum === 0) return undefined;
  const shares = [shareOf(low, sum), shareOf(middle, sum), shareOf(high, sum)];
  const largest = shares.indexOf(Math.max(shares[0], shares[1], shares[2]));
  shares[largest] += 2 ** DIGIT_BITS - shares[0] - shares[1] - shares[2];
  return shares;
}

/** Symbol of a digit of the coarse value k, in the first class. */
export function digitSymbol(k: number, digit: number, reach: number): number {
  return (k + reach) * 3 + digit + 1;
}

/** What an encoder needs for digits. */
export function digitSteps(classes: readonly Uint16Array[], reach: number): Steps {
  const width = digitSymbol(reach, 1, reach) + 1;
  const steps = new Uint32Array(classes.length * width);
  classes.forEach((frequencies, c) => {
    for (let k = -reach; k <= reach; k++) {
      let start = 0;
      digitFrequencies(frequencies, k)?.forEach((f, i) => {
        steps[c * width + digitSymbol(k, i - 1, reach)] = f | (start << 16);
        start += f;
      });
    }
  });
  return { bits: DIGIT_BITS, steps };
}

/** What a decoder needs for digits. */
export function digitTables(classes: readonly Uint16Array[], reach: number): DigitTables {
  const tables = classes.map((frequencies) => {
    const digits = new Uint16Array(3 * (2 * reach + 1));
    for (let k = -reach; k <= reach; k++) digits.set(digitFrequencies(frequencies, k) ?? [], 3 * (k + reach));
    return digits;
  });
  return { reach, classes: tables };
}
