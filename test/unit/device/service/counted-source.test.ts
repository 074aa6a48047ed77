import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CountedSource } from '../../../../sdk/device/service/counted-source.ts';
import { blobOf, pieceOf, VERSIONS } from '../../../support/versions.ts';

test('it counts what it delivers, and how much of what is fetched is there', async () => {
  const blob = blobOf(1);
  const { bytes } = VERSIONS[1]!;
  const source = new CountedSource({
    fetch: async function* (asked, pieces) {
      for (const index of [...pieces, pieces[0]!]) yield { index, bytes: pieceOf(bytes, asked, index) };
    },
  });
  assert.is(source.progress, undefined);
  const wanted = blob.pieces.map((_, i) => i).slice(2);
  const held = blob.pieces[0]!.bytes + blob.pieces[1]!.bytes;
  const seen: number[] = [];
  for await (const { bytes: piece } of source.fetch(blob, wanted)) {
    seen.push(piece.length);
    const delivered = seen.reduce((sum, n) => sum + n, held);
    assert.equal(source.progress, { done: Math.min(delivered, blob.bytes), total: blob.bytes });
  }
  assert.is(source.take(), blob.bytes - held + seen.at(-1)!);
  assert.is(source.take(), 0);
  source.begin();
  assert.is(source.progress, undefined, 'of the next nothing is known');
});

test.run();
