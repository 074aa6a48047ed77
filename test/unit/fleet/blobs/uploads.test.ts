import { mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BlobFolder, Uploads } from '../../../../sdk/fleet/blobs/index.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import { noise } from '../../../support/link.ts';

const test = suite<{ folder: string; blobs: BlobFolder; uploads: Uploads }>('uploads');

test.before.each(async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'eigen-uploads-'));
  const blobs = new BlobFolder(folder);
  Object.assign(context, { folder, blobs, uploads: new Uploads(folder, blobs, Date.now) });
});
test.after.each(async ({ folder, blobs }) => {
  await blobs.close();
  await rm(folder, { recursive: true });
});

const bytes = noise(300_000);
const name = sha256(bytes);

/** Parts of the blob, and after them what breaks the connection. */
async function* sent(from: number, to: number, then?: Error): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; at += 50_000) yield bytes.subarray(at, Math.min(to, at + 50_000));
  if (then) throw then;
}

async function reasonOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (e) => (isEigenError(e) ? `${e.code} ${e.message}` : String(e)),
  );
}

test('what is cut short goes on where it stopped, and is a blob in the end', async ({ blobs, uploads }) => {
  assert.equal(await uploads.held(name), { bytes: 0, whole: false });
  const total = bytes.length;
  const cut = await uploads.take(name, { from: 0, total, chunks: sent(0, 120_000, new Error('aborted')) });
  assert.equal(cut, { bytes: 120_000, whole: false });
  assert.is(await blobs.spec(name), undefined);
  // Some of it may be sent once more.
  assert.equal(await uploads.take(name, { from: 100_000, total, chunks: sent(100_000, 200_000) }), {
    bytes: 200_000,
    whole: false,
  });
  assert.equal(await uploads.take(name, { from: 200_000, total, chunks: sent(200_000, total) }), {
    bytes: total,
    whole: true,
  });
  assert.is((await blobs.spec(name))!.bytes, total);
  assert.equal(await blobs.list(), [name]);
  const unread = sent(0, total);
  assert.ok((await uploads.take(name, { from: 0, total, chunks: unread })).whole);
  assert.equal((await unread.next()).value?.length, 50_000, 'what is there is not read again');
});

test('gaps, too many bytes and other files are refused', async ({ blobs, uploads }) => {
  const total = bytes.length;
  const take = (from: number, to: number, of = total): Promise<string> =>
    reasonOf(uploads.take(name, { from, total: of, chunks: sent(from, to) }));
  assert.match(await take(50_000, 100_000), /EW2101.*goes on at 50000, and 0 of 300000 bytes are here/);
  assert.match(await take(0, 100_000, 60_000), /EW2101.*more than the 60000 bytes/);
  assert.match(await take(0, 0, 2 ** 33), /EW2101.*a blob has 1 to/);
  const wrong = uploads.take('a'.repeat(64), { from: 0, total, chunks: sent(0, total) });
  assert.match(await reasonOf(wrong), new RegExp(`EW2101.*what came has SHA-256 ${name}`));
  assert.equal(await uploads.held('a'.repeat(64)), { bytes: 0, whole: false });
  assert.equal(await blobs.list(), []);
});

test('one sends at a time; what nobody goes on with is removed', async ({ folder, uploads }) => {
  const total = bytes.length;
  let go = (): void => undefined;
  const waits = new Promise<void>((resolve) => {
    go = resolve;
  });
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 1000);
    await waits;
  }
  const first = uploads.take(name, { from: 0, total, chunks: slow() });
  await new Promise((resolve) => setImmediate(resolve));
  const second = uploads.take(name, { from: 0, total, chunks: sent(0, total) });
  assert.match(await reasonOf(second), /somebody sends this blob already/);
  go();
  assert.is((await first).bytes, 1000);
  const before = new Date(Date.now() - 2 * 86_400_000);
  await utimes(join(folder, 'uploads', name), before, before);
  const other = sha256(bytes.subarray(0, 10));
  await uploads.take(other, { from: 0, total: 10, chunks: sent(0, 10) });
  assert.is((await uploads.held(name)).bytes, 0);
});

test.run();
