import type { CompressOptions } from '../../sdk/index.ts';
import { encodedSize } from '../../sdk/wire/ints.ts';
import { residentCodeBytes } from '../../sdk/wire/panels.ts';
import { codesWireSize } from '../../sdk/wire/weights.ts';

/** Bits a value by the histogram of whole values. */
export function entropyOf(values: ArrayLike<number>): number {
  const counts = new Map<number, number>();
  for (let i = 0; i < values.length; i++) counts.set(values[i]!, (counts.get(values[i]!) ?? 0) + 1);
  let bits = 0;
  for (const n of counts.values()) bits -= (n / values.length) * Math.log2(n / values.length);
  return bits;
}

/** Entries of a codebook, ascending; undefined for codes that are whole numbers of steps. */
function entriesOf(codes: Int8Array): number[] | undefined {
  const entries = [...new Set(codes)].sort((a, b) => a - b);
  const gaps = entries.some((e, i) => i > 0 && e !== entries[i - 1]! + 1);
  return gaps ? entries : undefined;
}

/**
 * Sizes of entries of codebooks: on the wire their numbers by the coder of all codes, counted from the one next to 0, and a byte an entry;
 * in memory their numbers at a fixed width and the table that a shuffle looks them up in.
 */
export const CODEBOOK_SIZES: Pick<CompressOptions, 'sizer' | 'residentSizer' | 'planer'> = {
  sizer(data, rows, cols) {
    if (!(data instanceof Int8Array)) return encodedSize(data, rows, cols);
    const entries = entriesOf(data);
    if (!entries) return codesWireSize(data, rows, cols);
    const zero = entries.reduce((best, e, i) => (Math.abs(e) < Math.abs(entries[best]!) ? i : best), 0);
    const numbers = new Map(entries.map((e, i) => [e, i - zero]));
    return (
      1 +
      entries.length +
      codesWireSize(
        data.map((e) => numbers.get(e)!),
        rows,
        cols,
      )
    );
  },
  residentSizer(codes, rows, cols) {
    const entries = entriesOf(codes);
    if (!entries) return residentCodeBytes(codes, rows, cols);
    const bits = Math.ceil(Math.log2(entries.length));
    return Math.ceil((codes.length * bits) / 8) + 2 ** bits;
  },
};
