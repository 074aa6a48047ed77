import type { WeightLayout } from './program.ts';

/**
 * Weight codes as kernels read them: dense and sparse (the split of SqueezeLLM, arXiv 2306.07629, made exact). Every tile of 8
 * rows holds its codes at a width b of its own, as u = q + 2^(b-1); codes of 2^(b-1) or more are u = 0 there, and what they
 * are is listed behind. A few wide codes so cost a few bits each, not a bit for every code.
 *
 *   block    u32 start[ceil(tiles / 16) - 1], of tiles 16, 32, ... from the begin of the block; u16 entry[tiles]; tiles
 *   entry    bytes of the tile's list | (b - 1) << 13
 *   tile     units | rest | list
 *   units    only in tiles of 8 rows: 16 * b bytes for every 16 whole columns
 *   rest     the other columns: b bits a code, [column][row], low bits first, filled to a whole byte
 *   list     empty, or a byte w | t << 4 and then the listed codes in the order of tileIndex, each e = (|q| - 2^(b-1)) << 1 | (q < 0)
 *            in w bits, low bits first; where t > 0 and e >= 2^w - 1 the w bits are ones, and t bits of e - (2^w - 1) lie at the end
 *            of the list: the first of these highest, the next one below it. At most half of a tile's codes are listed.
 *
 * A unit is eight vectors of 16 codes, V_0 .. V_7, in the order of tileIndex. The b bits of a code are split into planes, low bits
 * first, in memory in this order:
 *   8 bits:  V_0 .. V_7                                            128 bytes (b = 8 only)
 *   4 bits:  V_i | V_(i+4) << 4                        i = 0..3     64 bytes (b >= 4)
 *   2 bits:  V_i | V_(i+2) << 2 | V_(i+4) << 4 | V_(i+6) << 6   i = 0..1     32 bytes (b & 2)
 *   1 bit:   V_0 | V_1 << 1 | ... | V_7 << 7                        16 bytes (b & 1)
 */
export const PANEL_ROWS = 8;
export const PANEL_COLS = 16;
/** Tiles from one start in the table to the next. */
export const TILES_PER_START = 16;
/** Bits of an entry that count the bytes of the tile's list. */
export const LIST_BITS = 13;

/** Bytes of a list at most. */
export const LIST_LIMIT = (1 << LIST_BITS) - 1;
const WIDTHS: readonly number[] = [2, 3, 4, 5, 6, 7, 8];
const WIDEST = 8;
const VECTOR = 16;
const UNIT_CODES = PANEL_ROWS * PANEL_COLS;

export type PanelLayout = Extract<WeightLayout, { kind: 'panels' }>;

/** Place of (row 0..7, column) in an unpacked tile [column / 4][row][column % 4]. */
const tileIndex = (r: number, c: number): number => (c >> 2) * 32 + r * 4 + (c & 3);

/** Widths of the bit planes of b-bit codes, in memory order; the code's bits go to them from the low end. */
export function planesOf(bits: number): number[] {
  if (!Number.isInteger(bits) || bits < 2 || bits > 8)
    throw new RangeError(`panels hold 2 to 8 bits a code, not ${bits}`);
  if (bits === 8) return [8];
  return [bits & 4, bits & 2, bits & 1].filter((width) => width > 0);
}

/** Smallest width (2..8) that holds a code itself: |q| < 2^(b-1). */
const widthOf = (q: number): number => Math.max(2, 33 - Math.clz32(Math.abs(q)));

/** How a listed code is written, for tiles whose codes are below `zero`. */
const listed = (q: number, zero: number): number => ((Math.abs(q) - zero) << 1) | (q < 0 ? 1 : 0);

/**
 * Whether the codes are those that the layout was made for, or coarser ones (sdk/util/nested.ts) that may leave some of its bytes
 * unused.
 */
export type PanelFit = 'exact' | 'within';

/** How a tile is held. */
interface TilePlan {
  readonly bits: number;
  readonly list: ListPlan;
}

interface ListPlan {
  readonly bytes: number;
  /** Codes listed. */
  readonly count: number;
  /** Bits a code, and bits more of those that have none left to say it with; 0 when all do. */
  readonly width: number;
  readonly tail: number;
}

const NOTHING_LISTED: ListPlan = { bytes: 0, count: 0, width: 0, tail: 0 };
const lengthOf = (n: number): number => 32 - Math.clz32(n);

/** Bytes of the starts and entries before the tiles. */
export function tableBytes(rows: number): number {
  const tiles = Math.ceil(rows / PANEL_ROWS);
  return 4 * startsOf(tiles) + 2 * tiles;
}

/** Starts in the table. */
export const startsOf = (tiles: number): number => Math.ceil(tiles / TILES_PER_START) - 1;
const heightAt = (rows: number, row: number): number => Math.min(PANEL_ROWS, rows - row);
const denseBytes = (bits: number, height: number, cols: number): number => Math.ceil((bits * height * cols) / 8);

/**
 * The form of the tile at `row` with one of `widths` that takes least, a listed code counted as one bit more than it has because
 * it takes time (unless only the bytes matter); of equal ones the widest. Undefined when too many codes fit none.
 */
function planTile(
  codes: Int8Array,
  rows: number,
  cols: number,
  row: number,
  widths: readonly number[],
  fit: PanelFit,
): TilePlan | undefined {
  const height = heightAt(rows, row);
  const wide = wideCodes(codes.subarray(row * cols, (row + height) * cols));
  let best: TilePlan | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const bits of widths) {
    const list = planList(wide, 1 << (bits - 1));
    const cost = 8 * (denseBytes(bits, height, cols) + list.bytes) + (fit === 'exact' ? list.count : 0);
    if (list.bytes > LIST_LIMIT || 2 * list.count > height * cols || cost > least) continue;
    best = { bits, list };
    least = cost;
  }
  return best;
}

/** Numbers of codes >= m and <= -m for m = 0 .. 128. */
interface WideCodes {
  readonly positive: Uint32Array;
  readonly negative: Uint32Array;
}

function wideCodes(codes: Int8Array): WideCodes {
  const positive = new Uint32Array(129);
  const negative = new Uint32Array(129);
  for (let i = 0; i < codes.length; i++) {
    const q = codes[i]!;
    if (q < 0) negative[-q]!++;
    else positive[q]!++;
  }
  for (let m = 127; m >= 0; m--) {
    positive[m]! += positive[m + 1]!;
    negative[m]! += negative[m + 1]!;
  }
  return { positive, negative };
}

/** The shortest list of codes of `zero` and more; of equal ones the one with the fewest tails. */
function planList({ positive, negative }: WideCodes, zero: number): ListPlan {
  const count = positive[zero]! + negative[zero]!;
  if (count === 0) return NOTHING_LISTED;
  let top = 128;
  while (positive[top]! + negative[top]! === 0) top--;
  const most = listed(negative[top]! > 0 ? -top : top, zero);
  let width = Math.max(1, lengthOf(most));
  let least = count * width;
  let tail = 0;
  for (let w = width - 1; w > 0; w--) {
    const t = lengthOf(most - (2 ** w - 1));
    // e >= 2^w - 1, which is odd: a negative code.
    const long = zero + 2 ** (w - 1) - 1;
    const bits = count * w + (negative[long]! + positive[long + 1]!) * t;
    if (bits >= least) continue;
    [width, tail, least] = [w, t, bits];
  }
  return { bytes: 1 + Math.ceil(least / 8), count, width, tail };
}

function planTiles(
  codes: Int8Array,
  rows: number,
  cols: number,
  widths: readonly number[],
  fit: PanelFit,
): TilePlan[] | undefined {
  const out: TilePlan[] = [];
  for (let row = 0; row < rows; row += PANEL_ROWS) {
    const tile = planTile(codes, rows, cols, row, widths, fit);
    if (!tile) return undefined;
    out.push(tile);
  }
  return out;
}

/** The tiles in their smallest forms: there always is one with the widest codes. */
const smallestTiles = (codes: Int8Array, rows: number, cols: number): TilePlan[] =>
  planTiles(codes, rows, cols, WIDTHS, 'exact')!;

function blockBytes(plans: readonly TilePlan[], rows: number, cols: number): number {
  return plans.reduce(
    (sum, t, i) => sum + t.list.bytes + denseBytes(t.bits, heightAt(rows, PANEL_ROWS * i), cols),
    tableBytes(rows),
  );
}

/**
 * The smallest layout of a code matrix [rows, cols], row-major.
 * @throws RangeError for a code of -128: codes are as wide on both sides of 0.
 */
export function panelLayout(codes: Int8Array, rows: number, cols: number): PanelLayout {
  let bits = 2;
  for (const q of codes) bits = Math.max(bits, widthOf(q));
  if (bits > WIDEST) throw new RangeError(`a code of -128 does not fit ${WIDEST} bits`);
  const plans = smallestTiles(codes, rows, cols);
  const used = new Set(plans.map((t) => t.bits));
  const widths = WIDTHS.filter((b) => used.has(b));
  return { kind: 'panels', rows, cols, bits, widths, bytes: blockBytes(plans, rows, cols) };
}

/** A layout that holds any codes: its size does not depend on them. */
export function widestPanels(rows: number, cols: number): PanelLayout {
  const layout: PanelLayout = { kind: 'panels', rows, cols, bits: WIDEST, widths: [WIDEST], bytes: 0 };
  return { ...layout, bytes: leastPanelBytes(layout) };
}

/** Resident bytes of weight codes [rows, cols], row-major: those of panelLayout. */
export function residentCodeBytes(codes: Int8Array, rows: number, cols: number): number {
  return blockBytes(smallestTiles(codes, rows, cols), rows, cols);
}

function leastPanelBytes({ rows, cols, widths }: PanelLayout): number {
  const whole = Math.floor(rows / PANEL_ROWS);
  const width = Math.min(...widths);
  return tableBytes(rows) + whole * denseBytes(width, PANEL_ROWS, cols) + denseBytes(width, rows % PANEL_ROWS, cols);
}

/** Whether `bytes` can be the size of such a block, whatever its codes are. */
export function isPanelSize(layout: PanelLayout): boolean {
  const tiles = Math.ceil(layout.rows / PANEL_ROWS);
  const most = tableBytes(layout.rows) + tiles * (denseBytes(WIDEST, PANEL_ROWS, layout.cols) + LIST_LIMIT);
  return layout.bytes >= leastPanelBytes(layout) && layout.bytes <= most;
}

/** Whether coarser codes fit into the layout of the codes they stand for. */
export function fitsWithin({ rows, cols, widths, bytes }: PanelLayout, codes: Int8Array): boolean {
  const plans = planTiles(codes, rows, cols, widths, 'within');
  return plans !== undefined && blockBytes(plans, rows, cols) <= bytes;
}

/** @throws RangeError when a code does not fit the layout's bits, or the block does not get its size. */
export function packPanels(layout: PanelLayout, codes: Int8Array, fit: PanelFit = 'exact'): Uint8Array {
  const { rows, cols, bits, widths } = layout;
  const most = (1 << (bits - 1)) - 1;
  for (let i = 0; i < codes.length; i++) {
    const q = codes[i]!;
    if (q > most || q < -most) throw new RangeError(`code ${q} at ${i} does not fit ${bits} bits`);
  }
  const plans = planTiles(codes, rows, cols, widths, fit);
  if (!plans) throw new RangeError(`most codes of a tile fit none of ${widths.join(', ')} bits`);
  const bytes = blockBytes(plans, rows, cols);
  if (fit === 'exact' ? bytes !== layout.bytes : bytes > layout.bytes)
    throw new RangeError(`the codes take ${bytes} bytes, not the ${layout.bytes} stated`);
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  const entries = 4 * startsOf(plans.length);
  let at = tableBytes(rows);
  const tile = new Int8Array(PANEL_ROWS * Math.ceil(cols / PANEL_COLS) * PANEL_COLS);
  plans.forEach((plan, i) => {
    if (i > 0 && i % TILES_PER_START === 0) view.setUint32((i / TILES_PER_START - 1) * 4, at, true);
    view.setUint16(entries + 2 * i, plan.list.bytes | ((plan.bits - 1) << LIST_BITS), true);
    const height = heightAt(rows, PANEL_ROWS * i);
    tile.fill(0);
    for (let r = 0; r < height; r++) {
      const from = (PANEL_ROWS * i + r) * cols;
      for (let c = 0; c < cols; c++) tile[tileIndex(r, c)] = codes[from + c]!;
    }
    at = packTile(tile, height, cols, plan, out, at);
  });
  return out;
}

/** Writes a tile, given in the order of tileIndex, and returns the place after it. */
function packTile(
  tile: Int8Array,
  height: number,
  cols: number,
  { bits, list }: TilePlan,
  out: Uint8Array,
  start: number,
): number {
  const zero = 1 << (bits - 1);
  const held = new Uint8Array(tile.length);
  for (let i = 0; i < tile.length; i++) {
    const q = tile[i]!;
    held[i] = q < zero && q > -zero ? q + zero : 0;
  }
  const whole = wholeColumns(height, cols);
  const planes = planesOf(bits);
  const words = new Uint32Array(held.buffer);
  const unit = new Uint32Array((VECTOR / 4) * bits);
  const unitBytes = new Uint8Array(unit.buffer);
  let at = start;
  for (let i = 0; i < PANEL_ROWS * whole; i += UNIT_CODES) {
    packUnit(words, i / 4, planes, unit);
    out.set(unitBytes, at);
    at += unitBytes.length;
  }
  let bit = 8 * at;
  for (let c = whole; c < cols; c++) {
    for (let r = 0; r < height; r++, bit += bits) putBits(out, bit, held[tileIndex(r, c)]!);
  }
  at = Math.ceil(bit / 8);
  if (list.count > 0) packList(tile, zero, list, out, at);
  return at + list.bytes;
}

function packList(tile: Int8Array, zero: number, list: ListPlan, out: Uint8Array, start: number): void {
  out[start] = list.width | (list.tail << 4);
  const ones = 2 ** list.width - 1;
  let bit = 8 * (start + 1);
  let end = 8 * (start + list.bytes);
  for (const q of tile) {
    if (Math.abs(q) < zero) continue;
    const e = listed(q, zero);
    const long = list.tail > 0 && e >= ones;
    putBits(out, bit, long ? ones : e);
    bit += list.width;
    if (!long) continue;
    end -= list.tail;
    putBits(out, end, e - ones);
  }
}

/** Sets a value of up to 8 bits at bit `bit` of zeroed memory. */
function putBits(out: Uint8Array, bit: number, value: number): void {
  const word = value << (bit & 7);
  out[bit >> 3]! |= word & 0xff;
  if (word > 0xff) out[(bit >> 3) + 1]! |= word >> 8;
}

/** The value of `bits` (1..8) bits at bit `bit` of `bytes`; bits beyond the end are 0. */
function bitsAt(bytes: Uint8Array, bit: number, bits: number): number {
  const at = bit >> 3;
  const word = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
  return (word >> (bit & 7)) & ((1 << bits) - 1);
}

/** Columns of a tile that are held in units. */
const wholeColumns = (height: number, cols: number): number =>
  height === PANEL_ROWS ? Math.floor(cols / PANEL_COLS) * PANEL_COLS : 0;

/** Four codes at a time: shifts and masks stay inside the bytes of a word, so the byte order of the machine does not matter. */
function packUnit(held: Uint32Array, from: number, planes: readonly number[], out: Uint32Array): void {
  let at = 0;
  let shift = 0;
  for (const width of planes) {
    const mask = ((1 << width) - 1) * 0x01010101;
    const words = (VECTOR / 4) * width;
    for (let j = 0; j < words; j++) {
      let word = 0;
      // Word j of the plane takes four codes out of every 16 * width codes of the unit.
      for (let i = j, to = 0; i < UNIT_CODES / 4; i += words, to += width)
        word |= ((held[from + i]! >>> shift) & mask) << to;
      out[at + j] = word;
    }
    at += words;
    shift += width;
  }
}

/** Where a tile lies in a block, and what its entry says. */
export interface TilePlace {
  readonly at: number;
  readonly end: number;
  readonly height: number;
  readonly bits: number;
  readonly listBytes: number;
}

/**
 * The tiles of a block, in order.
 * @throws RangeError when the block is not one that packPanels makes of this layout.
 */
export function tilesOf({ rows, cols, widths }: PanelLayout, bytes: Uint8Array): TilePlace[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tiles = Math.ceil(rows / PANEL_ROWS);
  const entries = 4 * startsOf(tiles);
  let end = tableBytes(rows);
  return Array.from({ length: tiles }, (_, i) => {
    const at = end;
    if (i > 0 && i % TILES_PER_START === 0 && view.getUint32((i / TILES_PER_START - 1) * 4, true) !== at)
      throw new RangeError(`tile ${i} does not start where the table says`);
    const entry = view.getUint16(entries + 2 * i, true);
    const bits = (entry >> LIST_BITS) + 1;
    if (!widths.includes(bits)) throw new RangeError(`tile ${i} has codes of ${bits} bits`);
    const height = heightAt(rows, PANEL_ROWS * i);
    const listBytes = entry & LIST_LIMIT;
    end = at + denseBytes(bits, height, cols) + listBytes;
    return { at, end, height, bits, listBytes };
  });
}

/** The codes of a tile, [height, cols]; `tile` is room for 8 rows of whole units. */
export function unpackTile(
  bytes: Uint8Array,
  { at, end, height, bits, listBytes }: TilePlace,
  cols: number,
  tile: Int8Array,
  out: Int8Array,
): void {
  tile.fill(0);
  unpackDense(bytes.subarray(at, end - listBytes), height, cols, bits, tile);
  unpackList(bytes.subarray(end - listBytes, end), 1 << (bits - 1), tile);
  for (let r = 0; r < height; r++) for (let c = 0; c < cols; c++) out[r * cols + c] = tile[tileIndex(r, c)]!;
}

/** Room that `unpackTile` wants. */
export const tileRoom = (cols: number): Int8Array =>
  new Int8Array(PANEL_ROWS * Math.ceil(cols / PANEL_COLS) * PANEL_COLS);

/**
 * The codes of a block, into `out` [rows, cols].
 * @throws RangeError when the block is not one that packPanels makes of this layout.
 */
export function unpackPanels(layout: PanelLayout, bytes: Uint8Array, out: Int8Array): void {
  const { cols } = layout;
  const tile = tileRoom(cols);
  const places = tilesOf(layout, bytes);
  places.forEach((place, i) => {
    unpackTile(bytes, place, cols, tile, out.subarray(PANEL_ROWS * i * cols));
  });
  const end = places.at(-1)!.end;
  if (end !== bytes.length) throw new RangeError(`the block has ${bytes.length} bytes, its tiles ${end}`);
}

function unpackDense(bytes: Uint8Array, height: number, cols: number, bits: number, tile: Int8Array): void {
  const zero = 1 << (bits - 1);
  const whole = wholeColumns(height, cols);
  const planes = planesOf(bits);
  const unit = new Uint8Array(UNIT_CODES);
  let at = 0;
  for (let i = 0; i < PANEL_ROWS * whole; i += UNIT_CODES) {
    at = unpackUnit(bytes, at, planes, unit);
    tile.set(
      unit.map((u) => u - zero),
      i,
    );
  }
  for (let c = whole, bit = 8 * at; c < cols; c++) {
    for (let r = 0; r < height; r++, bit += bits) tile[tileIndex(r, c)] = bitsAt(bytes, bit, bits) - zero;
  }
}

/** Puts the listed codes where the tile has -zero, which stands for them. */
function unpackList(list: Uint8Array, zero: number, tile: Int8Array): void {
  const head = list.length === 0 ? 0 : list[0]!;
  const [width, tail] = [head & 15, head >> 4];
  if (width > 8 || tail > 8 || (list.length > 0 && width === 0))
    throw new RangeError(`a list has codes of ${width} and ${tail} bits`);
  const ones = 2 ** width - 1;
  let bit = 8;
  let end = 8 * list.length;
  for (let i = 0; i < tile.length; i++) {
    if (tile[i] !== -zero) continue;
    let e = bitsAt(list, bit, width);
    bit += width;
    if (tail > 0 && e === ones) {
      end -= tail;
      e += end < 0 ? 0 : bitsAt(list, end, tail);
    }
    if (bit > end || width === 0) throw new RangeError('a list is too short for its tile');
    const q = (e >> 1) + zero;
    if (q > 127) throw new RangeError(`a list holds the code ${q}`);
    tile[i] = e & 1 ? -q : q;
  }
  if (end - bit >= 8) throw new RangeError('a list is too long for its tile');
}

function unpackUnit(bytes: Uint8Array, start: number, planes: readonly number[], unit: Uint8Array): number {
  let at = start;
  let shift = 0;
  unit.fill(0);
  for (const width of planes) {
    const mask = (1 << width) - 1;
    const planeBytes = VECTOR * width;
    for (let i = 0; i < UNIT_CODES; i++) {
      const group = Math.floor(i / planeBytes);
      unit[i]! |= ((bytes[at + (i % planeBytes)]! >> (group * width)) & mask) << shift;
    }
    at += planeBytes;
    shift += width;
  }
  return at;
}
