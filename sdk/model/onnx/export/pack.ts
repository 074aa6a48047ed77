/** Codes in fewer bits than a byte, as ONNX stores them. */

/** Whether every code is in -8..7. */
export function fitsInt4(codes: Int8Array): boolean {
  return codes.every((v) => v >= -8 && v <= 7);
}

/** Two codes a byte, the first in the low half; the last half is 0 when their number is odd. */
export function packInt4(codes: Int8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(codes.length / 2));
  for (let i = 0; i < codes.length; i++) out[i >> 1]! |= (codes[i]! & 15) << (i & 1 ? 4 : 0);
  return out;
}

export interface Blocks {
  /** Columns a block: a power of two, at least 16. */
  readonly size: number;
  /** Blocks a row. */
  readonly count: number;
}

/** The blocks of `columns` codes that take the fewest bytes with one f32 scale each; the last one is padded. */
export function blocksOf(columns: number, bits: 4 | 8): Blocks {
  const options = [16, 32, 64, 128, 256].map((size) => ({ size, count: Math.ceil(columns / size) }));
  const bytes = ({ size, count }: Blocks): number => count * ((size * bits) / 8 + 4);
  return options.reduce((best, b) => (bytes(b) < bytes(best) ? b : best));
}

/** Codes [rows, columns] as unsigned ones around 2^(bits - 1), [rows, blocks, bytes of a block]; padding stands for 0. */
export function packBlocks(codes: Int8Array, columns: number, bits: 4 | 8, blocks: Blocks): Uint8Array {
  const zero = 2 ** (bits - 1);
  const rowBytes = (blocks.count * blocks.size * bits) / 8;
  const rows = codes.length / columns;
  const out = new Uint8Array(rows * rowBytes).fill(bits === 4 ? zero * 17 : zero);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const code = codes[r * columns + c]! + zero;
      if (bits === 8) {
        out[r * rowBytes + c] = code;
        continue;
      }
      const at = r * rowBytes + (c >> 1);
      out[at] = c & 1 ? (out[at]! & 15) | (code << 4) : (out[at]! & 240) | code;
    }
  }
  return out;
}
