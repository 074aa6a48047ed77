/**
 * Matrix products: 4 rows x 8 channels in registers, as the register budget of WebAssembly engines wants it (loads plus
 * accumulators of one basic block <= 15, no unrolling along k, accumulators in named scalars).
 * Every function here returns C text; the callers supply how rows of A are found and where results go.
 */

const ROWS = [0, 1, 2, 3] as const;
export const MR = 4;
export const NR = 8;

/** How many rows a micro-kernel computes at once for a product with `rows` rows. */
export function rowsPerTile(rows: number): number {
  return Math.min(MR, rows);
}

/**
 * Where the rows of A are. With a constant pitch one pointer serves all rows, and row r is a constant offset in the
 * load instruction; otherwise every row has its own pointer.
 */
export type Rows = { readonly base: string; readonly pitch: number } | { readonly pointer: (r: number) => string };

interface Inner {
  readonly type: string;
  /** Element type of the results. */
  readonly result: 'float' | 'i32';
  /** Elements of A and of the tile consumed by one iteration. */
  readonly stepA: number;
  readonly stepB: number;
  readonly iterations: number;
  readonly loads: string;
  readonly update: (row: number, a: string) => string;
}

/** The loop all three products share. Results pass through a small array, so that the text that uses them stands once, not once a row. */
function micro(
  mr: number,
  rows: Rows,
  tileType: string,
  tile: string,
  init: (r: number) => [string, string],
  inner: Inner,
  done: Done,
): string {
  const list = ROWS.slice(0, mr);
  const one = 'pitch' in rows;
  const pointers = one
    ? `const ${inner.type} *a = ${rows.base};`
    : list.map((r) => `const ${inner.type} *a${r} = ${rows.pointer(r)};`).join(' ');
  const at = (r: number): string => (one ? `a + ${r * rows.pitch}` : `a${r}`);
  const next = one ? `a += ${inner.stepA};` : list.map((r) => `a${r} += ${inner.stepA};`).join(' ');
  return `{
    ${pointers}
    ${list.map((r) => `i4 c${r}0 = ${init(r)[0]}, c${r}1 = ${init(r)[1]};`).join(' ')}
    const ${tileType} *b = ${tile}, *const end = b + ${inner.iterations * inner.stepB};
    do {
      ${inner.loads} b += ${inner.stepB};
      ${list.map((r) => inner.update(r, at(r))).join('\n      ')}
      ${next}
    } while (b != end);
    ${inner.result} acc[${8 * mr}];
    ${list.map((r) => `f4_store(acc + ${8 * r}, c${r}0); f4_store(acc + ${8 * r + 4}, c${r}1);`).join(' ')}
    ${rolled(done.rows ?? String(mr), done.use('f4_load(acc + 8 * r)', 'f4_load(acc + 8 * r + 4)'))}
  }`;
}

/** A loop over r that stays a loop. */
export function rolled(count: string, body: string): string {
  return count === '1' ? `{ const i32 r = 0; ${body} }` : `EW_ROLLED for (i32 r = 0; r < ${count}; r++) { ${body} }`;
}

/** What becomes of a tile's results: text for row `r` (a C variable) with its two vectors, and how many rows are real. */
export interface Done {
  readonly rows?: string;
  use(x: string, y: string): string;
}

/** f32: sum over k in order of A[r][k] * B[k][8], started at `init`; the tile is [K][8]. */
export function microF32(k: number, mr: number, rows: Rows, tile: string, init: [string, string], done: Done): string {
  const inner: Inner = {
    type: 'float',
    result: 'float',
    stepA: 1,
    stepB: 8,
    iterations: k,
    loads: 'f4 b0 = f4_load(b), b1 = f4_load(b + 4);',
    update: (r, a) =>
      `{ f4 s = f4_load_splat(${a}); c${r}0 = f4_add(c${r}0, f4_mul(s, b0)); c${r}1 = f4_add(c${r}1, f4_mul(s, b1)); }`,
  };
  return micro(mr, rows, 'float', tile, () => init, inner, done);
}

/** i16 x i16 -> i32 over pairs of k; the tile is [K/2][8][2] i16, or i8 to be widened. `kp` is K rounded up to a multiple of 2. */
export function microI16(
  kp: number,
  mr: number,
  rows: Rows,
  tile: string,
  init: [string, string],
  done: Done,
  tileType: 'i16' | 'i8' = 'i16',
): string {
  const load = tileType === 'i8' ? 'h8_load_i8' : 'h8_load';
  const inner: Inner = {
    type: 'i16',
    result: 'i32',
    stepA: 2,
    stepB: 16,
    iterations: kp / 2,
    loads: `h8 b0 = ${load}(b), b1 = ${load}(b + 8);`,
    update: (r, a) =>
      `{ h8 s = h8_load_splat2(${a}); c${r}0 = i4_add(c${r}0, h8_dot(s, b0)); c${r}1 = i4_add(c${r}1, h8_dot(s, b1)); }`,
  };
  return micro(mr, rows, tileType, tile, () => init, inner, done);
}

/** i8 x u7 -> i32 over quads of k with the relaxed dot product; the tile is [K/4][8][4] u8. */
export function microDot7(
  kp: number,
  mr: number,
  rows: Rows,
  tile: string,
  init: (r: number) => [string, string],
  done: Done,
): string {
  const inner: Inner = {
    type: 'i8',
    result: 'i32',
    stepA: 4,
    stepB: 32,
    iterations: kp / 4,
    loads: 'b16 b0 = b16_load(b), b1 = b16_load(b + 16);',
    update: (r, a) =>
      `{ b16 s = b16_load_splat4(${a}); c${r}0 = b16_dot7(s, b0, c${r}0); c${r}1 = b16_dot7(s, b1, c${r}1); }`,
  };
  return micro(mr, rows, 'u8', tile, init, inner, done);
}

/**
 * Unpacks one unit (16 columns x 8 rows) of `bits`-bit codes into eight vectors v0..v7 of unsigned codes.
 * The bit layout is that of `packWeight` (sdk/wire/layout.ts).
 */
function unpackUnit(bits: number): { text: string; bytes: number } {
  if (bits === 8) {
    return { text: [0, 1, 2, 3, 4, 5, 6, 7].map((i) => `b16 v${i} = b16_load(w + ${16 * i});`).join(' '), bytes: 128 };
  }
  const parts: string[][] = [[], [], [], [], [], [], [], []];
  const lines: string[] = [];
  let at = 0;
  let low = 0;
  const put = (i: number, e: string): void => {
    parts[i]!.push(low === 0 ? e : `b16_shl(${e}, ${low})`);
  };
  const plane = (width: number): void => {
    const vectors = width;
    const fields = 8 / width;
    for (let j = 0; j < vectors; j++) {
      const name = `q${width}_${j}`;
      lines.push(`b16 ${name} = b16_load(w + ${at});`);
      at += 16;
      for (let f = 0; f < fields; f++) {
        const shifted = f === 0 ? name : `b16_shr_u(${name}, ${f * width})`;
        const masked = f === fields - 1 ? shifted : `v_and(${shifted}, b16_splat(${(1 << width) - 1}))`;
        put(j + f * vectors, masked);
      }
    }
    low += width;
  };
  if (bits >= 4) plane(4);
  if (bits & 2) plane(2);
  if (bits & 1) plane(1);
  parts.forEach((p, i) => {
    lines.push(`b16 v${i} = ${p.reduce((x, y) => `v_or(${x}, ${y})`)};`);
  });
  return { text: lines.join(' '), bytes: at };
}

/** Function shared by all kernels of a module, by name. */
export interface Shared {
  readonly name: string;
  readonly text: string;
}

/**
 * `name(w, t, sums, kp)`: one row tile of packed codes to signed i16 pairs [K/2][8][2] at t, and the sum of the
 * codes of each of the eight rows at sums (i32[8]), which the zero-point correction needs.
 */
export function unpackI16(bits: number): Shared {
  const unit = unpackUnit(bits);
  const offset = 2 ** (bits - 1);
  const quads = [0, 1, 2, 3].map((q) => {
    const store = (half: number, pair: number, v: string): string =>
      `{ h8 h = h8_sub(${v}, off); h8_store(t + ${q * 32 + pair * 16 + half * 8}, h); s${half} = i4_add(s${half}, h8_dot(h, one)); }`;
    return [0, 1]
      .map(
        (half) =>
          `{ b16 p = b16_pairs(v${2 * q + half}); ${store(half, 0, 'h8_extend_lo_u8(p)')} ${store(half, 1, 'h8_extend_hi_u8(p)')} }`,
      )
      .join(' ');
  });
  const name = `ew_unpack${bits}_i16`;
  const text = `static void ${name}(const u8 *w, i16 *t, i32 *sums, i32 kp) {
  const h8 off = h8_splat(${offset}), one = h8_splat(1); i4 s0 = i4_splat(0), s1 = i4_splat(0);
  for (i32 k = 0; k < kp; k += 16) {
    ${unit.text}
    ${quads.join('\n    ')}
    w += ${unit.bytes}; t += 128;
  }
  i4_store(sums, s0); i4_store(sums + 4, s1);
}
`;
  return { name, text };
}

/** As unpackI16, but unsigned bytes [K/4][8][4] for the 7-bit dot product; sums are those of the signed codes. */
export function unpackU7(bits: number): Shared {
  const unit = unpackUnit(bits);
  const offset = 2 ** (bits - 1);
  const name = `ew_unpack${bits}_u7`;
  const text = `#ifdef EW_DOT7
static void ${name}(const u8 *w, u8 *t, i32 *sums, i32 kp) {
  const b16 one = b16_splat(1); i4 s0 = i4_splat(0), s1 = i4_splat(0);
  for (i32 k = 0; k < kp; k += 16) {
    ${unit.text}
    ${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `b16_store(t + ${16 * i}, v${i}); s${i & 1} = b16_dot7(one, v${i}, s${i & 1});`).join(' ')}
    w += ${unit.bytes}; t += 128;
  }
  const i4 all = i4_splat(${offset} * kp);
  i4_store(sums, i4_sub(s0, all)); i4_store(sums + 4, i4_sub(s1, all));
}
#endif
`;
  return { name, text };
}

/** Bytes of one packed row tile (8 rows, kp columns). */
export function panelBytes(kp: number, bits: number): number {
  return (kp / 16) * 16 * bits;
}
