import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Bundle,
  describeBundle,
  goldenInputsOf,
  installWeights,
  kernelIds,
  kernelSourceOf,
  kernelsFor,
  openBundle,
  packBundle,
  readBundle,
  reportOf,
  writeBundle,
} from '../../../sdk/bundle/index.ts';
import { writeTar } from '../../../sdk/bundle/tar.ts';
import { MemoryFileSystem } from '../../../sdk/testing/memory-fs.ts';
import { skip } from '../../../sdk/testing/skip.ts';
import { EigenError } from '../../../sdk/util/errors.ts';
import { sha256 } from '../../../sdk/util/hash.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { projectRoot } from '../../support/shared.ts';
import { layeredSpec, smallBundle, smallSpec } from '../../support/small-bundle.ts';

function errorOf(work: () => unknown): EigenError {
  try {
    work();
  } catch (e) {
    assert.ok(e instanceof EigenError, String(e));
    return e;
  }
  throw new Error('accepted');
}

/** The bundle's archive with its manifest replaced and its digest made to fit: what only a schema can catch. */
function withManifest(
  edit: (manifest: Record<string, never>) => void,
  good: Bundle = openBundle(smallBundle()),
): Uint8Array {
  const manifest = JSON.parse(new TextDecoder().decode(good.manifestBytes));
  edit(manifest);
  const text = new TextEncoder().encode(JSON.stringify(manifest));
  return writeTar([
    { name: 'manifest.json', bytes: text },
    { name: 'manifest.sha256', bytes: new TextEncoder().encode(`${sha256(text)}  manifest.json\n`) },
    ...[...good.parts].map(([name, bytes]) => ({ name, bytes })),
  ]);
}

const KERNEL_IDS = [
  { platform: 'linux-x64', variant: 'avx2' },
  { platform: 'wasm', variant: 'relaxed' },
  { platform: 'wasm', variant: 'simd' },
];

test('everything packed is there again', () => {
  const spec = smallSpec();
  const bundle = openBundle(packBundle(spec));
  assert.equal(bundle.manifest.program, spec.program);
  assert.equal(bundle.manifest.settings, spec.settings);
  assert.is(bundle.digest, sha256(bundle.manifestBytes));
  assert.equal(kernelIds(bundle), KERNEL_IDS);
  assert.equal(kernelsFor(bundle, 'wasm'), [spec.kernels[1], spec.kernels[0]]);
  assert.equal(kernelsFor(bundle, 'linux-x64'), [spec.kernels[2]]);
  assert.equal(kernelsFor(bundle, 'linux-arm64'), []);
  assert.is(kernelSourceOf(bundle), spec.kernelSource);
  assert.equal(reportOf(bundle), spec.report);
  assert.equal(goldenInputsOf(bundle), { x: tensor('f32', [2, 16]) });
  assert.equal(bundle.manifest.golden!.outputs, spec.golden!.outputs);
  const weights = installWeights(bundle);
  assert.is(weights.length, 192);
  assert.equal(Array.from(new Int32Array(weights.buffer, 128, 8)), [1, -2, 3, 400, 0, 0, 0, 1]);
});

test('parts start 64-byte aligned, and the optional ones are optional', () => {
  const bytes = smallBundle();
  for (const part of openBundle(bytes).parts.values()) assert.is((part.byteOffset - bytes.byteOffset) % 64, 0);
  const { kernelSource: _source, golden: _golden, report: _report, ...least } = smallSpec();
  const bundle = openBundle(packBundle({ ...least, kernels: [] }));
  assert.equal([...bundle.parts.keys()], ['weights.ewt']);
  assert.equal(
    [reportOf(bundle), kernelSourceOf(bundle), goldenInputsOf(bundle), kernelIds(bundle)],
    [undefined, undefined, undefined, []],
  );
});

test('a description adds up', () => {
  const bundle = openBundle(smallBundle());
  const d = describeBundle(bundle);
  assert.is(
    d.parts.reduce((sum, p) => sum + p.bytes, d.containerBytes),
    d.bytes,
  );
  assert.is(
    Object.values(d.weights).reduce((a, b) => a + b),
    bundle.parts.get('weights.ewt')!.length,
  );
  assert.ok(d.weights.codes > 0 && d.weights.scales > 0 && d.weights.biases > 0 && d.weights.headers > 0);
  assert.is(d.weights.other, 0);
  assert.is(d.residentWeightBytes, 192);
});

test('two runs in other folders and time zones give the same bytes', () => {
  const script = join(projectRoot, 'test', 'support', 'small-bundle.ts');
  const code = `import { smallBundle } from ${JSON.stringify(script)}; import { createHash } from 'node:crypto';
    console.log(createHash('sha256').update(smallBundle()).digest('hex'));`;
  const run = (cwd: string, env: Record<string, string>) =>
    execFileSync(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', code], {
      cwd,
      env: { ...process.env, ...env },
      encoding: 'utf8',
    }).trim();
  const digests = [run(projectRoot, { TZ: 'UTC' }), run(tmpdir(), { TZ: 'Pacific/Auckland', LANG: 'tr_TR.UTF-8' })];
  assert.equal(digests, [sha256(smallBundle()), sha256(smallBundle())]);
});

test('the archive is a tar that other programs read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ew-bundle-'));
  try {
    writeFileSync(join(folder, 'x.ewb'), smallBundle());
    let listing: string;
    try {
      listing = execFileSync('tar', ['tf', 'x.ewb'], { cwd: folder, encoding: 'utf8' });
    } catch (e) {
      if ((e as { code?: string }).code === 'ENOENT') return skip('the archive is a tar', 'no tar on this machine');
      throw e;
    }
    assert.equal(listing.trim().split('\n').slice(0, 3), ['manifest.json', 'manifest.sha256', 'golden/inputs.npz']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('any changed byte is refused', () => {
  const good = smallBundle();
  const codes = new Set<string>();
  for (let i = 0; i < good.length; i++) {
    good[i] ^= 1 << (i % 8);
    codes.add(errorOf(() => openBundle(good)).code);
    good[i] ^= 1 << (i % 8);
  }
  openBundle(good);
  assert.equal([...codes].sort(), ['EW6001_BUNDLE_UNREADABLE', 'EW6002_BUNDLE_TAMPERED']);
});

test('cut off at any block, empty, not a bundle', () => {
  const good = smallBundle();
  for (let n = 0; n < good.length; n += 256) errorOf(() => openBundle(good.subarray(0, n)));
  const reason = (bytes: Uint8Array) =>
    `${errorOf(() => openBundle(bytes)).code} ${errorOf(() => openBundle(bytes)).message}`;
  assert.match(reason(new Uint8Array(0)), /EW6001.*empty/);
  assert.match(reason(new Uint8Array(2048).fill(65)), /EW6001.*not a tar archive/);
  assert.match(reason(good.subarray(0, 2000)), /EW6001.*bytes are missing/);
  assert.match(reason(writeTar([{ name: 'a.txt', bytes: new Uint8Array(3) }])), /EW6001.*'a\.txt'/);
  assert.match(reason(Buffer.concat([good, new Uint8Array(512)])), /EW6002.*after its end/);
});

test('tampering names the part; a known digest catches a consistent forgery', () => {
  const good = openBundle(smallBundle());
  const forged = openBundle(packBundle(smallSpec({ seed: 2 })));
  assert.match(errorOf(() => openBundle(smallBundle(), { digest: forged.digest })).message, /its digest is/);
  openBundle(smallBundle(), { digest: good.digest });
  const parts = new Map(good.parts);
  const weights = parts.get('weights.ewt')!.slice();
  weights[9] ^= 1;
  parts.set('weights.ewt', weights);
  const changed = errorOf(() => openBundle(withManifest(() => {}, { ...good, parts })));
  assert.is(changed.code, 'EW6002_BUNDLE_TAMPERED');
  assert.match(changed.message, /part 'weights\.ewt' does not have the listed hash/);
  parts.delete('weights.ewt');
  assert.match(
    errorOf(() => openBundle(withManifest(() => {}, { ...good, parts }))).message,
    /part 'weights\.ewt' is missing/,
  );
  parts.set('weights.ewt', good.parts.get('weights.ewt')!).set('z.txt', new Uint8Array(1));
  assert.match(
    errorOf(() => openBundle(withManifest(() => {}, { ...good, parts }))).message,
    /part 'z\.txt' is not in the manifest/,
  );
});

test('a part of a bundle opens when asked for, and says how much of the weights it has', () => {
  const whole = packBundle(layeredSpec());
  const { manifest } = openBundle(whole);
  const weights = manifest.parts.at(-1)!;
  const segments = weights.segments!;
  assert.ok(segments.length >= 3 && segments.length <= 16);
  const base = whole.length - 1024 - Math.ceil(weights.bytes / 512) * 512;
  const received = (bytes: number) => openBundle(whole.subarray(0, bytes), { partial: true }).received;
  assert.is(openBundle(whole, { partial: true }).received, undefined);
  assert.is(received(base + weights.bytes), undefined);
  let end = base;
  segments.forEach((s, i) => {
    end += s.bytes;
    if (i === segments.length - 1) return;
    const there = { segments: i + 1, segmentsInAll: segments.length, weightBytesInAll: weights.bytes };
    for (const extra of [0, 1, segments[i + 1]!.bytes - 1])
      assert.equal(received(end + extra), { ...there, weightBytes: end - base });
  });
  const least = base + segments[0]!.bytes;
  for (const bytes of [least - 1, base + 1, base - 513]) {
    const error = errorOf(() => received(bytes));
    assert.is(error.code, 'EW6005_BUNDLE_INCOMPLETE');
    assert.match(error.hint!, `first ${least} bytes`);
    assert.equal(error.details, { bytes, needed: least });
  }
  assert.ok((errorOf(() => received(100)).details.needed as number) > 100);
  const zeros = errorOf(() => openBundle(new Uint8Array(5000), { partial: true }));
  assert.is(zeros.code, 'EW6001_BUNDLE_UNREADABLE');
  assert.match(errorOf(() => openBundle(whole.subarray(0, least))).message, /ends inside part 'weights\.ewt'/);
  assert.is(packBundle(layeredSpec()).length, whole.length);
});

test('segments that do not add up, or of something else, are refused', () => {
  const good = openBundle(packBundle(layeredSpec()));
  type Any = { parts: { role: string; segments?: { bytes: number; sha256: string }[] }[] };
  const message = (edit: (parts: Any['parts']) => void) =>
    errorOf(() => openBundle(withManifest((m) => edit((m as unknown as Any).parts), good))).message;
  assert.match(
    message((parts) => {
      parts.at(-1)!.segments![0]!.bytes++;
    }),
    /do not add up/,
  );
  assert.match(
    message((parts) => {
      parts[0]!.segments = [];
    }),
    /only weights have segments/,
  );
});

test('another format version says what to do', () => {
  const newer = errorOf(() => openBundle(withManifest((m) => Object.assign(m, { format: 2 }))));
  assert.is(newer.code, 'EW6003_BUNDLE_VERSION');
  assert.match(newer.message, /version 2, this eigenweights reads version 1/);
  assert.match(newer.hint!, /Update eigenweights/);
  assert.match(
    errorOf(() => openBundle(withManifest((m) => Object.assign(m, { format: 0 })))).hint!,
    /Make the bundle again/,
  );
});

test('a wrong manifest says the path of the wrong field', () => {
  const message = (edit: (m: never) => void) => errorOf(() => openBundle(withManifest(edit as never))).message;
  type Any = Record<string, Record<string, Record<string, unknown>[]>>;
  assert.match(
    message((m: Any) => Object.assign(m, { seed: -1 })),
    /manifest\.json: seed: /,
  );
  assert.match(
    message((m: Any) => Object.assign(m.program.weights[1], { offset: 65 })),
    /program\.weights\.1\.offset: /,
  );
  assert.match(
    message((m: Any) => Object.assign(m.program.weights[1], { bytes: 1e15 })),
    /program\.weights\.1: bytes do not match/,
  );
  assert.match(
    message((m: Any) => Object.assign(m.program.weights[1], { offset: 0 })),
    /program: weights overlap/,
  );
  assert.match(
    message((m: Any) => Object.assign(m.program.outputs[0], { offset: 1000 })),
    /program: a slot lies outside/,
  );
  assert.match(
    message((m: Any) => Object.assign(m.program.steps[0], { extra: 1 })),
    /program\.steps\.0\.extra: /,
  );
  assert.match(
    message((m: Any) => Object.assign((m.parts as never)[1], { name: '../../etc/x' })),
    /parts\.1: the name does not belong/,
  );
  assert.match(
    message((m: Any) => Reflect.deleteProperty(m, 'target')),
    /manifest\.json: target: /,
  );
});

test('a spec that makes no valid bundle is refused when packing', () => {
  assert.throws(() => packBundle(smallSpec({ precision: '' })), /packBundle: manifest\.json: precision/);
  assert.throws(() => packBundle(smallSpec({ settings: { x: Number.NaN } })), /JSON cannot hold NaN/);
  assert.throws(
    () => packBundle(smallSpec({ kernels: [{ platform: 'wasm', variant: 'A b', bytes: new Uint8Array(8) }] })),
    /name does not belong/,
  );
});

test('written whole or not at all', async () => {
  const fs = new MemoryFileSystem();
  const bytes = smallBundle();
  fs.failNext({ operation: 'write', code: 'ENOSPC', bytesWritten: 700 });
  try {
    await writeBundle('out/x.ewb', bytes, fs);
    assert.unreachable('no error');
  } catch (e) {
    assert.is((e as EigenError).code, 'EW1003_WRITE_FAILED');
  }
  assert.equal(await fs.list('out'), []);
  await writeBundle('out/x.ewb', bytes, fs);
  assert.is((await readBundle('out/x.ewb', fs)).bytes, bytes.length);
});

test.run();
