import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  BundleAssembly,
  bytesSource,
  decodeIndex,
  encodeIndex,
  indexBundle,
  newChunks,
  openBundle,
} from '../../../sdk/bundle/index.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { sha256 } from '../../../sdk/util/hash.ts';
import { Rng } from '../../../sdk/util/rng.ts';
import { decodeCbor, encodeCbor } from '../../../sdk/wire/cbor.ts';
import { memoryTarget, openState, stateBundle } from '../../support/trained-bundles.ts';

const SIZE = 256;
const bytes = stateBundle(0, SIZE);
const bundle = openBundle(bytes);
const index = await indexBundle(bytesSource(bytes), 8192);
const indexOf = (state: 0 | 1 | 3, largest?: number) => indexBundle(bytesSource(stateBundle(state, SIZE)), largest);

async function rejects(promise: Promise<unknown>, code = 'EW6010_CHUNK_INVALID'): Promise<void> {
  const e = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(isEigenError(e) && e.code === code, String(e));
}

test('chunks cover manifest and parts, each is what its digest says', () => {
  let end = 0;
  for (const { from, bytes: count, digest, file } of index.chunks) {
    assert.ok(from >= end && count > 0 && count <= 8192);
    end = from + count;
    assert.is(sha256(bytes.subarray(from, end)), digest);
    assert.ok(index.files.some((f) => f.name === file));
  }
  const covered = index.chunks.reduce((sum, c) => sum + c.bytes, 0);
  const parts = bundle.manifest.parts.reduce((sum, p) => sum + p.bytes, bundle.manifestBytes.length);
  assert.is(covered, parts);
});

test('large tensors start chunks; the first chunk of a small manifest is the bundle', async () => {
  const weights = index.chunks.filter((c) => c.file === 'weights.ewt');
  assert.ok(weights.some((c) => c.constant === undefined));
  assert.ok(new Set(weights.map((c) => c.constant)).size >= 4);
  assert.is((await indexOf(0)).chunks[0]!.digest, bundle.digest);
});

test('what stayed the same is the same chunks, wherever it lies', async () => {
  const fresh = newChunks(await indexOf(3, 8192), [index]);
  const kept = bundle.manifest.program.weights.findIndex((w) => w.name === 'kept');
  const digests = new Set(fresh.map((c) => c.digest));
  const same = index.chunks.filter((c) => c.constant === kept);
  assert.ok(same.length > 0 && same.every((c) => !digests.has(c.digest)));
  assert.equal(newChunks(index, [index]), []);
});

test('an index is read as it was written', () => {
  const encoded = encodeIndex(index);
  assert.equal(decodeIndex(encoded, bundle), index);
  assert.ok(encoded.length < 300 + 45 * index.chunks.length);
});

test('put together in any order, twice, with what another bundle has', async () => {
  const next = openState(1, SIZE);
  const wanted = await indexOf(1, 8192);
  const target = memoryTarget(next.bytes);
  const assembly = new BundleAssembly(decodeIndex(encodeIndex(wanted), next), target);
  const reused = await assembly.reuse(index, bytesSource(bytes));
  assert.ok(reused > 0);
  const missing = assembly.missing;
  assert.is(missing.length, newChunks(wanted, [index]).length);
  const content = stateBundle(1, SIZE);
  const take = (i: number): Promise<void> => {
    const { from, bytes: count } = wanted.chunks[i]!;
    return assembly.put(i, content.subarray(from, from + count));
  };
  for (const at of new Rng(1).permutation(missing.length)) await take(missing[at]!);
  await take(missing[0]!);
  assert.equal(assembly.missing, []);
  assert.is(await assembly.finish(), next.bytes);
  assert.equal(target.content, content);
});

test('a wrong chunk is not written', async () => {
  const target = memoryTarget(bytes.length);
  const assembly = new BundleAssembly(index, target);
  const { from, bytes: count } = index.chunks[3]!;
  const wrong = bytes.slice(from, from + count);
  wrong[0]! ^= 1;
  await rejects(assembly.put(3, wrong));
  await rejects(assembly.put(3, wrong.subarray(1)));
  await rejects(assembly.put(index.chunks.length, wrong));
  await rejects(assembly.finish());
  assert.ok(target.content.every((b) => b === 0));
  assert.ok(assembly.missing.includes(3));
});

test('after an interruption only what is really there counts', async () => {
  const target = memoryTarget(bytes.length);
  target.content.set(bytes);
  target.content[index.chunks[2]!.from]! ^= 1;
  const assembly = new BundleAssembly(index, target);
  assert.is(await assembly.recheck([0, 1, 2, 99_999]), 2);
  assert.ok(assembly.missing.includes(2) && !assembly.missing.includes(1));
});

test('a false index does not make a false bundle', async () => {
  const other = openState(1, SIZE);
  const lie = { ...(await indexOf(1, 8192)), digest: bundle.digest };
  const assembly = new BundleAssembly(decodeIndex(encodeIndex(lie), lie), memoryTarget(other.bytes));
  await assembly.reuse(lie, bytesSource(stateBundle(1, SIZE)));
  assert.equal(assembly.missing, []);
  await rejects(assembly.finish());
});

test('an index that is not one is refused', () => {
  const refused = (encoded: Uint8Array): void =>
    assert.throws(
      () => decodeIndex(encoded, bundle),
      (e: unknown) => isEigenError(e) && /^EW60(06|10)/.test(e.code),
    );
  const good = decodeCbor(encodeIndex(index)) as Record<string, never>;
  const { files, digests } = good as unknown as { files: unknown[][]; digests: Uint8Array };
  refused(new Uint8Array(0));
  refused(encodeCbor([1]));
  for (const key of ['v', 'bundle', 'files', 'digests']) {
    const { [key]: _, ...rest } = good;
    refused(encodeCbor(rest));
    refused(encodeCbor({ ...good, [key]: 0 }));
  }
  refused(encodeCbor({ ...good, more: 1 }));
  refused(encodeCbor({ ...good, digests: digests.subarray(32) }));
  refused(encodeCbor({ ...good, files: files.slice(1) as never }));
  refused(encodeCbor({ ...good, files: [...files, files[2]] as never }));
  refused(encodeCbor({ ...good, files: [...files, ['../up', 0, []]] as never }));
  refused(encodeCbor({ ...good, files: [...files, ['more', 1, [[2]]]] as never }));
  refused(encodeCbor({ ...good, files: [...files, ['more', 2 ** 40, [[2 ** 40]]]] as never }));
  for (const other of [
    { digest: 'a'.repeat(64), bytes: bundle.bytes },
    { digest: bundle.digest, bytes: bundle.bytes + 512 },
  ])
    assert.throws(
      () => decodeIndex(encodeIndex(index), other),
      (e: unknown) => isEigenError(e) && e.code === 'EW6010_CHUNK_INVALID',
    );
});

test.run();
