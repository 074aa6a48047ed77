import { LIST_BITS, PANEL_ROWS, planesOf, TILES_PER_START } from '../../../wire/panels.ts';

/**
 * Reading panels of weight codes (sdk/wire/panels.ts): a row tile at a time is unpacked into working memory, so that the width of
 * the codes costs the product nothing. Every width that occurs in the module is unpacked by a function of its own.
 */

/** Name of the macro that compiles in the unpacking of a width. */
export const widthMacro = (bits: number): string => `EW_WIDTH_${bits}`;

const WIDTHS = [2, 3, 4, 5, 6, 7, 8] as const;
/** For the marks of eight bytes: which one of those marked each is, 128 for the others. */
function ranksOf(marks: number): number[] {
  let rank = 0;
  return Array.from({ length: 8 }, (_, i) => ((marks >> i) & 1 ? rank++ : 128));
}

/** A table of vectors by the marks of eight bytes. */
function markTable(vector: (ranks: readonly number[], count: number) => readonly number[]): string {
  const rows = Array.from({ length: 256 }, (_, marks) => {
    const ranks = ranksOf(marks);
    return `{${vector(ranks, ranks.filter((r) => r < 128).length).join(', ')}}`;
  });
  return rows.join(', ');
}

/** A byte eight times. */
const eight = (value: number): number[] => new Array<number>(8).fill(value);

/** Bits [from, from + width) of every byte of `source`, moved to `to`; shifts may drag bits across bytes, which the plane's mask removes. */
function field(source: string, from: number, to: number, width: number): string {
  const moved =
    to > from ? `i4_shl(${source}, ${to - from})` : to < from ? `h8_shr_u(${source}, ${from - to})` : source;
  return `v_and(${moved}, m${width})`;
}

/** C text that walks over units, half a unit at a time so that codes come in the order of the list. */
interface UnitText {
  readonly bytes: number;
  /** Once: masks of the planes. Engines of WebAssembly would make them anew for every vector. */
  readonly masks: string;
  /** Once a unit, from `w`. */
  readonly loads: string;
  /** Vector 4 * k + i of the unit's codes plus 2^(bits-1), with the listed ones put in from `list`. */
  readonly vectors: readonly string[];
  /** After a half. */
  readonly shifts: string;
}

function unitText(bits: number): UnitText {
  const masks: string[] = [];
  const loads: string[] = [];
  const shifts: string[] = [];
  const fields: string[][] = [[], [], [], []];
  let at = 0;
  let to = 0;
  for (const width of planesOf(bits)) {
    // The first half of the vectors lies in the lower four bits of the bytes of a plane, or, at eight bits, in the first half of it.
    const vectors = Math.min(width, 4);
    if (width < 8) masks.push(`b16 m${width} = b16_splat(${((1 << width) - 1) << to}); EW_KEEP(m${width});`);
    for (let j = 0; j < vectors; j++) {
      const name = `q${width}_${j}`;
      if (width < 8) {
        loads.push(`b16 ${name} = b16_load(w + ${at + 16 * j});`);
        shifts.push(`${name} = h8_shr_u(${name}, 4);`);
      }
      for (let i = j; i < 4; i += vectors)
        fields[i]!.push(
          width < 8 ? field(name, Math.floor(i / width) * width, to, width) : `b16_load(w + 64 * k + ${16 * j})`,
        );
    }
    at += 16 * width;
    to += width;
  }
  const whole = fields.map((f) => f.reduce((x, y) => `v_or(${x}, ${y})`));
  const vectors = whole.map((u) => (bits < 8 ? `ew_listed(${u}, &list)` : u));
  return { bytes: at, masks: masks.join(' '), loads: loads.join(' '), vectors, shifts: shifts.join(' ') };
}

/** `ew_unpack<bits>(w, t, units, up, list)`: units of codes plus `up`, to bytes [column / 4][row][column % 4]; returns the rest of the list. */
function unpackUnits(bits: number): string {
  const { bytes, masks, loads, vectors, shifts } = unitText(bits);
  return `#ifdef ${widthMacro(bits)}
static const u8 *ew_unpack${bits}(const u8 *w, u8 *t, i32 units, b16 up, const u8 *list) {
  ${masks}
  for (; units > 0; units--, w += ${bytes}) {
    ${loads}
    EW_ROLLED for (i32 k = 0; k < 2; k++, t += 64) {
      ${vectors.map((v, i) => `b16_store(t + ${16 * i}, b16_add(${v}, up));`).join(' ')}
      ${shifts}
    }
  }
  return list;
}
#endif
`;
}

/** What codes are offset by for the 7-bit dot product: |q| < 64. */
export const DOT7_OFFSET = 64;
/** 65536 by 1, 2, ... 30 bits, rounded up. */
const FIELDS_OF = Array.from({ length: 30 }, (_, i) => Math.ceil(65536 / (i + 1)));
/** Widest codes that it takes. */
export const DOT7_BITS = 7;
/** Eight fields in a row of 1..8 bits: the two bytes each lies in, and the factor that moves it to the upper one's begin. */
function fieldTable(order: (i: number) => number): string {
  const rows = [1, 2, 3, 4, 5, 6, 7, 8].map((width) => {
    const bits = Array.from({ length: 8 }, (_, i) => order(i) * width);
    const pick = bits.flatMap((b) => [b >> 3, (b >> 3) + 1]);
    const scale = bits.flatMap((b) => [(1 << (8 - (b & 7))) & 0xff, 1 >> (b & 7)]);
    return `{${[...pick, ...scale].join(', ')}}`;
  });
  return `{${rows.join(', ')}}`;
}

/** Sums s0 .. s7 of the vectors of sixteen columns at t. */
const sums = (add: (vector: string, sum: string) => string): string =>
  [0, 1, 2, 3, 4, 5, 6, 7].map((i) => `s${i} = ${add(`b16_load(t + ${16 * i})`, `s${i}`)};`).join(' ');

/**
 * Every function unpacks tile `tile` of the panels at p, and needs room for 16 codes a column, columns rounded up to a multiple of 16.
 * - `ew_panel(p, tile, rows, cols, offset, t, list)`: codes plus offset as bytes [column / 4][8 rows][column % 4], columns filled up
 *   with zeros; the list goes to the other half of the room.
 * - `ew_panel_rows(p, rows, cols, t, d)`: all codes, row by row at d; t is the room.
 * - `ew_panel_i16(p, tile, rows, cols, t, sums)`: as pairs [column / 2][8 rows][2], and the sum of each row, where wanted.
 * - `ew_panel_bytes(at, p, tile, rows, cols, offset, t, sums)`: as ew_panel, for the dot product of bytes, with an offset to 7 bits or none, where
 *   it takes 8; the sums are those of the codes.
 */
export const PANELS = `
#ifndef ew_next
/* by the marks of a vector's lower eight bytes: which one of those marked each is, 128 for the others, and for the upper ones how many are marked */
static const u8 ew_lower[256][16] = {${markTable((ranks, count) => [...ranks, ...eight(count)])}};
/* what those of the upper eight bytes add to that */
static const u8 ew_upper[256][16] = {${markTable((ranks) => [...eight(0), ...ranks])}};
/* the next ones of a list where m marks bytes, 0 elsewhere */
EW_INLINE b16 ew_next(b16 m, const u8 **list) {
  const u32 marks = (u32)b16_mask(m);
  const b16 from = b16_load(*list);
  *list += __builtin_popcount(marks);
  return b16_pick(from, b16_add(b16_load(ew_lower[marks & 255]), b16_load(ew_upper[marks >> 8])));
}
#endif
/* bytes with the next ones of a list where they are 0 */
EW_INLINE b16 ew_listed(b16 u, const u8 **list) { return v_or(u, ew_next(b16_eq(u, b16_splat(0)), list)); }
#ifndef EW_OWN_LISTS
/* the same for the n bytes of t, a multiple of 16, where they are \`mark\` */
EW_SHARED void ew_fill_in(u8 *t, i32 n, i32 mark, const u8 *list) {
  for (i32 k = 0; k < n; k += 16) {
    const b16 u = b16_load(t + k), m = b16_eq(u, b16_splat((i8)mark));
    b16_store(t + k, v_or(v_andnot(u, m), ew_next(m, &list)));
  }
}
#endif
#ifndef EW_OWN_UNPACK
${WIDTHS.map(unpackUnits).join('')}/* eight fields of 1 .. 8 bits, first to last and last to first: the bytes they lie in, and what shifts them to the upper of those two */
static const u8 ew_fields[2][8][32] = {${fieldTable((i) => i)}, ${fieldTable((i) => 7 - i)}};
#endif
#ifndef EW_OWN_LISTS
/* n fields of width bits, each plus offset, as bytes; groups of eight lie one after another, or from w back where back is 1 */
EW_INLINE h8 ew_eight_fields(const u8 *w, b16 pick, h8 scale, h8 ones) {
  return v_and(h8_shr_u(h8_mul(b16_swizzle(b16_load(w), pick), scale), 8), ones);
}
EW_SHARED void ew_unpack_fields(const u8 *w, i32 width, i32 back, i32 n, i32 offset, u8 *d) {
  const b16 pick = b16_load(ew_fields[back][width - 1]), add = b16_splat((i8)offset);
  const h8 scale = h8_load(ew_fields[back][width - 1] + 16), ones = h8_splat((i16)((1 << width) - 1));
  const i32 step = back ? -width : width;
  w += back ? -width : 0;
  i32 i = 0;
  for (; i + 8 < n; i += 16, w += 2 * step)
    b16_store(d + i, b16_add(b16_narrow_u8(ew_eight_fields(w, pick, scale, ones), ew_eight_fields(w + step, pick, scale, ones)), add));
  if (i >= n) return;
  const h8 x = ew_eight_fields(w, pick, scale, ones);
  b16_store_lo8(d + i, b16_add(b16_narrow_u8(x, x), add));
}
/* 65536 by so many bits, rounded up: what is multiplied and shifted by it is divided, and at most one more */
static const u32 ew_fields_of[31] = {0, ${FIELDS_OF.join(', ')}};
/* listed codes as they are written, to the codes themselves plus zero */
EW_INLINE b16 ew_from_listed(b16 e, b16 zero) {
  const b16 sign = b16_sub(b16_splat(0), v_and(e, b16_splat(1)));
  return b16_add(b16_sub(v_xor(b16_add(b16_shr_u(e, 1), zero), sign), sign), zero);
}
/* the listed codes plus zero, as bytes, at d: half a tile of n codes at most, and room for as many behind them */
EW_SHARED void ew_list(const u8 *w, i32 bytes, i32 n, i32 zero, u8 *d) {
  const i32 width = w[0] & 15, tail = w[0] >> 4, half = n / 2; const u32 bits = (u32)(bytes - 1) * 8;
  const i32 most = (i32)(bits * ew_fields_of[width] >> 16), count = most < half ? most : half;
  const b16 least = b16_splat((i8)zero);
  if (tail) {
    const i32 rest = (i32)(bits * ew_fields_of[width + tail] >> 16), ones = (1 << width) - 1;
    ew_unpack_fields(w + 1, width, 0, count, 0, d);
    ew_unpack_fields(w + bytes, tail, 1, rest < half ? rest : half, ones, d + half);
    ew_fill_in(d, (count + 15) / 16 * 16, ones, d + half);
    for (i32 i = 0; i < count; i += 16) b16_store(d + i, ew_from_listed(b16_load(d + i), least));
    return;
  }
  const b16 pick = b16_load(ew_fields[0][width - 1]);
  const h8 scale = h8_load(ew_fields[0][width - 1] + 16), ones = h8_splat((i16)((1 << width) - 1));
  w++;
  for (i32 i = 0; i < count; i += 16, w += 2 * width) {
    const u8 *const second = i + 8 < count ? w + width : w;
    b16_store(d + i, ew_from_listed(b16_narrow_u8(ew_eight_fields(w, pick, scale, ones), ew_eight_fields(second, pick, scale, ones)), least));
  }
}
#endif
/* bytes of the tile of an entry, without its list; with EW_ROW_TILES it may be one of sdk/wire/row-tiles.ts */
#ifdef EW_ROW_TILES
EW_INLINE i32 ew_row_tile_bytes(i32 cols) { return (cols + 7) / 8 * 32; }
#define EW_DENSE_BYTES(entry, cols) ((entry) >> ${LIST_BITS} ? (((entry) >> ${LIST_BITS}) + 1) * (cols) : ew_row_tile_bytes(cols))
#else
#define EW_DENSE_BYTES(entry, cols) ((((entry) >> ${LIST_BITS}) + 1) * (cols))
#endif
/* of all tiles */
EW_INLINE const u16 *ew_entries(const u8 *p, i32 rows) {
  return (const u16 *)(p + 4 * (((rows + ${PANEL_ROWS - 1}) / ${PANEL_ROWS} + ${TILES_PER_START - 1}) / ${TILES_PER_START} - 1));
}
/* where tile \`tile\` begins, and its entry */
EW_SHARED const u8 *ew_tile(const u8 *p, i32 tile, i32 rows, i32 cols, i32 *entry) {
  const i32 tiles = (rows + ${PANEL_ROWS - 1}) / ${PANEL_ROWS};
  const u16 *entries = ew_entries(p, rows);
  const u8 *w = tile < ${TILES_PER_START} ? (const u8 *)(entries + tiles) : p + ((const u32 *)p)[tile / ${TILES_PER_START} - 1];
  for (i32 i = tile / ${TILES_PER_START} * ${TILES_PER_START}; i < tile; i++)
    w += EW_DENSE_BYTES(entries[i], cols) + (entries[i] & ${2 ** LIST_BITS - 1});
  *entry = entries[tile];
  return w;
}
/* columns [from, cols) of height rows, which lie at w, to whole vectors at t; what fills those up is \`fill\` */
EW_SHARED void ew_rest(const u8 *w, i32 bits, i32 from, i32 cols, i32 height, i32 fill, u8 *t) {
  u8 d[256 + 16];
  if (height == ${PANEL_ROWS}) {
    /* fewer than 16 columns: columns of eight codes, four of them at a time to rows */
    static const u8 pairs[16] = {0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15};
    const i32 n = (cols - from) * ${PANEL_ROWS}; const b16 nothing = b16_splat((i8)fill);
    i32 k = 0;
    ew_unpack_fields(w, bits, 0, n, 0, d); b16_store(d + n, nothing); b16_store(d + n + 16, nothing);
    for (; k < n; k += 32) {
      const b16 x = b16_pick(b16_load(d + k), b16_load(pairs)), y = b16_pick(b16_load(d + k + 16), b16_load(pairs));
      b16_store(t + k, h8_zip_lo(x, y)); b16_store(t + k + 16, h8_zip_hi(x, y));
    }
    for (; k < 128; k += 16) b16_store(t + k, nothing);
    return;
  }
  /* byte 4 r + k of four columns: which one of the first two columns' bytes it is, or of the other two's, or neither */
  u8 first[32], second[32], none[32];
  for (i32 k = 0; k < 32; k++) {
    const i32 r = k >> 2, real = r < height, at = (k & 1) * height + r;
    first[k] = (u8)(real && !(k & 2) ? at : 255); second[k] = (u8)(real && k & 2 ? at : 255); none[k] = (u8)(real ? 0 : fill);
  }
  ew_fill(t, fill, (u32)((cols + 15) / 16 * 16 - from) * ${PANEL_ROWS});
  for (i32 c = from; c < cols; c += 32, w += 4 * height * bits, t += 256) {
    const i32 n = cols - c < 32 ? cols - c : 32; const u8 *s = d;
    ew_unpack_fields(w, bits, 0, n * height, 0, d);
    for (i32 k = 0; k < n; k += 4, s += 4 * height) {
      const i32 real = n - k < 4 ? n - k : 4;
      if (real < 4) ew_fill((u8 *)s + real * height, fill, (u32)((4 - real) * height));
      const b16 x = b16_load(s), y = b16_load(s + 2 * height);
      for (i32 h = 0; h < 32; h += 16) b16_store(t + 8 * k + h, v_or(v_or(b16_swizzle(x, b16_load(first + h)), b16_swizzle(y, b16_load(second + h))), b16_load(none + h)));
    }
  }
}
/* the height rows of the tile at w; returns what is behind it */
EW_SHARED const u8 *ew_panel_at(const u8 *w, i32 entry, i32 height, i32 cols, i32 offset, u8 *t, u8 *room) {
  const u8 *list = room;
  const i32 padded = (cols + 15) / 16 * 16, bits = (entry >> ${LIST_BITS}) + 1, zero = 1 << (bits - 1);
  const i32 units = height == ${PANEL_ROWS} ? cols / 16 : 0, rest = (padded - units * 16) * ${PANEL_ROWS}, bytes = entry & ${2 ** LIST_BITS - 1};
  const b16 up = b16_splat((i8)(offset - zero));
  const u8 *const tail = w + (bits * height * cols + 7) / 8;
  if (bytes) ew_list(tail, bytes, padded * ${PANEL_ROWS}, zero, room);
  switch (bits) {
${WIDTHS.map((b) => `#ifdef ${widthMacro(b)}\n    case ${b}: list = ew_unpack${b}(w, t, units, up, list); break;\n#endif`).join('\n')}
    default: return w;
  }
  if (rest > 0) {
    t += units * 128;
    ew_rest(w + units * 16 * bits, bits, units * 16, cols, height, zero, t);
    const i32 real = ((cols + 3) / 4 * 4 - units * 16) * ${PANEL_ROWS}; const b16 nothing = b16_splat((i8)offset);
    i32 k = 0;
    if (bytes) for (; k < real; k += 16) b16_store(t + k, b16_add(ew_listed(b16_load(t + k), &list), up));
    else for (; k < real; k += 16) b16_store(t + k, b16_add(b16_load(t + k), up));
    for (; k < rest; k += 16) b16_store(t + k, nothing);
  }
  return tail + bytes;
}
EW_INLINE i32 ew_height(i32 tile, i32 rows) { return rows - tile * ${PANEL_ROWS} < ${PANEL_ROWS} ? rows - tile * ${PANEL_ROWS} : ${PANEL_ROWS}; }
EW_SHARED void ew_panel(const u8 *p, i32 tile, i32 rows, i32 cols, i32 offset, u8 *t, u8 *room) {
  i32 entry; const u8 *w = ew_tile(p, tile, rows, cols, &entry);
  ew_panel_at(w, entry, ew_height(tile, rows), cols, offset, t, room);
}
/* the same for tiles one after another, each of which is looked for where the last one ended */
typedef struct { const u8 *next; i32 tile; } ew_place;
EW_INLINE void ew_next_panel(ew_place *at, const u8 *p, i32 tile, i32 rows, i32 cols, i32 offset, u8 *t, u8 *room) {
  i32 entry = ew_entries(p, rows)[tile];
  const u8 *w = at->tile == tile ? at->next : ew_tile(p, tile, rows, cols, &entry);
  at->next = ew_panel_at(w, entry, ew_height(tile, rows), cols, offset, t, room); at->tile = tile + 1;
}
static void ew_panel_rows(const u8 *p, i32 rows, i32 cols, u8 *t, i8 *d) {
  for (i32 r = 0; r < rows; r++, d += cols) {
    if (r % ${PANEL_ROWS} == 0) ew_panel(p, r / ${PANEL_ROWS}, rows, cols, 0, t, t + (cols + 15) / 16 * ${16 * PANEL_ROWS});
    for (i32 c = 0; c < cols; c++) d[c] = (i8)t[(c >> 2) * 32 + r % ${PANEL_ROWS} * 4 + (c & 3)];
  }
}
EW_SHARED void ew_panel_i16(const u8 *p, i32 tile, i32 rows, i32 cols, i16 *t, i32 *sums) {
  i32 padded = (cols + 15) / 16 * 16;
  /* The bytes lie in the upper half of t: what is written never reaches what is still to be read. */
  u8 *s = (u8 *)t + padded * ${PANEL_ROWS};
  ew_panel(p, tile, rows, cols, 0, s, (u8 *)t);
  for (i32 k = 0; k < padded; k += 4, s += 32, t += 32) {
    const b16 x = b16_pairs(b16_load(s)), y = b16_pairs(b16_load(s + 16));
    h8_store(t, h8_extend_lo_i8(x)); h8_store(t + 8, h8_extend_lo_i8(y)); h8_store(t + 16, h8_extend_hi_i8(x)); h8_store(t + 24, h8_extend_hi_i8(y));
  }
  if (!sums) return;
  const h8 one = h8_splat(1); i4 s0 = i4_splat(0), s1 = s0;
  for (t -= padded * ${PANEL_ROWS}; padded > 0; padded -= 2, t += 16) { s0 = i4_add(s0, h8_dot(h8_load(t), one)); s1 = i4_add(s1, h8_dot(h8_load(t + 8), one)); }
  i4_store(sums, s0); i4_store(sums + 4, s1);
}
#ifdef EW_DOT7
EW_SHARED void ew_panel_bytes(ew_place *at, const u8 *p, i32 tile, i32 rows, i32 cols, i32 offset, u8 *t, i32 *sums) {
  const i32 padded = (cols + 15) / 16 * 16;
  ew_next_panel(at, p, tile, rows, cols, offset, t, t + padded * ${PANEL_ROWS});
  if (!sums) return;
  /* sixteen columns at a time: a product waits for the sum that it is added to */
  const b16 one = b16_splat(1); i4 s0 = i4_splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  if (offset == ${DOT7_OFFSET}) for (i32 k = 0; k < padded; k += 16, t += 128) { ${sums((v, s) => `ew_add7(one, ${v}, ${s})`)} }
  else for (i32 k = 0; k < padded; k += 16, t += 128) { ${sums((v, s) => `ew_add7(${v}, one, ${s})`)} }
  s0 = i4_add(i4_add(s0, s2), i4_add(s4, s6)); s1 = i4_add(i4_add(s1, s3), i4_add(s5, s7));
  const i4 all = i4_splat(offset * padded);
  i4_store(sums, i4_sub(s0, all)); i4_store(sums + 4, i4_sub(s1, all));
}
#endif
`;
