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
  /** Iterations, or a C expression of them. */
  readonly iterations: number | string;
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
    const ${tileType} *b = ${tile}, *const end = b + ${typeof inner.iterations === 'number' ? inner.iterations * inner.stepB : `(${inner.iterations}) * ${inner.stepB}`};
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

/** i16 x i16 -> i32 over pairs of k; the tile is [K/2][8][2] i16, or i8 to be widened. `kp` (or a C expression of it) is K rounded up to a multiple of 2. */
export function microI16(
  kp: number | string,
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
    iterations: typeof kp === 'number' ? kp / 2 : `(${kp}) / 2`,
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
