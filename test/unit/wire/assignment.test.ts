import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assignmentProblem } from '../../../sdk/wire/assignment.ts';
import { assign, blobOf } from '../../support/versions.ts';

test('what is assigned to this board, newer than what is there, and described rightly', () => {
  assert.is(assignmentProblem(assign(2), 'board', 1), undefined);
  assert.is(
    assignmentProblem(assign(2, { deltas: [{ from: blobOf(1).sha256, blob: blobOf(3) }] }), 'board'),
    undefined,
  );
});

test('assignments that are none', () => {
  assert.match(assignmentProblem(assign(2), 'other')!, 'it is for board, this is other');
  assert.match(assignmentProblem(assign(2), 'board', 3)!, 'older than 3');
  assert.match(assignmentProblem(assign(2, { release: Number.NaN }), 'board')!, 'not a release number');
  assert.match(
    assignmentProblem(assign(2, { blob: { ...blobOf(2), bytes: 1 } }), 'board')!,
    'blob is described wrongly',
  );
  const deltas = [{ from: blobOf(1).sha256, blob: { ...blobOf(3), sha256: '../up' } }];
  assert.match(assignmentProblem(assign(2, { deltas }), 'board')!, 'delta 0 is described wrongly');
});

test.run();
