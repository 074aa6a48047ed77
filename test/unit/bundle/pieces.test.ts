import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesSource, describeBlob, indexBundle, packBundle } from '../../../sdk/bundle/index.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { blobProblem } from '../../../sdk/wire/blob.ts';
import { layeredSpec, smallBundle } from '../../support/small-bundle.ts';

test('a bundle is in pieces that begin where its chunks do', async () => {
  for (const bundle of [packBundle(layeredSpec()), smallBundle()]) {
    const spec = await describeBlob(bytesSource(bundle));
    assert.is(blobProblem(spec), undefined);
    assert.is(spec.bytes, bundle.length);
    const { chunks } = await indexBundle(bytesSource(bundle));
    assert.is(spec.pieces.length, chunks.length);
    let at = 0;
    for (const [i, piece] of spec.pieces.entries()) {
      assert.is(at, i === 0 ? 0 : chunks[i]!.from);
      at += piece.bytes;
    }
  }
});

test('any other file is in pieces of one size', async () => {
  const rng = new Rng(1);
  const bytes = Uint8Array.from({ length: 300_000 }, () => rng.below(256));
  const spec = await describeBlob(bytesSource(bytes));
  assert.is(blobProblem(spec), undefined);
  assert.equal(
    spec.pieces.map((p) => p.bytes),
    [61_440, 61_440, 61_440, 61_440, 54_240],
  );
  assert.equal((await describeBlob(bytesSource(new Uint8Array(0)))).pieces, []);
});

test.run();
