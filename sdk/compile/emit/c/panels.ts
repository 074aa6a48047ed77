import { LIST_BITS, PANEL_ROWS, planesOf, TILES_PER_START } from '../../../wire/panels.ts';

/**
 * Reading panels of weight codes (sdk/wire/panels.ts): a row tile at a time is unpacked into working memory, so that the width of
 * the codes costs the product nothing. Every width that occurs in the module is unpacked by a function of its own.
 */

/** Name of the macro that compiles in the unpacking of a width. */
export const widthMacro = (bits: number): string => `EW_WIDTH_${bits}`;

const WIDTHS = [2, 3, 4, 5, 6, 7, 8] as const;
const VECTORS = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/** `ew_unpack<bits>(w, t, units, zero)`: units of codes, less zero, to bytes [column / 4][row][column % 4]. */
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
static void ew_unpack${bits}(const u8 *w, u8 *t, i32 units, b16 zero) {
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

/** Eight fields in a row of 1..8 bits: the two bytes each lies in, and the factor that moves it to the upper one's begin. */
function fieldTable(order: (i: number) => number): string {
  const rows = [1, 2, 3, 4, 5, 6, 7, 8].map((width) => {
    const bits = VECTORS.map((i) => order(i) * width);
    const pick = bits.flatMap((b) => [b >> 3, (b >> 3) + 1]);
    const scale = bits.flatMap((b) => [(1 << (8 - (b & 7))) & 0xff, 1 >> (b & 7)]);
    return `{${[...pick, ...scale].join(', ')}}`;
  });
  return `{${rows.join(', ')}}`;
}

/**
 * Every function unpacks tile `tile` of the panels at p, and needs room for 16 codes a column, columns rounded up to a multiple of 16.
 * - `ew_panel(p, tile, rows, cols, offset, t, list)`: codes plus offset as bytes [column / 4][8 rows][column % 4], columns filled up
 *   with zeros; the list goes to the other half of the room.
 * - `ew_panel_rows(p, rows, cols, t, d)`: all codes, row by row at d; t is the room.
 * - `ew_panel_i16(p, tile, rows, cols, t, sums)`: as pairs [column / 2][8 rows][2], and the sum of each row, where wanted.
 * - `ew_panel_u7(p, tile, rows, cols, t, sums)`: as ew_panel, offset for the 7-bit dot product; the sums are those of the codes.
 */
export const PANELS = `${WIDTHS.map(unpackUnits).join('')}
/* the 8 bits of w from bit \`at\` on, and some more above them */
EW_INLINE u32 ew_bits(const u8 *w, u32 at) { return (u32)(w[at / 8] | w[at / 8 + 1] << 8) >> (at & 7); }
/* eight fields of 1 .. 8 bits, first to last and last to first: the bytes they lie in, and what shifts them to the upper of those two */
static const u8 ew_fields[2][8][32] = {${fieldTable((i) => i)}, ${fieldTable((i) => 7 - i)}};
/* n fields of width bits, each plus offset, as bytes; groups of eight lie one after another, or from w back where back is 1 */
EW_SHARED void ew_unpack_fields(const u8 *w, i32 width, i32 back, i32 n, i32 offset, u8 *d) {
  const b16 pick = b16_load(ew_fields[back][width - 1]), add = b16_splat((i8)offset);
  const h8 scale = h8_load(ew_fields[back][width - 1] + 16), ones = h8_splat((i16)((1 << width) - 1));
  const i32 step = back ? -width : width;
  w += back ? -width : 0;
  for (i32 i = 0; i < n; i += 8, w += step) {
    const h8 x = v_and(h8_shr_u(h8_mul(b16_swizzle(b16_load(w), pick), scale), 8), ones);
    b16_store_lo8(d + i, b16_add(b16_narrow_u8(x, x), add));
  }
}
/* what stands in a list, one after another, where the n bytes of t are wanted */
EW_SHARED void ew_fill_in(u8 *t, i32 n, i32 wanted, const u8 *list) {
  const b16 mark = b16_splat((i8)wanted);
  for (i32 k = 0; k < n; k += 16) {
    const b16 x = b16_load(t + k), m = b16_eq(x, mark);
    /* minus the number of marks up to each byte */
    b16 c = b16_add(m, b16_up1(m)); c = b16_add(c, b16_up2(c)); c = b16_add(c, b16_up4(c)); c = b16_add(c, b16_up8(c));
    b16_store(t + k, b16_blend(m, b16_pick(b16_load(list), v_not(c)), x));
    list += __builtin_popcount((u32)b16_mask(m));
  }
}
/* the listed codes plus offset at d, half a tile of n codes at most, and room for as many behind them */
static void ew_list(const u8 *w, i32 bytes, i32 n, i32 zero, i32 offset, u8 *d) {
  const i32 width = w[0] & 15, tail = w[0] >> 4, bits = (bytes - 1) * 8, half = n / 2;
  const i32 count = bits / width < half ? bits / width : half, tails = bits / (width + tail) < half ? bits / (width + tail) : half;
  ew_unpack_fields(w + 1, width, 0, count, 0, d);
  if (tail) {
    ew_unpack_fields(w + bytes, tail, 1, tails, (1 << width) - 1, d + half);
    ew_fill_in(d, count, (1 << width) - 1, d + half);
  }
  const b16 one = b16_splat(1), least = b16_splat((i8)zero), up = b16_splat((i8)offset);
  for (i32 i = 0; i < count; i += 16) {
    const b16 e = b16_load(d + i), sign = b16_sub(b16_splat(0), v_and(e, one));
    b16_store(d + i, b16_add(b16_sub(v_xor(b16_add(b16_shr_u(e, 1), least), sign), sign), up));
  }
}
EW_SHARED void ew_panel(const u8 *p, i32 tile, i32 rows, i32 cols, i32 offset, u8 *t, u8 *list) {
  const i32 tiles = (rows + ${PANEL_ROWS - 1}) / ${PANEL_ROWS}, padded = (cols + 15) / 16 * 16;
  const u16 *entries = (const u16 *)(p + 4 * ((tiles + ${TILES_PER_START - 1}) / ${TILES_PER_START} - 1));
  const u8 *w = tile < ${TILES_PER_START} ? (const u8 *)(entries + tiles) : p + ((const u32 *)p)[tile / ${TILES_PER_START} - 1];
  for (i32 i = tile / ${TILES_PER_START} * ${TILES_PER_START}; i < tile; i++)
    w += ((entries[i] >> ${LIST_BITS}) + 1) * cols + (entries[i] & ${2 ** LIST_BITS - 1});
  const i32 bits = (entries[tile] >> ${LIST_BITS}) + 1, zero = 1 << (bits - 1);
  const i32 height = rows - tile * ${PANEL_ROWS} < ${PANEL_ROWS} ? rows - tile * ${PANEL_ROWS} : ${PANEL_ROWS};
  const i32 units = height == ${PANEL_ROWS} ? cols / 16 : 0;
  const b16 less = b16_splat((i8)(zero - offset));
  switch (bits) {
${WIDTHS.map((b) => `#ifdef ${widthMacro(b)}\n    case ${b}: ew_unpack${b}(w, t, units, less); break;\n#endif`).join('\n')}
    default: return;
  }
  w += units * 16 * bits;
  if (units * 16 < padded) {
    const u32 mask = (1u << bits) - 1; u32 at = 0;
    ew_fill(t + units * 128, offset, (u32)(padded - units * 16) * ${PANEL_ROWS});
    for (i32 c = units * 16; c < cols; c++) {
      u8 *d = t + (c >> 2) * 32 + (c & 3);
      for (i32 r = 0; r < height; r++, at += (u32)bits) d[4 * r] = (u8)((i32)(ew_bits(w, at) & mask) - zero + offset);
    }
    w += (at + 7) / 8;
  }
  const i32 bytes = entries[tile] & ${2 ** LIST_BITS - 1}, codes = padded * ${PANEL_ROWS};
  if (bytes == 0) return;
  ew_list(w, bytes, codes, zero, offset, list);
  ew_fill_in(t, codes, offset - zero, list);
}
static void ew_panel_rows(const u8 *p, i32 rows, i32 cols, u8 *t, i8 *d) {
  for (i32 r = 0; r < rows; r++, d += cols) {
    if (r % ${PANEL_ROWS} == 0) ew_panel(p, r / ${PANEL_ROWS}, rows, cols, 0, t, t + (cols + 15) / 16 * ${16 * PANEL_ROWS});
    for (i32 c = 0; c < cols; c++) d[c] = (i8)t[(c >> 2) * 32 + r % ${PANEL_ROWS} * 4 + (c & 3)];
  }
}
EW_SHARED void ew_panel_i16(const u8 *p, i32 tile, i32 rows, i32 cols, i16 *t, i32 *sums) {
  const i32 padded = (cols + 15) / 16 * 16;
  /* The bytes lie in the upper half of t: what is written never reaches what is still to be read. */
  u8 *s = (u8 *)t + padded * ${PANEL_ROWS};
  ew_panel(p, tile, rows, cols, 0, s, (u8 *)t);
  const h8 one = h8_splat(1); i4 s0 = i4_splat(0), s1 = i4_splat(0);
  for (i32 k = 0; k < padded; k += 4, s += 32, t += 32) {
    const b16 x = b16_pairs(b16_load(s)), y = b16_pairs(b16_load(s + 16));
    const h8 a = h8_extend_lo_i8(x), b = h8_extend_lo_i8(y), c = h8_extend_hi_i8(x), d = h8_extend_hi_i8(y);
    h8_store(t, a); h8_store(t + 8, b); h8_store(t + 16, c); h8_store(t + 24, d);
    s0 = i4_add(s0, i4_add(h8_dot(a, one), h8_dot(c, one))); s1 = i4_add(s1, i4_add(h8_dot(b, one), h8_dot(d, one)));
  }
  if (sums) { i4_store(sums, s0); i4_store(sums + 4, s1); }
}
#ifdef EW_DOT7
EW_SHARED void ew_panel_u7(const u8 *p, i32 tile, i32 rows, i32 cols, u8 *t, i32 *sums) {
  const i32 padded = (cols + 15) / 16 * 16;
  ew_panel(p, tile, rows, cols, ${DOT7_OFFSET}, t, t + padded * ${PANEL_ROWS});
  if (!sums) return;
  const b16 one = b16_splat(1); i4 s0 = i4_splat(0), s1 = i4_splat(0);
  for (i32 k = 0; k < padded; k += 4, t += 32) { s0 = b16_dot7(one, b16_load(t), s0); s1 = b16_dot7(one, b16_load(t + 16), s1); }
  const i4 all = i4_splat(${DOT7_OFFSET} * padded);
  i4_store(sums, i4_sub(s0, all)); i4_store(sums + 4, i4_sub(s1, all));
}
#endif
`;
