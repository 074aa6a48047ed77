import { LIST_BITS, PANEL_ROWS, planesOf, TILES_PER_START } from '../../../wire/panels.ts';

/** How a width of codes is unpacked: word j of every vector of a unit (sdk/wire/panels.ts), four codes at a time. */
function unitOf(bits: number): string {
  const loads: string[] = [];
  const words: string[][] = [[], [], [], [], [], [], [], []];
  let at = 0;
  let low = 0;
  for (const width of planesOf(bits)) {
    const mask = `0x${(((1 << width) - 1) * 0x01010101).toString(16).padStart(8, '0')}u`;
    for (let v = 0; v < width; v++, at += 16) {
      const name = `q${width}_${v}`;
      loads.push(`${name} = ew_load4(w + ${at})`);
      for (let f = 0; f < 8 / width; f++) {
        const shifted = f === 0 ? name : `${name} >> ${f * width}`;
        const field = width === 8 ? shifted : `(${shifted} & ${mask})`;
        words[v + f * width]!.push(low === 0 ? field : `${field} << ${low}`);
      }
    }
    low += width;
  }
  // Less 2^(bits - 1), in every byte by itself: the sums stay below 0xc0.
  const less = `0x${((0x80 - (1 << (bits - 1))) * 0x01010101).toString(16).padStart(8, '0')}u`;
  const code = (fields: readonly string[]): string =>
    bits === 8 ? `(${fields.join(' | ')}) ^ 0x80808080u` : `((${fields.join(' | ')}) + ${less}) ^ 0x80808080u`;
  return `static void ew_unit${bits}(const u8 *w, i8 *t, i32 pitch) {
  i32 j;
  (void)pitch;
  for (j = 0; j < 4; j++, w += 4) {
    const u32 ${loads.join(', ')};
    ${words.map((fields, i) => `ew_store4(EW_WORD(t, ${4 * i} + j, pitch), ${code(fields)});`).join('\n    ')}
  }
}
`;
}

/** Unpacking of panels whose tiles have these widths. */
export const tilesOf = (widths: readonly number[]): string => `
/* columns of a tile, and where the code of row r and column c lies, and word i of them in the order they are stored in */
#ifdef EW_MVE
#define EW_PITCH(cols) (((cols) + 15) & ~15)
#define EW_CODE(t, r, c, pitch) ((t) + (r) * (pitch) + (c))
#define EW_WORD(t, i, pitch) ((t) + ((i) & 7) * (pitch) + ((i) >> 3) * 4)
#else
#define EW_PITCH(cols) (((cols) + 3) & ~3)
#define EW_CODE(t, r, c, pitch) ((t) + ((c) >> 2) * 32 + (r) * 4 + ((c) & 3))
#define EW_WORD(t, i, pitch) ((t) + (i) * 4)
#endif
${widths.map(unitOf).join('')}/* the low bits of what is from bit \`at\` on, and some more above them */
EW_INLINE i32 ew_bits(const u8 *w, i32 at) { return (w[at >> 3] | w[(at >> 3) + 1] << 8) >> (at & 7); }
/* Tile \`tile\` of the panels at p, [rows, cols] codes of 2 to 8 bits in tiles of ${PANEL_ROWS} rows; columns are filled up with zeros. */
static void ew_panel(const u8 *p, i32 tile, i32 rows, i32 cols, i8 *t) {
  const i32 tiles = (rows + ${PANEL_ROWS - 1}) / ${PANEL_ROWS}, pitch = EW_PITCH(cols);
  const u16 *entries = (const u16 *)(const void *)(p + 4 * ((tiles + ${TILES_PER_START - 1}) / ${TILES_PER_START} - 1));
  const u8 *w = tile < ${TILES_PER_START} ? (const u8 *)(entries + tiles) : p + ew_load4(p + (tile / ${TILES_PER_START} - 1) * 4);
  i32 i, r, c;
  for (i = tile & ~${TILES_PER_START - 1}; i < tile; i++) w += ((entries[i] >> ${LIST_BITS}) + 1) * cols + (entries[i] & ${2 ** LIST_BITS - 1});
  const i32 bits = (entries[tile] >> ${LIST_BITS}) + 1, zero = 1 << (bits - 1), bytes = entries[tile] & ${2 ** LIST_BITS - 1};
  const i32 height = rows - tile * ${PANEL_ROWS} < ${PANEL_ROWS} ? rows - tile * ${PANEL_ROWS} : ${PANEL_ROWS};
  const i32 whole = height == ${PANEL_ROWS} ? cols & ~15 : 0;
  if (whole < pitch) memset(t, 0, (size_t)(pitch * ${PANEL_ROWS}));
  for (c = 0; c < whole; c += 16, w += 16 * bits) {
    i8 *d = EW_WORD(t, c * 2, pitch);
    switch (bits) {
${widths.map((b) => `      case ${b}: ew_unit${b}(w, d, pitch); break;`).join('\n')}
      default: break;
    }
  }
  if (whole < cols) {
    i32 at = 0;
    for (c = whole; c < cols; c++) for (r = 0; r < height; r++, at += bits)
      *EW_CODE(t, r, c, pitch) = (i8)((ew_bits(w, at) & ((1 << bits) - 1)) - zero);
    w += (at + 7) / 8;
  }
  if (bytes == 0) return;
  /* the listed codes, where the least one stands */
  const i32 width = w[0] & 15, tail = w[0] >> 4, most = (1 << width) - 1;
  i32 at = 8, end = bytes * 8;
  for (i = 0; i < pitch * 2; i++) {
    i8 *d = EW_WORD(t, i, pitch);
    const u32 x = ew_load4(d) ^ ((u32)-zero & 0xffu) * 0x01010101u;
    if (!((x - 0x01010101u) & ~x & 0x80808080u)) continue;
    for (c = 0; c < 4; c++, d++) {
      i32 e;
      if (*d != -zero) continue;
      e = ew_bits(w, at) & most; at += width;
      if (tail && e == most) { end -= tail; e += ew_bits(w, end) & ((1 << tail) - 1); }
      *d = (i8)(e & 1 ? -zero - (e >> 1) : zero + (e >> 1));
    }
  }
}
/* codes of the 8 rows of a tile to [column][8] */
static void ew_columns(const i8 *t, i32 cols, i8 *d) {
  const i32 pitch = EW_PITCH(cols);
  i32 r, c;
  (void)pitch;
  for (c = 0; c < cols; c++) for (r = 0; r < ${PANEL_ROWS}; r++) *d++ = *EW_CODE(t, r, c, pitch);
}
`;
