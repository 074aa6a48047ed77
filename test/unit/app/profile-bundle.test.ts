import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BundleProfile, buildFloat, type EngineName, profileBundle } from '../../../sdk/index.ts';
import { smallCnn } from '../../support/small-models.ts';

let folder = '';
let bundle = '';
test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-profile-'));
  const path = join(folder, 'model.onnx');
  bundle = join(folder, 'model.ewb');
  writeFileSync(path, smallCnn().onnx);
  await buildFloat({ path }, { target: 'host', out: bundle });
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

const profiled = (engine: EngineName, threads: number): Promise<BundleProfile> =>
  profileBundle({ bundle, engine, threads, runs: 5 });
const total = (p: BundleProfile, of: 'macs' | 'share'): number => p.rows.reduce((sum, r) => sum + r[of], 0);

test('layers have the names of the model, the nodes fused into them, and all of the work', async () => {
  const [kernels, nodes] = [await profiled('simd128', 1), await profiled('reference', 1)];
  assert.is(total(kernels, 'macs'), total(nodes, 'macs'));
  const named = kernels.rows.flatMap((r) => [r.node, ...r.fused]);
  const computed = nodes.rows.filter((r) => r.kind !== 'view').map((r) => r.node);
  assert.equal([...named].sort(), [...computed].sort());
  assert.ok(kernels.rows.some((r) => r.fused.length > 0));
});

test('shares add up to one, speeds follow from times, and a roof bounds kernels only', async () => {
  for (const [engine, threads] of [
    ['simd128', 1],
    ['simd128', 2],
    ['reference', 1],
  ] as const) {
    const p = await profiled(engine, threads);
    assert.is(p.runs, 5);
    assert.is(p.threads, threads);
    assert.ok(Math.abs(total(p, 'share') - 1) < 1e-9);
    for (const r of p.rows) {
      assert.ok(r.seconds.low <= r.seconds.median && r.seconds.median <= r.seconds.high);
      assert.ok(Math.abs(r.GMACps * r.seconds.median * 1e9 - r.macs) <= 1e-6 * r.macs);
      assert.is(r.ofRoof === null, engine === 'reference');
    }
  }
});

test.run();
