import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blobProblem } from '../../../sdk/wire/blob.ts';
import { specOf, versionBytes } from '../../support/versions.ts';

const spec = specOf(versionBytes(1, 40_000), 1000);

test('descriptions that are none of a blob', () => {
  assert.is(blobProblem(spec), undefined);
  const piece = spec.pieces[0]!;
  assert.match(blobProblem({ ...spec, sha256: '../../etc/passwd' })!, 'not a SHA-256');
  assert.match(blobProblem({ ...spec, bytes: 1 })!, 'pieces have');
  assert.match(blobProblem({ ...spec, pieces: [{ ...piece, bytes: -1 }] })!, 'piece 0');
  assert.match(blobProblem({ ...spec, pieces: [{ ...piece, bytes: Number.NaN }] })!, 'piece 0');
  assert.match(blobProblem({ ...spec, pieces: new Array(70_000).fill(piece) })!, '70000 pieces');
});

test.run();
