import { PANEL_ROWS } from '../../sdk/wire/panels.ts';
import { orderBytes, rowTileProducts, SIGN_BYTES } from './row-tiles.ts';
import { ROW_BYTES_256, ROW_WIDTHS, rows256 } from './rows.ts';
import { ROW_BYTES_512, ROWS_512 } from './rows-512.ts';
import type { Width } from './width.ts';

const panelBytes = ({ lanes }: Width): number => (lanes === 16 ? ROW_BYTES_512 : ROW_BYTES_256);

/** Bytes a column of what `ew_make_row` writes. */
export const rowBytes = (w: Width): number => panelBytes(w) + orderBytes(w) + SIGN_BYTES;

/**
 * Products of one row of bytes with tiles of codes, which are multiplied as they are unpacked, or where they are.
 * - `ew_make_row(x, n, zp, d)`: makes n codes ready for it at d, in `rowBytes` a column, columns rounded up to a multiple of 16; returns
 *   their sum.
 * - `ew_row_tiles(reach, p, tile, tiles, rows, cols, x, sum, zp, t, out)`: the row at x, of the given sum, less zp, times the codes of `tiles`
 *   tiles from `tile` on: 8 sums a tile at out; t is room for 16 bytes a column and 64 more. What reach is: see sdk/compile/emit/c/wide-row.ts.
 */
export function rowWalk(w: Width): string {
  const order = panelBytes(w);
  const signs = order + orderBytes(w);
  return `
EW_SHARED void ew_rest(const u8 *w, i32 bits, i32 from, i32 cols, i32 height, i32 fill, u8 *t);
EW_SHARED void ew_list(const u8 *w, i32 bytes, i32 n, i32 zero, u8 *d);
EW_SHARED void ew_fill_in(u8 *t, i32 n, i32 mark, const u8 *list);
${rowTileProducts(w)}${w.lanes === 16 ? ROWS_512 : rows256(w)}
EW_SHARED i32 ew_make_row(const i8 *x, i32 n, i32 zp, i8 *d) {
  const i32 padded = (n + 15) / 16 * 16; __m256i sum = _mm256_setzero_si256();
  for (i32 k = 0; k < n; k += 16) {
    i8 last[16] = {0}; const i8 *p = x + k;
    if (n - k < 16) { for (i32 i = 0; i < n - k; i++) last[i] = p[i]; p = last; }
    const __m128i v = _mm_loadu_si128((const __m128i *)p);
    ew_put_row(v, k, padded, d); ew_put_order(v, k, d + ${order} * padded); ew_put_signs(v, k, zp, (i32 *)(d + ${signs} * padded));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepi8_epi16(v), _mm256_set1_epi16(1)));
  }
  i32 parts[8]; _mm256_storeu_si256((__m256i *)parts, sum);
  return (parts[0] + parts[1]) + (parts[2] + parts[3]) + (parts[4] + parts[5]) + (parts[6] + parts[7]);
}
EW_SHARED void ew_row_tiles(i32 reach, const u8 *p, i32 tile, i32 tiles, i32 rows, i32 cols, const i8 *x, i32 sum, i32 zp, u8 *t, i32 *out) {
  const i32 padded = (cols + 15) / 16 * 16; u8 *const room = t + ${PANEL_ROWS} * padded;
  EW_TILES(a, p, tile, tiles, rows, cols) {
    if (a.bits == 1) {
      ew_row_nibbles(a.w, cols, x + ${order} * padded, sum, zp, out);
      ew_row_above(a.w + a.dense, a.list, (const i32 *)(x + ${signs} * padded), out);
    } else {
      const i32 zero = 1 << (a.bits - 1), units = a.height == ${PANEL_ROWS} ? cols / 16 : 0;
      const u8 *list = room; ew_sums sums = EW_NO_SUMS;
      if (a.list) ew_list(a.w + a.dense, a.list, padded * ${PANEL_ROWS}, zero, room);
      switch (a.bits) {
${ROW_WIDTHS.map((b) => `        case ${b}: list = ew_multiply${b}(a.w, units, x, padded, zp, reach, list, a.list, &sums); break;`).join('\n')}
        default: return;
      }
      if (units * 16 < padded) {
        ew_rest(a.w + units * 16 * a.bits, a.bits, units * 16, cols, a.height, zero, t);
        if (a.list) ew_fill_in(t, (padded - units * 16) * ${PANEL_ROWS}, 0, list);
        ew_multiply_rest(t, zero, units * 16, padded, x, zp, &sums);
      }
      ew_put_sums(&sums, sum, zp, padded, out);
    }
    out += ${PANEL_ROWS};
  }
}
`;
}
