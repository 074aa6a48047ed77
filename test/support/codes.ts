import { Rng } from '../../sdk/util/rng.ts';

/** Codes like those of a quantized layer: normal, of spread `sd` times that of the row, clipped. */
export function normalCodes(rows: number, cols: number, sd: number, limit = 63, seed = 7): Int8Array {
  const rng = new Rng(seed);
  const out = new Int8Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    const spread = sd * (0.6 + 0.3 * (r % 4));
    for (let c = 0; c < cols; c++)
      out[r * cols + c] = Math.max(-limit, Math.min(limit, Math.round(rng.normal() * spread)));
  }
  return out;
}
