import { LIST_BITS, PANEL_ROWS, planesOf, TILES_PER_START } from '../../../wire/panels.ts';

/**
 * Reading panels of weight codes (sdk/wire/panels.ts): a row tile at a time is unpacked into working memory, so that the width of
 * the codes costs the product nothing. Every width that occurs in the module is unpacked by a function of its own.
 */

/** Name of the macro that compiles in the unpacking of a width. */
export const widthMacro = (bits: number): string => `EW_WIDTH_${bits}`;

const WIDTHS = [2, 3, 4, 5, 6, 7, 8] as const;
const VECTORS = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** `ew_unpack<bits>(w, t, units)`: units of codes to signed bytes [column / 4][row][column % 4]. */
function unpackUnits(bits: number): string {
  const parts: string[][] = VECTORS.map(() => []);
  const loads: string[] = [];
  let at = 0;
  let low = 0;
  for (const width of planesOf(bits)) {
    // A plane has `width` vectors, each with a field of every `width`-th vector of codes.
    for (let j = 0; j < width; j++) {
      const name = `q${width}_${j}`;
      loads.push(`const b16 ${name} = b16_load(w + ${at});`);
      at += 16;
      for (let f = 0; f < 8 / width; f++) {
        const shifted = f === 0 ? name : `b16_shr_u(${name}, ${f * width})`;
        const field = f === 8 / width - 1 ? shifted : `v_and(${shifted}, b16_splat(${(1 << width) - 1}))`;
        parts[j + f * width]!.push(low === 0 ? field : `b16_shl(${field}, ${low})`);
      }
    }
    low += width;
  }
  const stores = parts.map(
    (p, i) => `b16_store(t + ${16 * i}, b16_sub(${p.reduce((x, y) => `v_or(${x}, ${y})`)}, zero));`,
  );
  return `#ifdef ${widthMacro(bits)}
static void ew_unpack${bits}(const u8 *w, i8 *t, i32 units) {
  const b16 zero = b16_splat((i8)${2 ** (bits - 1)});
  for (; units > 0; units--, w += ${at}, t += 128) {
    ${loads.join(' ')}
    ${stores.join(' ')}
  }
}
#endif
`;
}

/** What codes are offset by for the 7-bit dot product: |q| < 64. */
export const DOT7_OFFSET = 64;
/** Widest codes that it takes. */
export const DOT7_BITS = 7;

/**
 * - `ew_panel(p, tile, rows, cols, t)`: tile `tile` of the panels at p as signed bytes [column / 4][8 rows][column % 4], columns
 *   filled up to a multiple of 16 with zeros.
 * - `ew_panel_rows(p, rows, cols, t, d)`: all codes, row by row at d; t is room for a tile.
 * - `ew_panel_i16(p, tile, rows, cols, t, sums)`: as pairs [column / 2][8 rows][2], and the sum of each row.
 * - `ew_panel_u7(p, tile, rows, cols, t, sums)`: as ew_panel but q + 64, for the 7-bit dot product; sums are those of q.
 */
export const PANELS = `${WIDTHS.map(unpackUnits).join('')}
/* the 8 bits of w from bit \`at\` on, and some more above them */
EW_INLINE u32 ew_bits(const u8 *w, u32 at) { return (u32)(w[at / 8] | w[at / 8 + 1] << 8) >> (at & 7); }
/* which of 64 bytes are v, as bits */
EW_INLINE u64 ew_equal64(const i8 *t, b16 v) {
  return (u64)b16_mask(b16_eq(b16_load(t), v)) | (u64)b16_mask(b16_eq(b16_load(t + 16), v)) << 16
    | (u64)b16_mask(b16_eq(b16_load(t + 32), v)) << 32 | (u64)b16_mask(b16_eq(b16_load(t + 48), v)) << 48;
}
/* the listed codes, where t holds -zero for them */
static void ew_listed(const u8 *list, i8 *t, i32 n, i32 zero) {
  const u32 width = list[0] & 15, tail = list[0] >> 4, ones = (1u << width) - 1, none = tail ? ones : 256; u32 at = 8;
  const b16 wanted = b16_splat((i8)-zero);
  for (i32 k = 0; k < n; k += 64) {
    for (u64 m = ew_equal64(t + k, wanted); m; m &= m - 1) {
      u32 e = ew_bits(list, at) & ones; at += width;
      if (e == none) { e += ew_bits(list, at) & ((1u << tail) - 1); at += tail; }
      const i32 sign = -(i32)(e & 1);
      t[k + __builtin_ctzll(m)] = (i8)((((i32)(e >> 1) + zero) ^ sign) - sign);
    }
  }
}
static void ew_panel(const u8 *p, i32 tile, i32 rows, i32 cols, i8 *t) {
  const i32 tiles = (rows + ${PANEL_ROWS - 1}) / ${PANEL_ROWS}, padded = (cols + 15) / 16 * 16;
  const u16 *entries = (const u16 *)(p + 4 * ((tiles + ${TILES_PER_START - 1}) / ${TILES_PER_START} - 1));
  const u8 *w = tile < ${TILES_PER_START} ? (const u8 *)(entries + tiles) : p + ((const u32 *)p)[tile / ${TILES_PER_START} - 1];
  for (i32 i = tile / ${TILES_PER_START} * ${TILES_PER_START}; i < tile; i++)
    w += ((entries[i] >> ${LIST_BITS}) + 1) * cols + (entries[i] & ${2 ** LIST_BITS - 1});
  const i32 bits = (entries[tile] >> ${LIST_BITS}) + 1, zero = 1 << (bits - 1);
  const i32 height = rows - tile * ${PANEL_ROWS} < ${PANEL_ROWS} ? rows - tile * ${PANEL_ROWS} : ${PANEL_ROWS};
  const i32 units = height == ${PANEL_ROWS} ? cols / 16 : 0;
  switch (bits) {
${WIDTHS.map((b) => `#ifdef ${widthMacro(b)}\n    case ${b}: ew_unpack${b}(w, t, units); break;\n#endif`).join('\n')}
    default: return;
  }
  w += units * 16 * bits;
  if (units * 16 < padded) {
    const u32 mask = (1u << bits) - 1; u32 at = 0;
    ew_fill(t + units * 128, 0, (u32)(padded - units * 16) * ${PANEL_ROWS});
    for (i32 c = units * 16; c < cols; c++) {
      i8 *d = t + (c >> 2) * 32 + (c & 3);
      for (i32 r = 0; r < height; r++, at += (u32)bits) d[4 * r] = (i8)((i32)(ew_bits(w, at) & mask) - zero);
    }
    w += (at + 7) / 8;
  }
  if (entries[tile] & ${2 ** LIST_BITS - 1}) ew_listed(w, t, padded * ${PANEL_ROWS}, zero);
}
static void ew_panel_rows(const u8 *p, i32 rows, i32 cols, i8 *t, i8 *d) {
  for (i32 r = 0; r < rows; r++, d += cols) {
    if (r % ${PANEL_ROWS} == 0) ew_panel(p, r / ${PANEL_ROWS}, rows, cols, t);
    for (i32 c = 0; c < cols; c++) d[c] = t[(c >> 2) * 32 + r % ${PANEL_ROWS} * 4 + (c & 3)];
  }
}
static void ew_panel_i16(const u8 *p, i32 tile, i32 rows, i32 cols, i16 *t, i32 *sums) {
  const i32 padded = (cols + 15) / 16 * 16;
  /* The bytes lie in the upper half of t: what is written never reaches what is still to be read. */
  const i8 *s = (const i8 *)t + padded * ${PANEL_ROWS};
  ew_panel(p, tile, rows, cols, (i8 *)s);
  const h8 one = h8_splat(1); i4 s0 = i4_splat(0), s1 = i4_splat(0);
  for (i32 k = 0; k < padded; k += 4, s += 32, t += 32) {
    const b16 x = b16_pairs(b16_load(s)), y = b16_pairs(b16_load(s + 16));
    const h8 a = h8_extend_lo_i8(x), b = h8_extend_lo_i8(y), c = h8_extend_hi_i8(x), d = h8_extend_hi_i8(y);
    h8_store(t, a); h8_store(t + 8, b); h8_store(t + 16, c); h8_store(t + 24, d);
    s0 = i4_add(s0, i4_add(h8_dot(a, one), h8_dot(c, one))); s1 = i4_add(s1, i4_add(h8_dot(b, one), h8_dot(d, one)));
  }
  i4_store(sums, s0); i4_store(sums + 4, s1);
}
#ifdef EW_DOT7
static void ew_panel_u7(const u8 *p, i32 tile, i32 rows, i32 cols, u8 *t, i32 *sums) {
  const i32 padded = (cols + 15) / 16 * 16;
  ew_panel(p, tile, rows, cols, (i8 *)t);
  const b16 one = b16_splat(1), offset = b16_splat(${DOT7_OFFSET}); i4 s0 = i4_splat(0), s1 = i4_splat(0);
  for (i32 k = 0; k < padded; k += 4, t += 32) {
    const b16 x = b16_add(b16_load(t), offset), y = b16_add(b16_load(t + 16), offset);
    b16_store(t, x); b16_store(t + 16, y);
    s0 = b16_dot7(one, x, s0); s1 = b16_dot7(one, y, s1);
  }
  const i4 all = i4_splat(${DOT7_OFFSET} * padded);
  i4_store(sums, i4_sub(s0, all)); i4_store(sums + 4, i4_sub(s1, all));
}
#endif
`;
