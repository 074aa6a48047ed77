import {
  LIST_LIMIT,
  PANEL_ROWS,
  type PanelLayout,
  startsOf,
  TILES_PER_START,
  type TilePlace,
  tableBytes,
  tileRoom,
  tilesOf,
  unpackTile,
} from './panels.ts';

/**
 * Tiles of panels in a form that is multiplied with one row without being unpacked first: four bits of every code, and a list of where
 * something is to be added to them. An engine makes it of the panels when it loads them, in the room that their slot has for it; a tile for which
 * there is none stays as it is. A code is q = u - 8 + 16 * (sum of what the list says for it).
 *
 *   entry  bytes of the list; its upper bits are 0, which is no width of panels
 *   tile   for every 8 columns 32 bytes: the upper four rows, then the others. A row has four bytes, of which byte i holds u of columns NIBBLES[i], low bits first.
 *   list   places 16 * column + 8 * (1 where -1 is to be added, 0 where 1) + row, ascending, each as the difference to the one before. Two that cancel each
 *          other are put in where that does not fit a byte, so that all are treated alike.
 */
const NIBBLES = [
  [0, 1],
  [4, 5],
  [2, 3],
  [6, 7],
] as const;
const GROUP = 8;
/** Codes of up to so many bits need no list. */
export const ROW_TILE_BITS = 4;
/** Largest difference of two places in a list. Kernels of the first bundles take a 255 for no place, so that there is none. */
const MOST = 254;
/** Longer rows do not fit sums that count sixteen times. */
const MOST_COLUMNS = 1 << 15;
/** A tile of which more has to be added to is faster in panels: share of its codes. */
const MOST_LISTED = 0.06;

/** Bytes of a tile without its list. */
const denseBytes = (cols: number): number => Math.ceil(cols / GROUP) * 4 * PANEL_ROWS;

/** What is to be added to the four bits of a code, in sixteens. */
const above = (q: number): number => (q + 8) >> 4;

/** The list of a tile of codes [8, cols]; undefined when the tile is better off in panels. */
function listOf(codes: Int8Array, cols: number, mostListed: number): number[] | undefined {
  if (cols > MOST_COLUMNS) return undefined;
  const list: number[] = [];
  const most = Math.min(LIST_LIMIT, mostListed * codes.length);
  let last = 0;
  const put = (place: number): void => {
    list.push(place - last);
    last = place;
  };
  const add = (place: number): void => {
    while (place - last > MOST) {
      const one = (last + MOST - PANEL_ROWS) & ~PANEL_ROWS;
      put(one);
      put(one + PANEL_ROWS);
    }
    put(place);
  };
  for (let c = 0; c < cols; c++) {
    for (const sign of [1, -1])
      for (let r = 0; r < PANEL_ROWS; r++)
        for (let n = sign * above(codes[r * cols + c]!); n > 0; n--) add(16 * c + (sign < 0 ? PANEL_ROWS : 0) + r);
    if (list.length > most) return undefined;
  }
  return list;
}

/** Bytes that the tiles of a code matrix [rows, cols], row-major, take more in this form than in panels of the layout. */
export function rowTileRoom(layout: PanelLayout, panels: Uint8Array): number {
  let room = 0;
  forEachTile(layout, panels, MOST_LISTED, ({ place, list }) => {
    if (list) room += Math.max(0, growth(place, list, layout.cols));
  });
  return room;
}

const growth = ({ at, end }: TilePlace, list: readonly number[], cols: number): number =>
  denseBytes(cols) + list.length - (end - at);

interface Tile {
  readonly place: TilePlace;
  readonly codes: Int8Array;
  readonly list: readonly number[] | undefined;
}

function forEachTile(layout: PanelLayout, panels: Uint8Array, mostListed: number, visit: (tile: Tile) => void): void {
  const { cols } = layout;
  const room = tileRoom(cols);
  tilesOf(layout, panels).forEach((place) => {
    const codes = new Int8Array(PANEL_ROWS * cols);
    unpackTile(panels, place, cols, room, codes);
    visit({ place, codes, list: place.height === PANEL_ROWS ? listOf(codes, cols, mostListed) : undefined });
  });
}

/**
 * A block of panels with as many tiles in this form as `layout.room` has room for, those that take least more first.
 * @param mostListed share of a tile's codes above which it is faster in panels, by the engine's kernels.
 * @throws RangeError when the block is not one of this layout.
 */
export function rowTiles(layout: PanelLayout, panels: Uint8Array, mostListed = MOST_LISTED): Uint8Array {
  const { rows, cols, room = 0 } = layout;
  const tiles: Tile[] = [];
  forEachTile(layout, panels, mostListed, (tile) => tiles.push(tile));
  const out = new Uint8Array(panels.length + room);
  const chosen = cheapest(tiles, cols, out.length - tiles.at(-1)!.place.end);
  const view = new DataView(out.buffer);
  const starts = startsOf(tiles.length);
  let at = tableBytes(rows);
  out.set(panels.subarray(0, at));
  tiles.forEach(({ place, codes, list }, i) => {
    if (i > 0 && i % TILES_PER_START === 0) view.setUint32((i / TILES_PER_START - 1) * 4, at, true);
    if (!list || !chosen.has(i)) {
      out.set(panels.subarray(place.at, place.end), at);
      at += place.end - place.at;
      return;
    }
    view.setUint16(4 * starts + 2 * i, list.length, true);
    packNibbles(codes, cols, out.subarray(at));
    at += denseBytes(cols);
    out.set(list, at);
    at += list.length;
  });
  return out;
}

/** Tiles that change their form in so many bytes. */
function cheapest(tiles: readonly Tile[], cols: number, room: number): Set<number> {
  const growths = tiles.flatMap(({ place, list }, i) => (list ? [{ i, more: growth(place, list, cols) }] : []));
  growths.sort((a, b) => a.more - b.more || a.i - b.i);
  let left = room;
  const fit = growths.filter(({ more }) => {
    if (more > left) return false;
    left -= more;
    return true;
  });
  return new Set(fit.map(({ i }) => i));
}

function packNibbles(codes: Int8Array, cols: number, out: Uint8Array): void {
  const bits = (r: number, c: number): number => (c < cols ? (codes[r * cols + c]! + 8) & 15 : 8);
  let at = 0;
  for (let c = 0; c < cols; c += GROUP)
    for (let r = 0; r < PANEL_ROWS; r++)
      for (const [low, high] of NIBBLES) out[at++] = bits(r, c + low) | (bits(r, c + high) << 4);
}
