import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Rng } from '../../../sdk/util/rng.ts';
import { LIST_BITS, PANEL_ROWS, packPanels, panelLayout, tilesOf } from '../../../sdk/wire/panels.ts';
import { rowTileRoom, rowTiles } from '../../../sdk/wire/row-tiles.ts';

function codesOf(rows: number, cols: number, deviation: number): Int8Array {
  const rng = new Rng(rows + cols);
  return Int8Array.from({ length: rows * cols }, () =>
    Math.max(-127, Math.min(127, Math.round(deviation * rng.normal()))),
  );
}

/** The codes of a tile, [8, cols], as the format states them. */
function decoded(tile: Uint8Array, listBytes: number, cols: number): number[] {
  const out = new Array<number>(PANEL_ROWS * cols).fill(0);
  const dense = Math.ceil(cols / 8) * 32;
  const columns = [0, 1, 4, 5, 2, 3, 6, 7];
  for (let i = 0; i < 2 * dense; i++) {
    const c = Math.floor(i / 64) * 8 + columns[i % 8]!;
    const u = (tile[i >> 1]! >> (4 * (i & 1))) & 15;
    if (c < cols) out[(Math.floor(i / 8) % 8) * cols + c] = u - 8;
    else assert.is(u, 8);
  }
  let place = 0;
  for (const step of tile.subarray(dense, dense + listBytes)) {
    place += step;
    out[(place & 7) * cols + (place >> 4)]! += place & 8 ? -16 : 16;
  }
  return out;
}

for (const [rows, cols, deviation] of [
  [8, 16, 2],
  [150, 53, 3.2],
  [48, 700, 0.8], // places far apart
  [16, 40, 4],
] as const) {
  test(`the same codes, ${rows} x ${cols} of deviation ${deviation}`, () => {
    const codes = codesOf(rows, cols, deviation);
    codes[3] = 127;
    codes[cols + 4] = -127;
    const layout = panelLayout(codes, rows, cols);
    const panels = packPanels(layout, codes);
    const room = rowTileRoom(layout, panels);
    const block = rowTiles({ ...layout, room }, panels);
    assert.is(block.length, panels.length + room);
    const view = new DataView(block.buffer);
    const starts = Math.ceil(Math.ceil(rows / 8) / 16) - 1;
    let at = 4 * starts + 2 * Math.ceil(rows / 8);
    let changed = 0;
    tilesOf(layout, panels).forEach((place, i) => {
      if (i > 0 && i % 16 === 0) assert.is(view.getUint32(4 * (i / 16 - 1), true), at);
      const entry = view.getUint16(4 * starts + 2 * i, true);
      if (entry >> LIST_BITS) {
        const bytes = place.end - place.at;
        assert.equal(block.slice(at, at + bytes), panels.slice(place.at, place.end));
        at += bytes;
        return;
      }
      changed++;
      const bytes = Math.ceil(cols / 8) * 32 + entry;
      assert.equal(decoded(block.subarray(at, at + bytes), entry, cols), [
        ...codes.subarray(8 * i * cols, (8 * i + 8) * cols),
      ]);
      at += bytes;
    });
    assert.ok(at <= block.length);
    // All but tiles of fewer rows, and those with so much to add that panels are faster.
    assert.ok(changed >= Math.floor(rows / 8) - (deviation > 3 ? 3 : 1), `${changed}`);
  });
}

test('without room a tile stays as it is', () => {
  const codes = codesOf(64, 96, 1);
  const layout = panelLayout(codes, 64, 96);
  const panels = packPanels(layout, codes);
  assert.equal(rowTiles(layout, panels), panels);
  const room = rowTileRoom(layout, panels);
  const some = rowTiles({ ...layout, room: room >> 1 }, panels);
  const changed = Array.from({ length: 8 }, (_, i) => new DataView(some.buffer).getUint16(2 * i, true)).filter(
    (e) => e >> LIST_BITS === 0,
  );
  assert.ok(changed.length > 0 && changed.length < 8);
});

test.run();
