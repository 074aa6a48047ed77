// timeout: 120
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createCostModel } from '../../../sdk/compile/cost.ts';
import { referenceSteps } from '../../../sdk/compile/cost-calibrate.ts';
import { SHARED } from '../../../sdk/compile/cost-shared.ts';
import { REFERENCE_NETWORKS } from '../../../sdk/compile/reference-networks.ts';
import { leaveOneOut } from '../../../tools/cost/folds.ts';
import {
  heldOut,
  meanError,
  type Prediction,
  pairsOf,
  publishedBoards,
  rankCorrelation,
  scoreOver,
  USUAL_PAIR,
} from '../../../tools/cost/leave-out.ts';
import { fitShared } from '../../../tools/cost/search.ts';

const boards = publishedBoards();

test('a board left out: its other networks within 25 % on average, ordered at 0.95, after a fit on two', () => {
  const score = scoreOver(pairsOf(boards));
  const folds = leaveOneOut(boards, score);
  const all = folds.flatMap((f) => f.predictions);
  assert.is(folds.length, 7);
  assert.ok(all.length >= 69);
  assert.ok(meanError(all) <= 0.25, `mean error ${meanError(all)}`);
  assert.ok(rankCorrelation(all) >= 0.95, `rank correlation ${rankCorrelation(all)}`);
  const anyTwo = folds.reduce((sum, f) => sum + f.allPairs, 0) / folds.length;
  assert.ok(anyTwo <= 0.25, `mean error over all pairs ${anyTwo}`);
  assert.equal(fitShared(boards, score), SHARED, 'the shared constants are those that the search finds on all boards');
});

test('what is tried is the model in use: the same predictions, and nothing of the pair among them', () => {
  for (const board of boards) {
    const model = createCostModel(board.profile, { runtime: 'native', networks: USUAL_PAIR });
    const predictions = heldOut(board, SHARED, USUAL_PAIR);
    assert.ok(predictions.length > 0);
    for (const p of predictions) {
      assert.not.ok(USUAL_PAIR.includes(p.network));
      const steps = referenceSteps(REFERENCE_NETWORKS[p.network]!, p.precision);
      const { ms } = model.estimate(steps, { threads: p.threads, precision: p.precision });
      assert.ok(Math.abs(ms.value / p.predicted - 1) < 1e-9, `${p.network}: ${ms.value}, ${p.predicted}`);
    }
  }
});

test('ranks: equal values share theirs', () => {
  const at = (ms: number, predicted: number): Prediction => ({
    network: '',
    precision: 'fp32',
    threads: 1,
    ms,
    predicted,
  });
  assert.is(rankCorrelation([at(1, 10), at(2, 20), at(3, 40)]), 1);
  assert.is(rankCorrelation([at(1, 40), at(2, 20), at(3, 10)]), -1);
  assert.ok(Math.abs(rankCorrelation([at(1, 1), at(2, 2), at(2, 3)]) - 0.866) < 1e-3);
});

test.run();
