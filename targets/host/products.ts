import { range, type Width } from './width.ts';

/**
 * Products of rows with blocks of codes. `ew_dot8(chains, a, at, rows, b, columns, segments, apart, steps, init, acc)` takes unsigned bytes,
 * four columns of the matrix a step; `ew_dot16`, without chains, 16-bit values, two columns a step. Row r begins `at[r]` bytes behind a and
 * consists of segments, `apart` bytes from one to the next, of so many steps each. b is [segment][step][columns * EW_LANES channels] of
 * what meets a step, acc is [rows][columns * EW_LANES] i32, every row of which begins with init. `chains` are what the codes allow AVX2, which
 * sums products in 16 bits: how many steps cannot overflow them, chain after chain from the begin of every segment on (0: not even one can, and
 * the products of even columns and of odd ones are apart), behind a 1; or, behind a 0, one length for all: `EW_CHAINS(ew_reach(...))`.
 * `ew_tile8_<rows>_<columns>(chains, a, at, b, segments, apart, steps, init, out)` and `ew_tile16_...` are what they are made of, for kernels
 * that want the sums in registers: out is a vector a cell.
 */
export function products(w: Width): string {
  const words = kernels(w, 'ew_tile16', w.shape.rows, wordStep);
  if (w.vnni)
    return `${w.lanes === 16 ? PAIRS : ''}#define ew_reach(t, vectors, segments, steps) 8\n#define EW_CHAINS(reach) 0\n${kernels(w, 'ew_tile8', w.shape.rows, byteStep)}${words}`;
  return `${REACH}${chains(w)}${words}`;
}

/** What products are made of in which two rows share a vector (sdk/compile/emit/c/wide-pairs.ts). */
const PAIRS = `
/* four bytes of a row from byte \`step\` on for each of eight lanes, and those of the row that begins \`apart\` bytes behind for the others: ew_bytes_at picks them */
EW_INLINE ix ew_places_of_bytes(i32 apart, i32 step) {
  const ew_mx row = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi8((char)apart), 1);
  return (ix)_mm512_add_epi8(row, _mm512_set1_epi32(0x03020100 + step * 0x01010101));
}
#define ew_load_half(p) ((ix)_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(p))))
#define ew_bytes_at(x, places) ((ix)_mm512_permutexvar_epi8((ew_mx)(places), (ew_mx)(x)))
/* bytes of two vectors where the mask has them, zeros elsewhere */
#define ew_bytes_of(mask, places, x, y) ((ix)_mm512_maskz_permutex2var_epi8((mask), (ew_mx)(x), (ew_mx)(places), (ew_mx)(y)))
/* eight channels of n pixels, each a vector of pixels, saturated: [pixel][channel] */
EW_INLINE void ew_store_pixels(i8 *p, i32 n, ix a, ix b, ix c, ix d, ix e, ix f, ix g, ix h) {
#define EW_FOUR(a, b, c, d) _mm512_shuffle_epi8(_mm512_packs_epi16(_mm512_packs_epi32((ew_mx)(a), (ew_mx)(b)), _mm512_packs_epi32((ew_mx)(c), (ew_mx)(d))), order)
  const ew_mx order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const ew_mx low = EW_FOUR(a, b, c, d), high = EW_FOUR(e, f, g, h);
  /* pixels 0 and 1 of every four, 2 and 3 */
  const ew_mx x = _mm512_unpacklo_epi32(low, high), y = _mm512_unpackhi_epi32(low, high);
  const ew_mx first = _mm512_permutex2var_epi64(x, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), y), second = _mm512_permutex2var_epi64(x, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), y);
  if (n == 16) { EW_STOREX(p, first); EW_STOREX(p + 64, second); return; }
  _mm512_mask_storeu_epi64(p, (__mmask8)(n < 8 ? (1u << n) - 1 : 255), first);
  if (n > 8) _mm512_mask_storeu_epi64(p + 64, (__mmask8)((1u << (n - 8)) - 1), second);
}
#define ew_dot_bytes(acc, x, w) ((ix)_mm512_dpbusd_epi32((ew_mx)(acc), (ew_mx)(x), (ew_mx)(w)))
`;

/** With sums of 16 bits beside those of 32, registers hold fewer rows. */
const CHAINED_ROWS = 3;

/** Steps in one pass of a loop. */
const PASS = 4;

/** Accumulators, fewer of which would wait for each other. */
const ENOUGH = 8;

/** Few rows and columns have several accumulators each, for the steps of a pass in turn. Sums that are added up by themselves wait for nothing. */
function setsOf({ vnni, lanes }: Width, cells: number): 1 | 2 | 4 {
  if (!vnni || cells >= ENOUGH) return 1;
  return cells * 4 <= (lanes === 16 ? 28 : 12) ? 4 : cells * 2 <= 12 ? 2 : 1;
}

/** C text that adds the products of `s` (of a row) and `b` (codes) to `acc`. */
type Step = (w: Width, acc: string, s: string, b: string) => string;

// Instructions in the text leave accumulators where they are; gcc would move them about.
const byteStep: Step = (w, acc, s, b) => `__asm__("${w.dpbusd} %2, %1, %0" : "+v"(${acc}) : "v"(${s}), "v"(${b}));`;

const wordStep: Step = (w, acc, s, b) =>
  w.dpwssd === ''
    ? multiplyAdd('vpmaddwd', 'vpaddd', acc, s, b)
    : `__asm__("${w.dpwssd} %2, %1, %0" : "+v"(${acc}) : "v"(${s}), "v"(${b}));`;

/** Two instructions of AVX2 as one: gcc would put all products first, and run out of registers. */
const multiplyAdd = (multiply: string, add: string, acc: string, s: string, b: string): string =>
  `{ ew_mx t; __asm__("${multiply} %3, %2, %1\\n\\t${add} %1, %0, %0" : "+x"(${acc}), "=&x"(t) : "x"(${s}), "x"(${b})); }`;

const TYPES = 'const void *, const i32 *, const void *, i32, i64, i32, const i32 *, i32 *, const u8 *';
const PARAMETERS =
  'const void *a, const i32 *at, i32 rows, const void *b, i32 columns, i32 segments, i64 apart, i32 steps, const i32 *init, i32 *acc';
const ARGUMENTS = 'a, at, b, segments, apart, steps, init, acc';

/** Kinds of tiles, and the functions that write what they give to memory. */
const DOTS = { ew_tile8: 'ew_dot8', ew_tile16: 'ew_dot16' } as const;
type Tile = keyof typeof DOTS;

/** Names of the functions for so many rows and columns. */
const table = (rows: number, columns: number, name: string): string =>
  `{${range(rows).map((r) => `{${range(columns).map((c) => `${name}_${r + 1}_${c + 1}`)}}`)}}`;

/** A tile whose sums go to memory. */
function stored(tile: Tile, rows: number, columns: number): string {
  const cells = rows * columns;
  return `
EW_SHARED void ${DOTS[tile]}_${rows}_${columns}(const void *a, const i32 *at, const void *b, i32 segments, i64 apart, i32 steps, const i32 *init, i32 *acc, const u8 *chains) {
  ix c[${cells}]; ${tile}_${rows}_${columns}(chains, a, at, b, segments, apart, steps, init, c);
  ${range(cells)
    .map((i) => `ix_store(acc + ${i} * EW_LANES, c[${i}]);`)
    .join(' ')}
}`;
}

/** The tiles of a kind and what calls them. */
function kernels(w: Width, tile: Tile, rows: number, step: Step): string {
  const { columns } = w.shape;
  const name = DOTS[tile];
  const texts = range(rows).flatMap((r) =>
    range(columns).flatMap((c) => [plain(w, tile, r + 1, c + 1, step), stored(tile, r + 1, c + 1)]),
  );
  const bytes = tile === 'ew_tile8';
  return `${texts.join('')}
EW_INLINE void ${name}(${bytes ? 'const u8 *chains, ' : ''}${PARAMETERS}) {
  static void (*const kernels[${rows}][${columns}])(${TYPES}) = ${table(rows, columns, name)};
  kernels[rows - 1][columns - 1](${ARGUMENTS}, ${bytes ? 'chains' : '0'});
}
`;
}

/** Bytes without VNNI; more rows than a kernel takes are taken one group after another. */
function chains(w: Width): string {
  const { columns } = w.shape;
  const texts = range(CHAINED_ROWS).flatMap((r) =>
    range(columns).flatMap((c) => [chained(w, r + 1, c + 1), stored('ew_tile8', r + 1, c + 1)]),
  );
  return `
static const u8 ew_chains[9][2] = {${range(9).map((n) => `{0, ${n}}`)}};
#define EW_CHAINS(reach) ew_chains[reach]
${texts.join('')}
EW_INLINE void ew_dot8(const u8 *chains, ${PARAMETERS}) {
  static void (*const kernels[${CHAINED_ROWS}][${columns}])(${TYPES}) = ${table(CHAINED_ROWS, columns, DOTS.ew_tile8)};
  for (i32 n; rows > 0; rows -= n, at += n, acc += n * columns * EW_LANES) {
    n = rows < ${CHAINED_ROWS} ? rows : ${CHAINED_ROWS};
    kernels[n - 1][columns - 1](${ARGUMENTS}, chains);
  }
}
`;
}

const cellsOf = (rows: number, columns: number): (readonly [number, number])[] =>
  range(rows).flatMap((r) => range(columns).map((c) => [r, c] as const));

function head(tile: Tile, rows: number, columns: number): string {
  return `
EW_INLINE void ${tile}_${rows}_${columns}(const u8 *chains, const void *a, const i32 *at, const void *codes, i32 segments, i64 apart, i32 steps, const i32 *init, ix *out) {
  const u8 *b = codes, ${range(rows)
    .map((r) => `*p${r} = (const u8 *)a + at[${r}]`)
    .join(', ')};
  apart -= 4 * steps; (void)chains;`;
}

const moved = (rows: number, by: string): string =>
  range(rows)
    .map((r) => `p${r} += ${by}`)
    .join(', ');

/** Four bytes of a row in all lanes, `u` steps on. */
const valuesOf = ({ mm }: Width, r: number, u: number): string =>
  `${mm}_set1_epi32(*(const ew_any4 *)(p${r} + ${4 * u}))`;

const codesOf = ({ bytes }: Width, columns: number, u: number, c: number): string =>
  `EW_LOADX(b + ${(u * columns + c) * bytes})`;

function plain(w: Width, tile: Tile, rows: number, columns: number, step: Step): string {
  const { lanes, bytes, mm, si } = w;
  const sets = setsOf(w, rows * columns);
  const cells = cellsOf(rows, columns);
  const acc = (r: number, c: number, u: number): string => `c${r}_${c}_${u % sets}`;
  const start = cells.flatMap(([r, c]) =>
    range(sets).map(
      (s) => `ew_mx ${acc(r, c, s)} = ${s === 0 ? `EW_LOADX(init + ${c * lanes})` : `${mm}_setzero_${si}()`};`,
    ),
  );
  const one = (u: number): string =>
    `{ const ew_mx ${range(columns)
      .map((c) => `b${c} = ${codesOf(w, columns, u, c)}`)
      .join(', ')};
      ${range(rows)
        .map(
          (r) =>
            `{ const ew_mx s = ${valuesOf(w, r, u)}; ${range(columns)
              .map((c) => step(w, acc(r, c, u), 's', `b${c}`))
              .join(' ')} }`,
        )
        .join('\n      ')} }`;
  const total = (r: number, c: number): string =>
    range(sets)
      .map((s) => acc(r, c, s))
      .reduce((x, y) => `${mm}_add_epi32(${x}, ${y})`);
  // What is left of a short segment is no loop: pointers of all rows move on after every pass.
  const next = (n: number): string => `b += ${n * columns * bytes}, ${moved(rows, String(4 * n))}`;
  return `${head(tile, rows, columns)}
  ${start.join(' ')}
  for (; segments > 0; segments--, ${moved(rows, 'apart')}) {
    i32 k = steps;
    for (; k >= ${PASS}; k -= ${PASS}, ${next(PASS)}) {
      ${range(PASS).map(one).join('\n      ')}
    }
    if (k & 2) { ${range(2).map(one).join('\n      ')} ${next(2)}; }
    if (k & 1) { ${one(0)} ${next(1)}; }
  }
  ${cells.map(([r, c]) => `out[${r * columns + c}] = (ix)${total(r, c)};`).join(' ')}
}`;
}

/** Bytes without VNNI: sums of 16 bits, chain after chain; where not even one step fits, bytes of even places and of odd ones apart. */
function chained(w: Width, rows: number, columns: number): string {
  const { lanes, bytes, mm } = w;
  const cells = cellsOf(rows, columns);
  const all = (text: (r: number, c: number) => string): string => cells.map(([r, c]) => text(r, c)).join(' ');
  const wider = (x: string): string => `${mm}_madd_epi16(${x}, ${mm}_set1_epi16(1))`;
  const more = (r: number, c: number, x: string): string => `c${r}_${c} = ${mm}_add_epi32(c${r}_${c}, ${wider(x)});`;
  const step = (text: (r: number, c: number) => string): string =>
    `{ const ew_mx ${range(columns)
      .map((c) => `b${c} = ${codesOf(w, columns, 0, c)}`)
      .join(', ')};
        ${range(rows)
          .map((r) => {
            const s = `const ew_mx s = ${mm}_set1_epi32(*(const ew_any4 *)(p${r} + k));`;
            return `{ ${s} ${range(columns)
              .map((c) => text(r, c))
              .join(' ')} }`;
          })
          .join('\n        ')}
        b += ${columns * bytes}; k += 4; }`;
  const product = (c: number, s = 's'): string => `${mm}_maddubs_epi16(${s}, b${c})`;
  const halves = (r: number, c: number): string =>
    [255, -256].map((m) => more(r, c, product(c, `${mm}_and_si256(s, ${mm}_set1_epi16(${m}))`))).join(' ');
  return `${head('ew_tile8', rows, columns)}
  ${all((r, c) => `ew_mx c${r}_${c} = EW_LOADX(init + ${c * lanes});`)}
  const i32 next = *chains++;
  i64 k = 0;
  for (; segments > 0; segments--, k += apart) {
    const i64 end = k + 4 * steps;
    for (; k < end; chains += next) {
      if (*chains == 0) { ${step(halves)} continue; }
      const i64 behind = k + 4 * *chains < end ? k + 4 * *chains : end;
      ew_mx ${cells.map(([r, c]) => `t${r}_${c}`).join(', ')};
      ${step((r, c) => `t${r}_${c} = ${product(c)};`)}
      while (k != behind) ${step((r, c) => multiplyAdd('vpmaddubsw', 'vpaddw', `t${r}_${c}`, 's', `b${c}`))}
      ${all((r, c) => more(r, c, `t${r}_${c}`))}
    }
  }
  ${all((r, c) => `out[${r * columns + c}] = (ix)c${r}_${c};`)}
}`;
}

/**
 * 255 times the positive codes of a sum, and 255 times the negative ones, must fit 16 bits: with s the sum of the codes and a that of
 * their magnitudes, a + |s| is twice the larger of the two, at most 2 * 128.
 */
const LEVELS = [0, 1, 2, 3];
const REACH = `
/* the steps that products may be summed for in 16 bits (8, 4, 2, 1 or 0), from the begin of every segment on, by the codes of \`vectors\` vectors a step */
EW_SHARED i32 ew_reach(const i8 *t, i32 vectors, i32 segments, i32 steps) {
  const __m256i one = _mm256_set1_epi8(1); __m256i ${LEVELS.map((l) => `most${l} = _mm256_setzero_si256()`).join(', ')};
  for (i32 v = 0; v < vectors; v++) {
    const i8 *p = t + 32 * v;
    for (i32 i = 0; i < segments; i++) for (i32 k = 0, n; k < steps; k += n, p += 32 * vectors * n) {
      n = steps - k < 8 ? steps - k : 8;
      ${range(8)
        .map(
          (j) =>
            `const __m256i w${j} = ${j} < n ? EW_LOADX(p + ${32 * j} * vectors) : _mm256_setzero_si256(), s0_${j} = _mm256_maddubs_epi16(one, w${j}), a0_${j} = _mm256_maddubs_epi16(_mm256_abs_epi8(w${j}), one);`,
        )
        .join('\n      ')}
      ${LEVELS.map((l) =>
        range(8 >> l)
          .map((j) => {
            const sum = (x: string): string => `_mm256_add_epi16(${x}${l - 1}_${2 * j}, ${x}${l - 1}_${2 * j + 1})`;
            const sums = l === 0 ? '' : `const __m256i s${l}_${j} = ${sum('s')}, a${l}_${j} = ${sum('a')}; `;
            return `${sums}most${l} = _mm256_max_epi16(most${l}, _mm256_add_epi16(a${l}_${j}, _mm256_abs_epi16(s${l}_${j})));`;
          })
          .join(' '),
      ).join('\n      ')}
    }
  }
#define EW_FITS(most) (_mm256_movemask_epi8(_mm256_cmpgt_epi16(most, _mm256_set1_epi16(256))) == 0)
  return EW_FITS(most3) ? 8 : EW_FITS(most2) ? 4 : EW_FITS(most1) ? 2 : EW_FITS(most0);
}`;
