import type { SharedConstants } from '../../sdk/compile/cost-shared.ts';
import { type Board, heldOut, type Prediction, type Score, USUAL_PAIR } from './leave-out.ts';
import { fitShared } from './search.ts';

/** A board predicted by shared constants that were fitted on all others. */
export interface Fold {
  readonly board: Board;
  readonly shared: SharedConstants;
  /** With the board's own constants fitted on the usual pair of networks. */
  readonly predictions: readonly Prediction[];
  /** Mean error over all pairs. */
  readonly allPairs: number;
}

export function leaveOneOut(boards: readonly Board[], score: Score): Fold[] {
  return boards.map((board) => {
    const others = boards.filter((b) => b !== board);
    const shared = fitShared(others, score);
    return {
      board,
      shared,
      predictions: heldOut(board, shared, USUAL_PAIR),
      allPairs: score(board, shared),
    };
  });
}
