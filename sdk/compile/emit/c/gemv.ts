import { LIST_BITS, PANEL_ROWS } from '../../../wire/panels.ts';
import { DOT7_BITS, DOT7_OFFSET, unitText, WIDTHS } from './panels.ts';

/**
 * Products of one row with panels of weight codes: there is no second row that an unpacked tile would serve, so codes go from the
 * panel into the product without being written anywhere. What is multiplied is a code plus an offset that makes it unsigned, u; the
 * offset times the sum of the row is taken back at the end. All sums are exact, as integers modulo 2^32.
 */

/** Name of the macro that compiles in products with codes of a width. */
export const gemvMacro = (bits: number): string => `EW_GEMV_${bits}`;

/** How bytes u are multiplied: as halves of 16-bit lanes, or by the 7-bit dot product. */
interface Form {
  /** Of the names of its functions. */
  readonly suffix: string;
  /** What is added to a code. */
  readonly offset: number;
  readonly widths: readonly number[];
  /** Type of the row's elements. */
  readonly type: string;
  /** Constants of the loop, and accumulators besides c0 and c1. */
  readonly declare: string;
  /** Declares the elements of column group `g` (0 or 1) at x. */
  row(g: number): string;
  /** Adds the products of the bytes `v`, half `h` of the rows, with column group `g`. */
  add(h: number, g: number, v: string): string;
  readonly finish: string;
}

/** Elements of the row in the order 0 2 1 3 of every four: the even ones meet the low bytes of lanes, the odd ones the high bytes. */
const PLAIN: Form = {
  suffix: 'i16',
  offset: 128,
  widths: WIDTHS,
  type: 'i16',
  declare: 'const h8 low = h8_splat(255);',
  row: (g) => `const h8 e${g} = h8_load_splat2(x + ${4 * g}), o${g} = h8_load_splat2(x + ${4 * g + 2});`,
  add: (h, g, v) =>
    `{ const b16 u = ${v}; c${h} = i4_add(c${h}, i4_add(h8_dot(v_and(u, low), e${g}), h8_dot(h8_shr_u(u, 8), o${g}))); }`,
  finish: '',
};

/** The sums of the bytes themselves are there for the zero point. */
const DOT7: Form = {
  suffix: 'u7',
  offset: DOT7_OFFSET,
  widths: WIDTHS.filter((b) => b <= DOT7_BITS),
  type: 'i8',
  declare: `const b16 one = b16_splat(1); i4 s0 = i4_load(out + ${PANEL_ROWS}), s1 = i4_load(out + ${PANEL_ROWS + 4});`,
  row: (g) => `const b16 a${g} = b16_load_splat4(x + ${4 * g});`,
  add: (h, g, v) => `{ const b16 u = ${v}; c${h} = b16_dot7(a${g}, u, c${h}); s${h} = b16_dot7(one, u, s${h}); }`,
  finish: `i4_store(out + ${PANEL_ROWS}, s0); i4_store(out + ${PANEL_ROWS + 4}, s1);`,
};

/** The form of the products of codes of a type with codes of up to `bits` bits, as the names of functions have it. */
export function rowForm(type: 'i8' | 'i16', bits: number): 'i16' | 'u7' {
  return type === 'i8' && bits <= DOT7_BITS ? 'u7' : 'i16';
}

/**
 * `ew_dot_<form>_<bits>(w, units, x, list, out)`: adds to out[8] the products of units at w with the row at x, and returns the place in the
 * list behind the last code used. Vectors of codes are taken in the order of the list, half a unit (two groups of four columns) at a time.
 */
function dotUnits(form: Form, bits: number): string {
  const { bytes, loads, vectors, shifts } = unitText(bits);
  return `#ifdef ${gemvMacro(bits)}
static const u8 *ew_dot_${form.suffix}_${bits}(const u8 *w, i32 units, const ${form.type} *x, const u8 *list, i32 *out) {
  const b16 up = b16_splat((i8)${form.offset - (1 << (bits - 1))}); ${form.declare}
  i4 c0 = i4_load(out), c1 = i4_load(out + 4);
  for (; units > 0; units--, w += ${bytes}) {
    ${loads}
    EW_ROLLED for (i32 k = 0; k < 2; k++, x += 8) {
      ${form.row(0)} ${form.row(1)}
      ${vectors.map((v, i) => form.add(i & 1, i >> 1, `b16_add(${v}, up)`)).join('\n      ')}
      ${shifts}
    }
  }
  i4_store(out, c0); i4_store(out + 4, c1); ${form.finish}
  return list;
}
#endif
`;
}

/** Products of the row at x with `columns` columns (a multiple of 8) of unpacked bytes u at t, added to c0 and c1. */
function dotBytes(form: Form, columns: string): string {
  const vectors = [0, 1, 2, 3].map((i) => form.add(i & 1, i >> 1, `b16_load(t + ${16 * i})`));
  return `for (i32 k = 0; k < ${columns}; k += 8, t += 64, x += 8) { ${form.row(0)} ${form.row(1)} ${vectors.join(' ')} }`;
}

const DECLARE_SUMS = 'i4 c0 = i4_load(out), c1 = i4_load(out + 4);';
const STORE_SUMS = 'i4_store(out, c0); i4_store(out + 4, c1);';

/** The function of a form: products of a row with the 8 rows of a tile of panels. */
function dotTile(form: Form): string {
  const { type, offset, suffix } = form;
  return `EW_SHARED void ew_gemv_${suffix}(const u8 *p, i32 tile, i32 rows, i32 cols, const ${type} *x, i32 sum, i32 zp, u8 *t, i32 *out) {
  i32 entry; const u8 *w = ew_tile(p, tile, rows, cols, &entry);
  const i32 padded = (cols + 15) / 16 * 16, bits = (entry >> ${LIST_BITS}) + 1, zero = 1 << (bits - 1), bytes = entry & ${2 ** LIST_BITS - 1};
  const i32 height = rows - tile * ${PANEL_ROWS} < ${PANEL_ROWS} ? rows - tile * ${PANEL_ROWS} : ${PANEL_ROWS};
  const i32 units = height == ${PANEL_ROWS} ? cols / 16 : 0, rest = padded - units * 16;
  u8 *room = t + padded * ${PANEL_ROWS};
  if (bytes) ew_list(w + (bits * height * cols + 7) / 8, bytes, padded * ${PANEL_ROWS}, zero, room);
  const u8 *list = room;
  ew_fill(out, 0, ${(16 * PANEL_ROWS) / 2});
  switch (bits) {
${form.widths.map((b) => `#ifdef ${gemvMacro(b)}\n    case ${b}: list = ew_dot_${suffix}_${b}(w, units, x, list, out); break;\n#endif`).join('\n')}
    default: return;
  }
  if (rest > 0) {
    const b16 up = b16_splat((i8)(${offset} - zero));
    ew_rest(w + units * 16 * bits, bits, units * 16, cols, height, zero, t);
    if (bits < 8) ew_fill_in(t, rest * ${PANEL_ROWS}, 0, list);
    for (i32 k = 0; k < rest * ${PANEL_ROWS}; k += 16) b16_store(t + k, b16_add(b16_load(t + k), up));
    ew_dot_${suffix}(t, rest, x + units * 16, out);
  }
  ew_less_${suffix}(padded, sum, zp, out);
}
`;
}

/**
 * For a row of codes times codes of up to eight (\`i16\`) or seven (\`u7\`) bits; without the 7-bit dot product the second is the first.
 * - \`ew_row_i16\`, \`ew_row_u7\`: types of a row's elements once it has been made ready, columns rounded up to a multiple of 16.
 * - \`ew_make_row_i16(x, n, zp, d)\`, \`ew_make_row_u7\`: makes n codes i8 ready, and returns their sum, which the products want. What
 *   they return and want may include the zero point already.
 * - \`ew_make_row16_i16(x, n, d)\`, \`ew_make_row16_u7\`: the same for codes i16 without a zero point; for \`u7\` they are in the range of i8.
 * - \`ew_gemv_i16(p, tile, rows, cols, x, sum, zp, t, out)\`, \`ew_gemv_u7\`: products with the 8 rows of a tile of panels. t is room for 16 bytes a column,
 *   out for 16 sums.
 * - \`EW_OFFSET_I16\`, \`EW_OFFSET_U7\`, and \`ew_bytes_i16(t, padded, x, sum, out)\`, \`ew_bytes_u7\`: what \`ew_panel\` is to add to codes that are unpacked once for many
 *   rows, and products with 8 rows of those.
 */
export const GEMV = `
EW_INLINE i32 ew_sum_i4(i4 s) { return (i4_lane(s, 0) + i4_lane(s, 1)) + (i4_lane(s, 2) + i4_lane(s, 3)); }
/* eight elements of a row in the order of ew_dot_i16, zeros from n on; returns their sum in four parts */
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
EW_INLINE void ew_dot_i16(const u8 *t, i32 n, const i16 *x, i32 *out) {
  ${PLAIN.declare} ${DECLARE_SUMS}
  ${dotBytes(PLAIN, 'n')}
  ${STORE_SUMS}
}
EW_INLINE void ew_less_i16(i32 padded, i32 sum, i32 zp, i32 *out) {
  (void)padded; (void)zp; const i4 less = i4_splat(${PLAIN.offset} * sum);
  i4_store(out, i4_sub(i4_load(out), less)); i4_store(out + 4, i4_sub(i4_load(out + 4), less));
}
EW_INLINE void ew_bytes_i16(const u8 *t, i32 padded, const i16 *x, i32 sum, i32 *out) {
  const i4 less = i4_splat(${PLAIN.offset} * sum); ${PLAIN.declare} i4 c0 = i4_splat(0), c1 = c0;
  ${dotBytes(PLAIN, 'padded')}
  i4_store(out, i4_sub(c0, less)); i4_store(out + 4, i4_sub(c1, less));
}
${PLAIN.widths.map((b) => dotUnits(PLAIN, b)).join('')}${dotTile(PLAIN)}#ifdef EW_DOT7
typedef i8 ew_row_u7;
#define EW_OFFSET_U7 ${DOT7.offset}
EW_INLINE i32 ew_sum_row_u7(i8 *d, i32 n) {
  const i32 padded = (n + 15) / 16 * 16; const b16 one = b16_splat(1); i4 s = i4_splat(0);
  for (i32 k = n; k < padded; k++) d[k] = 0;
  for (i32 k = 0; k < padded; k += 16) s = b16_dot7(b16_load(d + k), one, s);
  return ew_sum_i4(s);
}
EW_SHARED i32 ew_make_row_u7(const i8 *x, i32 n, i32 zp, i8 *d) { (void)zp; ew_copy(d, x, (u32)n); return ew_sum_row_u7(d, n); }
EW_SHARED i32 ew_make_row16_u7(const i16 *x, i32 n, i8 *d) { ew_narrow(d, x, n); return ew_sum_row_u7(d, n); }
EW_INLINE void ew_dot_u7(const u8 *t, i32 n, const i8 *x, i32 *out) {
  ${DOT7.declare} ${DECLARE_SUMS}
  ${dotBytes(DOT7, 'n')}
  ${STORE_SUMS} ${DOT7.finish}
}
EW_INLINE void ew_less_u7(i32 padded, i32 sum, i32 zp, i32 *out) {
  const i4 less = i4_splat(${DOT7.offset} * sum), z = i4_splat(zp), all = i4_splat(${DOT7.offset} * padded);
  for (i32 i = 0; i < 8; i += 4) i4_store(out + i, i4_sub(i4_sub(i4_load(out + i), less), i4_mul(z, i4_sub(i4_load(out + ${PANEL_ROWS} + i), all))));
}
EW_INLINE void ew_bytes_u7(const u8 *t, i32 padded, const i8 *x, i32 sum, i32 *out) {
  /* two chains of sums for each half: the instruction takes several cycles */
  i4 c0 = i4_splat(-${DOT7.offset} * sum), c1 = c0, d0 = i4_splat(0), d1 = d0;
  for (i32 k = 0; k < padded; k += 8, t += 64, x += 8) {
    const b16 a0 = b16_load_splat4(x), a1 = b16_load_splat4(x + 4);
    c0 = b16_dot7(a0, b16_load(t), c0); c1 = b16_dot7(a0, b16_load(t + 16), c1);
    d0 = b16_dot7(a1, b16_load(t + 32), d0); d1 = b16_dot7(a1, b16_load(t + 48), d1);
  }
  i4_store(out, i4_add(c0, d0)); i4_store(out + 4, i4_add(c1, d1));
}
${DOT7.widths.map((b) => dotUnits(DOT7, b)).join('')}${dotTile(DOT7)}#else
typedef i16 ew_row_u7;
#define EW_OFFSET_U7 EW_OFFSET_I16
#define ew_make_row_u7 ew_make_row_i16
#define ew_make_row16_u7 ew_make_row16_i16
#define ew_bytes_u7 ew_bytes_i16
#define ew_gemv_u7 ew_gemv_i16
#endif
`;
