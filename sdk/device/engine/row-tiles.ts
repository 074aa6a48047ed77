import type { Program } from '../../wire/program.ts';
import { rowTiles } from '../../wire/row-tiles.ts';

/** Puts tiles that are multiplied with one row into the form of kernels (sdk/wire/row-tiles.ts), as far as there is room for it. `block` is the resident block of the program; `mostListed` as of `rowTiles`. */
export function holdRowTiles({ weights }: Pick<Program, 'weights'>, block: Uint8Array, mostListed?: number): void {
  for (const { layout, offset, bytes } of weights) {
    if (layout.kind !== 'panels' || layout.room === undefined) continue;
    const slot = block.subarray(offset, offset + bytes);
    slot.set(rowTiles(layout, slot.subarray(0, layout.bytes), mostListed));
  }
}
