import { LIST_BITS, PANEL_ROWS } from '../../../wire/panels.ts';
import { DOT7_BITS, DOT7_OFFSET } from './panels.ts';

/**
 * Products of one row with panels of weight codes. A tile is unpacked and then multiplied: in one loop the list and the products would want
 * more registers than there are, which costs more than writing bytes and reading them again. What is multiplied is a code plus an offset that
 * makes it unsigned, u; the offset times the sum of the row is taken back. All sums are exact, as integers modulo 2^32.
 */

/** How bytes u are multiplied: as halves of 16-bit lanes, or by the 7-bit dot product. */
interface Form {
  /** Of the names of its functions. */
  readonly suffix: string;
  /** What is added to a code. */
  readonly offset: number;
  /** Type of the row's elements. */
  readonly type: string;
  /** Constants of the loop. */
  readonly declare: string;
  /** Elements of the row that an iteration takes, a multiple of four, and what it adds to sums c0 and d0 of the upper rows, c1 and d1 of the lower ones. */
  readonly step: number;
  readonly products: string;
  /** The same with sums in 16 bits first, for engines that want those. */
  readonly chained?: string;
  /** What `ew_pair` does (see GEMV). */
  readonly pair: string;
}

/** Two tiles that are multiplied one after the other. */
const oneByOne = (suffix: string, type: string): string =>
  `EW_INLINE void ew_pair_${suffix}(const u8 *t, const u8 *u, i32 padded, const ${type} *x, i32 sum, i32 *out) {
  ew_bytes_${suffix}(t, padded, x, sum, out); ew_bytes_${suffix}(u, padded, x, sum, out + 8);
}
`;

const HALVES = [0, 1, 2, 3] as const;

/** Four columns of two tiles: the row's elements are loaded once for both. */
const pairStep = (update: (half: number) => string): string =>
  `{ EW_POINTER(x); EW_POINTER(t); EW_POINTER(u);
      const b16 a = b16_load_splat4(x), w0 = b16_load(t), w1 = b16_load(t + 16), w2 = b16_load(u), w3 = b16_load(u + 16); x += 4; t += 32; u += 32;
      ${HALVES.map(update).join(' ')} }`;

/** Eight columns of two row tiles: elements `a` are those that meet the lower halves of bytes, `b` the upper ones. */
const nibbleStep = (update: (half: number) => string): string =>
  `{ EW_POINTER(x); EW_POINTER(t); EW_POINTER(u);
      const b16 a = b16_load_splat4(x), b = b16_load_splat4(x + 4), w0 = b16_load(t), w1 = b16_load(t + 16), w2 = b16_load(u), w3 = b16_load(u + 16);
      x += 8; t += 32; u += 32;
      ${HALVES.map(update).join(' ')} }`;

/** What is the product of `w` with its elements. */
const nibbles = (i: number): [string, string] => [`a, v_and(w${i}, low)`, `b, v_and(h8_shr_u(w${i}, 4), low)`];

/**
 * Tiles for `ew_pair_chained` have codes as they are, and are multiplied with a row without a sign, 128 more than its elements, which `from`
 * takes back.
 */
const TOGETHER = `EW_SHARED void ew_pair_u7(const u8 *t, const u8 *u, i32 padded, const i8 *x, i32 sum, i32 *out) {
  i4 c0 = i4_splat(-${DOT7_OFFSET} * sum), c1 = c0, c2 = c0, c3 = c0;
  const i8 *const end = x + padded;
#ifdef h8_dot7
  if (ew_chained) EW_ROLLED do ${pairStep((i) => `c${i} = ew_add7(a, w${i}, c${i});`)} while (x != end); else
#endif
  EW_ROLLED do ${pairStep((i) => `c${i} = b16_dot7(a, w${i}, c${i});`)} while (x != end);
  ${HALVES.map((i) => `i4_store(out + ${4 * i}, c${i});`).join(' ')}
}
#ifdef h8_dot7
EW_SHARED void ew_from_sums(const u8 *t, i32 padded, i32 *from) {
  const b16 one = b16_splat(1); i4 s0 = i4_splat(0), s1 = s0;
  for (i32 k = 0; k < padded; k += 4, t += 32) { s0 = ew_add7(b16_load(t), one, s0); s1 = ew_add7(b16_load(t + 16), one, s1); }
  i4_store(from, i4_mul(s0, i4_splat(-128))); i4_store(from + 4, i4_mul(s1, i4_splat(-128)));
}
EW_SHARED void ew_pair_chained(const u8 *t, const u8 *u, i32 columns, const i8 *x, const u8 *length, const i32 *from, const i32 *from2, i32 *out) {
  i4 c0 = i4_load(from), c1 = i4_load(from + 4), c2 = i4_load(from2), c3 = i4_load(from2 + 4);
  const i8 *const end = x + columns;
  do {
    const i8 *const stop = x + 4 * *length++;
    h8 ${HALVES.map((i) => `s${i}`).join(', ')};
    ${pairStep((i) => `s${i} = h8_dot7(w${i}, a);`)}
    EW_ROLLED while (x != stop) ${pairStep((i) => `s${i} = h8_add(s${i}, h8_dot7(w${i}, a));`)}
    ${HALVES.map((i) => `c${i} = i4_add_pairs(c${i}, s${i});`).join(' ')}
  } while (x != end);
  ${HALVES.map((i) => `i4_store(out + ${4 * i}, c${i});`).join(' ')}
}
#endif
`;

/** Elements of the row in the order 0 2 1 3 of every four: the even ones meet the low bytes of lanes, the odd ones the high bytes. */
const PLAIN: Form = {
  suffix: 'i16',
  offset: 128,
  type: 'i16',
  declare: 'const h8 low = h8_splat(255);',
  step: 4,
  products: `const h8 e = h8_load_splat2(x), o = h8_load_splat2(x + 2); const b16 u = b16_load(t), v = b16_load(t + 16);
    c0 = i4_add(c0, h8_dot(v_and(u, low), e)); d0 = i4_add(d0, h8_dot(h8_shr_u(u, 8), o));
    c1 = i4_add(c1, h8_dot(v_and(v, low), e)); d1 = i4_add(d1, h8_dot(h8_shr_u(v, 8), o));`,
  pair: oneByOne('i16', 'i16'),
};

const DOT7_PRODUCTS = `const b16 a = b16_load_splat4(x), b = b16_load_splat4(x + 4);
    c0 = b16_dot7(a, b16_load(t), c0); c1 = b16_dot7(a, b16_load(t + 16), c1);
    d0 = b16_dot7(b, b16_load(t + 32), d0); d1 = b16_dot7(b, b16_load(t + 48), d1);`;

const DOT7: Form = {
  suffix: 'u7',
  offset: DOT7_OFFSET,
  type: 'i8',
  declare: '',
  step: 8,
  products: DOT7_PRODUCTS,
  chained: DOT7_PRODUCTS.replaceAll('b16_dot7', 'ew_add7'),
  pair: TOGETHER,
};

/**
 * The form of the products of codes of a type with codes of up to `bits` bits, as the names of functions have it. `zero` tells whether the
 * zero point is known to be 0.
 */
export function rowForm(type: 'i8' | 'i16', bits: number, zero: boolean): 'i16' | 'u7' {
  return type === 'i8' && bits <= DOT7_BITS && zero ? 'u7' : 'i16';
}

/** The functions of a form: two chains of sums for each half of the rows, since instructions take several cycles. */
function functions({ suffix, offset, type, declare, step, products, chained, pair }: Form): string {
  const loop = (
    text: string,
  ): string => `EW_ROLLED for (i32 k = 0; k < padded; k += ${step}, t += ${8 * step}, x += ${step}) {
    ${text}
  }`;
  return `EW_SHARED void ew_bytes_${suffix}(const u8 *t, i32 padded, const ${type} *x, i32 sum, i32 *out) {
  ${declare} i4 c0 = i4_splat(-${offset} * sum), c1 = c0, d0 = i4_splat(0), d1 = d0;
  ${chained ? `if (ew_chained) ${loop(chained)} else ` : ''}${loop(products)}
  i4_store(out, i4_add(c0, d0)); i4_store(out + 4, i4_add(c1, d1));
}
EW_SHARED void ew_gemv_${suffix}(ew_place *at, const u8 *p, i32 tile, i32 rows, i32 cols, const ${type} *x, i32 sum, u8 *t, i32 *out) {
  const i32 padded = (cols + 15) / 16 * 16;
  ew_next_panel(at, p, tile, rows, cols, ${offset}, t, t + padded * ${PANEL_ROWS});
  ew_bytes_${suffix}(t, padded, x, sum, out);
}
${pair}`;
}

/**
 * Products of a row with a tile of sdk/wire/row-tiles.ts: halves of bytes are multiplied where they are, with the row in the order that its form has,
 * and what is listed is added. Those in the upper halves count sixteen times. Loops stay loops: the compiler knows how long they are, and unrolled they
 * want more registers than there are.
 */
const ROW_TILES = `EW_SHARED void ew_nibbles_i16(const u8 *t, i32 cols, const i16 *x, i32 sum, i32 *out) {
  const h8 low = h8_splat(15), high = h8_splat(240);
  EW_COUNT(cols);
  i4 c0 = i4_splat(-8 * sum), c1 = c0, d0 = i4_splat(0), d1 = d0;
  EW_ROLLED for (i32 k = 0; k < cols; k += 8, t += 32, x += 8) {
    const h8 e0 = h8_load_splat2(x), e1 = h8_load_splat2(x + 2), e2 = h8_load_splat2(x + 4), e3 = h8_load_splat2(x + 6);
    { const b16 u = b16_load(t), v = h8_shr_u(u, 8);
      c0 = i4_add(c0, h8_dot(v_and(u, low), e0)); d0 = i4_add(d0, h8_dot(v_and(u, high), e1));
      c0 = i4_add(c0, h8_dot(v_and(v, low), e2)); d0 = i4_add(d0, h8_dot(v_and(v, high), e3)); }
    { const b16 u = b16_load(t + 16), v = h8_shr_u(u, 8);
      c1 = i4_add(c1, h8_dot(v_and(u, low), e0)); d1 = i4_add(d1, h8_dot(v_and(u, high), e1));
      c1 = i4_add(c1, h8_dot(v_and(v, low), e2)); d1 = i4_add(d1, h8_dot(v_and(v, high), e3)); }
  }
  i4_store(out, i4_add(c0, i4_shr(d0, 4))); i4_store(out + 4, i4_add(c1, i4_shr(d1, 4)));
}
#ifdef EW_DOT7
EW_SHARED void ew_nibbles_u7(const u8 *t, const u8 *u, i32 cols, const i8 *x, i32 sum, i32 *out) {
  const b16 low = b16_splat(15);
  i4 c0 = i4_splat(-8 * sum), c1 = c0, c2 = c0, c3 = c0;
  x += (cols + 15) / 16 * 16;
  const i8 *const end = x + (cols + 7) / 8 * 8;
#ifdef h8_dot7
  if (ew_chained) do {
    /* a lane has room for eight steps */
    const i8 *const stop = end - x > 32 ? x + 32 : end;
    h8 ${HALVES.map((i) => `s${i} = h8_splat(0)`).join(', ')};
    EW_ROLLED do ${nibbleStep((i) =>
      nibbles(i)
        .map((n) => `s${i} = h8_add(s${i}, h8_dot7(${n}));`)
        .join(' '),
    )} while (x != stop);
    ${HALVES.map((i) => `c${i} = i4_add_pairs(c${i}, s${i});`).join(' ')}
  } while (x != end); else
#endif
  {
    i4 ${HALVES.map((i) => `d${i} = i4_splat(0)`).join(', ')};
    EW_ROLLED do ${nibbleStep((i) =>
      nibbles(i)
        .map((n, k) => `${'cd'[k]}${i} = b16_dot7(${n}, ${'cd'[k]}${i});`)
        .join(' '),
    )} while (x != end);
    ${HALVES.map((i) => `c${i} = i4_add(c${i}, d${i});`).join(' ')}
  }
  ${HALVES.map((i) => `i4_store(out + ${4 * i}, c${i});`).join(' ')}
}
#endif
EW_SHARED void ew_above(const u8 *list, i32 n, const i16 *signs, i32 *out) {
  i32 more[8] = {0}; u32 at = 0;
  for (const u8 *end = list + n; list != end; list++) { at += *list; more[at & 7] += signs[at >> 3]; }
  for (i32 r = 0; r < 8; r++) out[r] += 16 * more[r];
}
EW_SHARED void ew_make_signs(const i8 *x, i32 n, i32 zp, i16 *d) {
  const h8 z = h8_splat((i16)zp), none = h8_splat(0);
  for (i32 k = 0; k < n; k += 8, d += 16) {
    const h8 v = h8_sub(h8_load_i8(x + k), z), w = h8_sub(none, v);
    h8_store(d, h8_zip_lo(v, w)); h8_store(d + 8, h8_zip_hi(v, w));
  }
}
`;

/** The products of a form with one tile or two that are held in either way. */
const eitherTile = ({ suffix, type }: Form): string => {
  const list = (w: string, entry: string, out: string): string =>
    `if (${entry}) ew_above(${w} + bytes, ${entry}, signs, ${out});`;
  const products =
    suffix === 'u7'
      ? `const u8 *u = w + bytes + entry; i32 sums[16];
    const i32 other = tiles > 1 ? ew_entries(p, rows)[tile + 1] : 0, both = tiles > 1 && !(other >> ${LIST_BITS});
    ew_nibbles_u7(w, both ? u : w, cols, x, sum, sums);
    ew_copy(out, sums, both ? 64 : 32);
    ${list('w', 'entry', 'out')}
    if (both) { ${list('u', 'other', 'out + 8')} at->next = u + bytes + other; at->tile = tile + 2; return; }
    at->next = u;`
      : `ew_nibbles_i16(w, cols, x, sum, out); ${list('w', 'entry', 'out')} at->next = w + bytes + entry;`;
  return `EW_SHARED void ew_gemv_rows_${suffix}(ew_place *at, const u8 *p, i32 tile, i32 tiles, i32 rows, i32 cols, const ${type} *x, const i16 *signs, i32 sum, u8 *t, i32 *out) {
  const i32 bytes = ew_row_tile_bytes(cols);
  for (; tiles > 0; tiles--, tile++, out += 8) {
    i32 entry = ew_entries(p, rows)[tile];
    if (entry >> ${LIST_BITS}) { ew_gemv_${suffix}(at, p, tile, rows, cols, x, sum, t, out); continue; }
    const u8 *w = at->tile == tile ? at->next : ew_tile(p, tile, rows, cols, &entry);
    ${products} at->tile = tile + 1;
  }
}
`;
};

/**
 * For a row of codes times codes of up to eight (\`i16\`) or seven (\`u7\`) bits; without the 7-bit dot product the second is the first.
 * - \`ew_row_i16\`, \`ew_row_u7\`: types of a row's elements once it has been made ready, columns rounded up to a multiple of 16; room
 *   for two bytes a column.
 * - \`ew_make_row_i16(x, n, zp, d)\`, \`ew_make_row_u7\`: makes n codes i8 less their zero point ready, which is 0 for \`u7\`, and returns their
 *   sum, which the products want.
 * - \`ew_make_row16_i16(x, n, d)\`, \`ew_make_row16_u7\`: the same for codes i16 without a zero point; for \`u7\` they are in the range of i8.
 * - \`ew_gemv_i16(at, p, tile, rows, cols, x, sum, t, out)\`, \`ew_gemv_u7\`: products with the 8 rows of a tile of panels, from where \`at\` is if
 *   that is the tile. t is room for 16 bytes a column, out for 8 sums.
 * - \`ew_make_signs(x, n, zp, d)\`, \`ew_gemv_rows_i16(at, p, tile, tiles, rows, cols, x, signs, sum, t, out)\`, \`ew_gemv_rows_u7\`: the same for one tile or two, one after
 *   the other, of panels of which an engine may hold tiles as those of sdk/wire/row-tiles.ts (\`EW_ROW_TILES\`); signs are the elements less their zero point,
 *   each followed by its negative.
 * - \`EW_OFFSET_I16\`, \`EW_OFFSET_U7\`: what \`ew_panel\` is to add to codes that are unpacked once for many rows. \`ew_pair_i16(t, u, padded, x, sum, out)\`,
 *   \`ew_pair_u7\` are the products with the 8 rows of each of two such tiles, out having room for 16 sums.
 * - \`ew_pair_chained(t, u, columns, x, length, from, from2, out)\`: the same for tiles to which nothing is added, with sums in 16 bits as chainsOfTiles of
 *   emit/c/dot7-chains.ts says; the bits of \`ew_flip\` are turned round in the row. \`ew_from_sums(t, padded, from)\` makes the 8 numbers that it wants of a tile.
 */
export const GEMV = `
EW_INLINE i32 ew_sum_i4(i4 s) { return (i4_lane(s, 0) + i4_lane(s, 1)) + (i4_lane(s, 2) + i4_lane(s, 3)); }
/* eight elements of a row in the order of ew_bytes_i16, zeros from n on; returns their sum in four parts */
EW_INLINE i4 ew_order_row(h8 v, i32 n, i16 *d) {
  static const u8 order[16] = {0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15};
  if (n < 8) { i16 t[8]; h8_store(t, v); for (i32 i = n < 0 ? 0 : n; i < 8; i++) t[i] = 0; v = h8_load(t); }
  h8_store(d, b16_swizzle(v, b16_load(order)));
  return h8_dot(v, h8_splat(1));
}
typedef i16 ew_row_i16;
#define EW_OFFSET_I16 ${PLAIN.offset}
EW_SHARED i32 ew_make_row_i16(const i8 *x, i32 n, i32 zp, i16 *d) {
  i4 s = i4_splat(0); const h8 z = h8_splat((i16)zp);
  for (i32 k = 0; k < (n + 15) / 16 * 16; k += 8) s = i4_add(s, ew_order_row(h8_sub(h8_load_i8(x + k), z), n - k, d + k));
  return ew_sum_i4(s);
}
EW_SHARED i32 ew_make_row16_i16(const i16 *x, i32 n, i16 *d) {
  i4 s = i4_splat(0);
  for (i32 k = 0; k < (n + 15) / 16 * 16; k += 8) s = i4_add(s, ew_order_row(h8_load(x + k), n - k, d + k));
  return ew_sum_i4(s);
}
${functions(PLAIN)}#ifdef EW_DOT7
typedef i8 ew_row_u7;
#define EW_OFFSET_U7 ${DOT7.offset}
EW_INLINE i32 ew_sum_row_u7(i8 *d, i32 n) {
  const i32 padded = (n + 15) / 16 * 16; const b16 one = b16_splat(1); i4 s = i4_splat(0);
  for (i32 k = n; k < padded; k++) d[k] = 0;
  for (i32 k = 0; k < padded; k += 16) s = ew_add7(b16_load(d + k), one, s);
  return ew_sum_i4(s);
}
/* a second time, in the order of halves of bytes, behind the row */
EW_SHARED i32 ew_make_row_u7(const i8 *x, i32 n, i32 zp, i8 *d) {
  static const u8 order[16] = {0, 4, 2, 6, 1, 5, 3, 7, 8, 12, 10, 14, 9, 13, 11, 15};
  const i32 padded = (n + 15) / 16 * 16; (void)zp;
  ew_copy(d, x, (u32)n);
  const i32 sum = ew_sum_row_u7(d, n);
  for (i32 k = 0; k < padded; k += 16) b16_store(d + padded + k, b16_pick(b16_load(d + k), b16_load(order)));
  return sum;
}
EW_SHARED i32 ew_make_row16_u7(const i16 *x, i32 n, i8 *d) { ew_narrow(d, x, n); return ew_sum_row_u7(d, n); }
${functions(DOT7)}#else
typedef i16 ew_row_u7;
#define EW_OFFSET_U7 EW_OFFSET_I16
#define ew_make_row_u7 ew_make_row_i16
#define ew_make_row16_u7 ew_make_row16_i16
#define ew_bytes_u7 ew_bytes_i16
#define ew_ready_u7 ew_ready_i16
#define ew_pair_u7 ew_pair_i16
#define ew_gemv_u7 ew_gemv_i16
#define ew_gemv_rows_u7 ew_gemv_rows_i16
#endif
#ifdef EW_ROW_TILES
${ROW_TILES}${eitherTile(PLAIN)}#ifdef EW_DOT7
${eitherTile(DOT7)}#endif
#else
#define ew_make_signs(x, n, zp, d) ((void)(d))
${(['i16', 'u7'] as const)
  .map(
    (suffix) =>
      `${suffix === 'u7' ? '#ifdef EW_DOT7\n' : ''}EW_INLINE void ew_gemv_rows_${suffix}(ew_place *at, const u8 *p, i32 tile, i32 tiles, i32 rows, i32 cols, const ew_row_${suffix} *x, const i16 *signs, i32 sum, u8 *t, i32 *out) {
  (void)signs; for (i32 i = 0; i < tiles; i++) ew_gemv_${suffix}(at, p, tile + i, rows, cols, x, sum, t, out + 8 * i);
}
${suffix === 'u7' ? '#endif\n' : ''}`,
  )
  .join('')}#endif
`;
