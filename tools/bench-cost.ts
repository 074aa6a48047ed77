/**
 * What the cost model's predictions are worth: published latencies of a board, predicted by constants that never saw them. The shared
 * constants are fitted on all other boards, the board's own three on two networks; the rest of its networks is predicted.
 * Prints Markdown. Options: --json.
 */
import { parseArgs } from 'node:util';
import { SHARED } from '../sdk/compile/cost-shared.ts';
import { type Fold, leaveOneOut } from './cost/folds.ts';
import {
  meanError,
  type Prediction,
  pairsOf,
  publishedBoards,
  rankCorrelation,
  scoreOver,
  USUAL_PAIR,
} from './cost/leave-out.ts';
import { fitShared } from './cost/search.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function tableText(folds: readonly Fold[]): string {
  const row = (name: string, p: readonly Prediction[], allPairs: number): string =>
    `| ${name} | ${p.length} | ${percent(meanError(p))} | ${rankCorrelation(p).toFixed(3)} | ${percent(allPairs)} |`;
  const all = folds.flatMap((f) => f.predictions);
  const pairs = folds.reduce((sum, f) => sum + f.allPairs, 0) / folds.length;
  return [
    `| board | latencies held out | mean error | rank correlation | mean error, any two networks |`,
    '|---|--:|--:|--:|--:|',
    ...folds.map((f) => row(f.board.profile.id, f.predictions, f.allPairs)),
    row('all', all, pairs),
  ].join('\n');
}

function main(): void {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
  const boards = publishedBoards();
  const score = scoreOver(pairsOf(boards));
  const folds = leaveOneOut(boards, score);
  const onAll = fitShared(boards, score);
  if (values.json) {
    console.log(
      JSON.stringify(
        { pair: USUAL_PAIR, folds: folds.map((f) => ({ ...f, board: f.board.profile.id })), shared: onAll },
        null,
        2,
      ),
    );
    return;
  }
  console.log(`Three constants a board fitted on ${USUAL_PAIR.join(' and ')}, shared ones on all other boards:\n`);
  console.log(tableText(folds));
  const same = JSON.stringify(onAll) === JSON.stringify(SHARED);
  console.log(
    `\nshared constants fitted on all boards: ${JSON.stringify(onAll)}; ${same ? 'these' : 'NOT these'} are in use`,
  );
}

main();
