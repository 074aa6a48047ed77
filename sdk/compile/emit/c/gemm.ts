/**
 * Matrix products: 4 rows x 8 channels in registers, as the register budget of WebAssembly engines wants it (loads plus
 * accumulators of one basic block <= 15, no unrolling along k, accumulators in named scalars). Where the vocabulary has sums of
 * eight channels (`Vectors.sums`), integer products go several columns at a time, in the form that the instruction set likes.
 * Every function here returns C text; the callers supply how rows of A are found and where results go.
 */

const ROWS = [0, 1, 2, 3] as const;
export const MR = 4;
export const NR = 8;

/** How many rows a micro-kernel computes at once for a product with `rows` rows. */
export function rowsPerTile(rows: number): number {
  return Math.min(MR, rows);
}

/** The same where tiles may have three rows: those of nine, say, are three such tiles, and of four rows they would be three with a whole one in vain. */
export function fittingRows(rows: number): number {
  const cost = (r: number): number => Math.ceil(rows / r) * (r + TILE_COST);
  return rows > MR && cost(MR - 1) < cost(MR) ? MR - 1 : rowsPerTile(rows);
}

/** Rows of a micro-kernel, so that few of them are left over; a call takes as long as a row more. */
export function rowsAtOnce(m: number, most: number): number {
  const cost = (r: number): number => Math.ceil(m / r) * (r + 1);
  let best = Math.min(most, m);
  for (let r = best - 1; r > most / 2; r--) if (cost(r) < cost(best)) best = r;
  return best;
}

/** What begins and ends a tile takes, in rows. */
const TILE_COST = 0.25;

/**
 * Where the rows of A are. With a constant pitch one pointer serves all rows, and row r is a constant offset in the
 * load instruction; otherwise every row has its own pointer.
 */
export type Rows =
  | { readonly base: string; readonly pitch: number; readonly pieces?: Pieces }
  | { readonly pointer: (r: number) => string };

/** Rows in several pieces of `length` elements, each `apart` from the last one. */
export interface Pieces {
  readonly count: number;
  readonly length: number;
  readonly apart: number;
}

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
  /** Declares the accumulators of a row. */
  readonly start: (row: number) => string;
  /** The two vectors of results of a row. */
  readonly results: (row: number) => [string, string];
  /** Another loop in place of this one, where a C expression says so. */
  readonly instead?: { readonly where: string; readonly loop: Loop };
  /** A third one, which does without what is done `before` the other two. */
  readonly apart?: { readonly where: string; readonly loop: Loop };
  readonly before?: string;
}

/** Text of a loop over a piece of the rows, up to `end`; `next` moves all pointers to rows on. */
type Loop = (at: (row: number) => string, next: string) => string;

/** The loop all three products share. Where fewer rows may be real, results pass through a small array, so that the text that uses them stands once. */
function micro(mr: number, rows: Rows, tileType: string, tile: string, inner: Inner, done: Done): string {
  const list = ROWS.slice(0, mr);
  const one = 'pitch' in rows;
  const pointers = one
    ? `const ${inner.type} *a = ${rows.base};`
    : list.map((r) => `const ${inner.type} *a${r} = ${rows.pointer(r)};`).join(' ');
  const at = (r: number): string => (one ? `a + ${r * rows.pitch}` : `a${r}`);
  const next = one ? `a += ${inner.stepA};` : list.map((r) => `a${r} += ${inner.stepA};`).join(' ');
  const store = (r: number): string =>
    inner
      .results(r)
      .map((v, half) => `f4_store(acc + ${8 * r + 4 * half}, ${v});`)
      .join(' ');
  const collected = (count: string): string => `${inner.result} acc[${8 * mr}];
    ${list.map(store).join(' ')}
    ${rolled(count, done.use('f4_load(acc + 8 * r)', 'f4_load(acc + 8 * r + 4)'))}`;
  const pieces = 'pitch' in rows ? rows.pieces : undefined;
  const steps: Loop = () => `do {
      EW_POINTER(b);${one ? ' EW_POINTER(a);' : ''}
      ${inner.loads} b += ${inner.stepB};
      ${list.map((r) => inner.update(r, at(r))).join('\n      ')}
      ${next}
    } while (b != end);`;
  const loop = (
    iterations: number | string,
    text: Loop,
  ): string => `const ${tileType} *const end = b + ${typeof iterations === 'number' ? iterations * inner.stepB : `(${iterations}) * ${inner.stepB}`};
    ${text(at, next)}`;
  const whole = (text: Loop): string =>
    pieces
      ? `EW_ROLLED for (i32 piece = 0; piece < ${pieces.count}; piece++) { ${loop(pieces.length / inner.stepA, text)} a += ${pieces.apart - pieces.length}; }`
      : loop(inner.iterations, text);
  const others = inner.instead
    ? `if (${inner.instead.where}) { ${whole(inner.instead.loop)} } else { ${whole(steps)} }`
    : whole(steps);
  return `{
    ${pointers}
    ${list.map(inner.start).join(' ')}
    const ${tileType} *b = ${tile};
    ${inner.apart ? `if (${inner.apart.where}) { ${whole(inner.apart.loop)} } else { ${inner.before ?? ''} ${others} }` : others}
    ${done.rows ? collected(done.rows) : list.map((r) => `{ const i32 r = ${r}; ${done.use(...inner.results(r))} }`).join('\n    ')}
  }`;
}

/** Accumulators in two vectors a row, which begin with what the results begin with. */
function plainSums(init: (r: number) => [string, string]): Pick<Inner, 'start' | 'results'> {
  return {
    start: (r) => `i4 c${r}0 = ${init(r)[0]}, c${r}1 = ${init(r)[1]};`,
    results: (r) => [`c${r}0`, `c${r}1`],
  };
}

/**
 * The same, which begin with eight integers in memory. Engines that see that rows begin with the same vectors keep sums in memory throughout
 * the loop; they do not see it where vectors are loaded.
 */
function loadedSums(start: string, first = ''): Pick<Inner, 'start' | 'results'> {
  return {
    start: (r) =>
      `${r === 0 ? first : ''} EW_POINTER(${start}); i4 c${r}0 = i4_load(${start}), c${r}1 = i4_load(${start} + 4);`,
    results: plainSums(() => ['', '']).results,
  };
}

/** Eight vectors of the tile, and the accumulators of a row in the form of the instruction set. */
function wideSums(
  kind: 'sum7' | 'sum16',
  load: (i: number) => string,
  init: (r: number) => [string, string],
): Pick<Inner, 'start' | 'results' | 'loads' | 'update'> {
  const vectors = [0, 1, 2, 3, 4, 5, 6, 7];
  return {
    start: (r) => `${kind} c${r} = ${kind}_zero();`,
    loads: `const b16 ${vectors.map((i) => `b${i} = ${load(i)}`).join(', ')};`,
    update: (r, a) => `c${r} = ${kind}_add(c${r}, ${a}, ${vectors.map((i) => `b${i}`).join(', ')});`,
    results: (r) => [`i4_add(${kind}_lo(c${r}), ${init(r)[0]})`, `i4_add(${kind}_hi(c${r}), ${init(r)[1]})`],
  };
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
    ...plainSums(() => init),
    loads: 'f4 b0 = f4_load(b), b1 = f4_load(b + 4);',
    update: (r, a) =>
      `{ f4 s = f4_load_splat(${a}); c${r}0 = f4_add(c${r}0, f4_mul(s, b0)); c${r}1 = f4_add(c${r}1, f4_mul(s, b1)); }`,
  };
  return micro(mr, rows, 'float', tile, inner, done);
}

/** Iterations over `kp` columns, a number or a C expression, `step` at a time. */
const stepsOf = (kp: number | string, step: number): number | string =>
  typeof kp === 'number' ? kp / step : `(${kp}) / ${step}`;

/**
 * i16 x i16 -> i32; the tile is [K/2][8][2] i16, or i8 to be widened. `kp` (or a C expression of it) is K rounded up to a multiple of
 * 2, of 8 with `sums`: the vocabulary has sums of eight channels.
 */
export function microI16(
  sums: boolean,
  kp: number | string,
  mr: number,
  rows: Rows,
  tile: string,
  init: [string, string],
  done: Done,
  tileType: 'i16' | 'i8' = 'i16',
): string {
  const load = tileType === 'i8' ? 'h8_load_i8' : 'h8_load';
  const shared = { type: 'i16', result: 'i32' } as const;
  const inner: Inner = sums
    ? {
        ...shared,
        stepA: 8,
        stepB: 64,
        iterations: stepsOf(kp, 8),
        ...wideSums(
          'sum16',
          (i) => `${load}(b + ${8 * i})`,
          () => init,
        ),
      }
    : {
        ...shared,
        stepA: 2,
        stepB: 16,
        iterations: stepsOf(kp, 2),
        ...plainSums(() => init),
        loads: `h8 b0 = ${load}(b), b1 = ${load}(b + 8);`,
        update: (r, a) =>
          `{ h8 s = h8_load_splat2(${a}); c${r}0 = i4_add(c${r}0, h8_dot(s, b0)); c${r}1 = i4_add(c${r}1, h8_dot(s, b1)); }`,
      };
  return micro(mr, rows, tileType, tile, inner, done);
}

/** Sums in 16 bits over steps of signed codes (dot7-chains.ts): a pointer variable to how many steps each chain has, and whether there are 0s. */
export interface SignedChains {
  readonly lengths: string;
  readonly halves: boolean;
}

/** The loop of `microDot7` with such chains: codes are the operand with a sign, activations the one without. */
function signedChains(mr: number, { halves }: SignedChains): Loop {
  const list = ROWS.slice(0, mr);
  return (at, next) => {
    const step = (update: (lane: string, half: number) => string): string =>
      `{ EW_POINTER(b); EW_POINTER(a); const b16 b0 = b16_load(b), b1 = b16_load(b + 16); b += 32;
      ${list.map((r) => `{ const b16 s = b16_load_splat4(${at(r)}); ${[0, 1].map((h) => update(`${r}${h}`, h)).join(' ')} }`).join('\n      ')}
      ${next} }`;
    const half = (i: string, mask: string, h: number): string =>
      `c${i} = i4_add_pairs(c${i}, h8_dot7(v_and(b${h}, h8_splat(${mask})), s));`;
    const apart = `if (steps == 0) ${step((i, h) => `${half(i, '0xff', h)} ${half(i, '-0x100', h)}`)} else `;
    return `do {
      const i32 steps = *length++;
      ${halves ? apart : ''}{
        const u8 *const stop = b + 32 * steps;
        h8 ${list.map((r) => `s${r}0, s${r}1`).join(', ')};
        ${step((i, h) => `s${i} = h8_dot7(b${h}, s);`)}
        EW_ROLLED while (b != stop) ${step((i, h) => `s${i} = h8_add(s${i}, h8_dot7(b${h}, s));`)}
        ${list.map((r) => `c${r}0 = i4_add_pairs(c${r}0, s${r}0); c${r}1 = i4_add_pairs(c${r}1, s${r}1);`).join(' ')}
      }
    } while (b != end);`;
  };
}

/** Sums of rows of activations times what codes are offset by, which products with codes offset to 7 bits begin with beside the rest (C expression). */
export type RowSums = (row: number) => string;

/** Where the dot product of bytes takes 8 bits (C expression), and a pointer variable to what sums begin with. */
export interface Eight {
  readonly where: string;
  readonly start: string;
  /** How it sums in 16 bits, where engines want that (`ew_chained`). */
  readonly chains?: SignedChains | undefined;
}

export interface Dot7Options {
  readonly eight?: Eight | undefined;
  /** Engines that sum in 16 bits come here without chains. */
  readonly chained?: boolean;
}

/**
 * i8 x u7 -> i32 with the dot product of bytes; the tile is [K/4][8][4] u8, `kp` is K rounded up to a multiple of 4, of 16 with
 * `sums`. Where `eight` says so, the tile has signed codes of up to 8 bits, and activations are the operand that may have no sign.
 */
export function microDot7(
  sums: boolean,
  kp: number,
  mr: number,
  rows: Rows,
  tile: string,
  init: readonly [string, string],
  rowSums: RowSums | undefined,
  done: Done,
  { eight, chained }: Dot7Options = {},
): string {
  const shared = { type: 'i8', result: 'i32' } as const;
  const begin = (r: number): [string, string] =>
    rowSums
      ? [`i4_add(${init[0]}, i4_splat(${rowSums(r)}))`, `i4_add(${init[1]}, i4_splat(${rowSums(r)}))`]
      : [...init];
  if (sums) {
    const loop = wideSums('sum7', (i) => `b16_load(b + ${16 * i})`, begin);
    return micro(mr, rows, 'u8', tile, { ...shared, stepA: 16, stepB: 128, iterations: kp / 16, ...loop }, done);
  }
  const list = ROWS.slice(0, mr);
  const update =
    (dot: (s: string, b: string, c: string) => string) =>
    (r: number, a: string): string =>
      `{ b16 s = b16_load_splat4(${a}); c${r}0 = ${dot('s', 'b0', `c${r}0`)}; c${r}1 = ${dot('s', 'b1', `c${r}1`)}; }`;
  const seven = update((s, b, c) => `b16_dot7(${s}, ${b}, ${c})`);
  const signed = update((s, b, c) => `b16_dot7(${b}, ${s}, ${c})`);
  const loads = 'b16 b0 = b16_load(b), b1 = b16_load(b + 16);';
  const both = eight !== undefined && rowSums !== undefined;
  const chains = eight?.chains;
  const stepByStep =
    (update: (r: number, a: string) => string): Loop =>
    (at, next) =>
      `do {
      EW_POINTER(b); EW_POINTER(a);
      ${loads} b += 32;
      ${list.map((r) => update(r, at(r))).join('\n      ')}
      ${next}
    } while (b != end);`;
  const whole = stepByStep(signed);
  const alone = eight?.where === 'ew_chained';
  const apart: Loop = (at, next) =>
    chains && alone
      ? signedChains(mr, chains)(at, next)
      : chains
        ? `if (ew_chained) { ${signedChains(mr, chains)(at, next)} } else { ${whole(at, next)} }`
        : whole(at, next);
  const pairs = update((s, b, c) => `ew_add7(${s}, ${b}, ${c})`);
  const inner: Inner = {
    ...shared,
    stepA: 4,
    stepB: 32,
    iterations: kp / 4,
    ...(both
      ? {
          apart: { where: eight.where, loop: apart },
          before: list
            .map(
              (r) =>
                `{ const i4 s = i4_splat(${rowSums(r)}); c${r}0 = i4_add(c${r}0, s); c${r}1 = i4_add(c${r}1, s); }`,
            )
            .join(' '),
        }
      : {}),
    ...(chained ? { instead: { where: 'ew_chained', loop: stepByStep(pairs) } } : {}),
    ...(!both && chains ? { instead: { where: 'ew_chained', loop: signedChains(mr, chains) } } : {}),
    ...(eight === undefined
      ? plainSums(begin)
      : loadedSums(eight.start, chains && `const u8 *length = ${chains.lengths};`)),
    loads,
    update: eight !== undefined && !both ? signed : seven,
  };
  return micro(mr, rows, 'u8', tile, inner, done);
}
