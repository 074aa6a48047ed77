import type { SharedConstants } from '../../sdk/compile/cost-shared.ts';
import type { Board, Score } from './leave-out.ts';

type Grid = { readonly [K in keyof SharedConstants]: readonly SharedConstants[K][] };

/** What is tried for each of the shared constants: what is physically plausible, in steps that the data can tell apart. */
const GRID: Grid = {
  computeExponent: [0.6, 0.7, 0.8, 0.9, 1],
  memoryExponent: [0, 0.2, 0.4, 0.6],
  lightMacsPerElement: [6, 9, 13, 20, 30],
  int8Share: [0.5, 0.6, 0.7, 0.8, 0.9, 1],
  winogradGain: [1, 1.25, 1.5, 2, 2.5],
  winogradMoves: [0, 1, 2, 3, 4, 5],
  overheadUs: [10, 20, 40, 80],
  oneCoreGBps: [2, 3, 6, 12],
  ridge: [
    [0.03, 0.03, 0.03],
    [0.1, 0.1, 0.1],
    [0.3, 0.1, 0.1],
    [0.3, 0.03, 0.1],
    [0.3, 0.3, 0.3],
  ],
};

/** The middle of every grid. */
function middle(): SharedConstants {
  return Object.fromEntries(
    Object.entries(GRID).map(([k, values]) => [k, values[Math.floor(values.length / 2)]]),
  ) as unknown as SharedConstants;
}

/**
 * Shared constants with the least error on some boards: one constant after the other through its grid,
 * until none helps.
 */
export function fitShared(boards: readonly Board[], score: Score): SharedConstants {
  const errorOf = (shared: SharedConstants): number => boards.reduce((sum, b) => sum + score(b, shared), 0);
  let best = middle();
  let least = errorOf(best);
  for (let improved = true; improved; ) {
    improved = false;
    for (const [name, values] of Object.entries(GRID)) {
      for (const value of values) {
        const tried = { ...best, [name]: value } as SharedConstants;
        const error = errorOf(tried);
        if (error >= least - 1e-9) continue;
        [best, least, improved] = [tried, error, true];
      }
    }
  }
  return best;
}
