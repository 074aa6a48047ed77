// timeout: 240
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relativeError } from '../../sdk/app/self-test.ts';
import { probeDot7 } from '../../sdk/device/engine/probe.ts';
import {
  buildCompressed,
  buildFloat,
  type EngineName,
  openSession,
  type SelfTest,
  samplesOf,
  writeArrays,
} from '../../sdk/index.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { bytesOf, type Tensor } from '../../sdk/util/tensor.ts';
import { type SmallModel, smallCnn, smallEmbedding, smallLstm } from '../support/small-models.ts';

/**
 * Whole bundles on every engine: kernels of every variant and number of threads agree to the bit, and with the reference engine to
 * within what floating point may round.
 */
const ROUNDING = 1e-5;
const CASES = 3;
const CALIBRATION = 48;

interface Bundled {
  readonly name: string;
  readonly model: SmallModel;
  readonly compressed: boolean;
}

const BUNDLES: readonly Bundled[] = [
  { name: 'cnn, float', model: smallCnn(), compressed: false },
  { name: 'cnn, int8', model: smallCnn(), compressed: true },
  { name: 'lstm', model: smallLstm(), compressed: false },
  { name: 'embedding and linear', model: smallEmbedding(), compressed: false },
];

const KERNELS: readonly { engine: EngineName; threads: number }[] = (['simd128', 'dot7'] as const).flatMap((engine) =>
  [1, 2].map((threads) => ({ engine, threads })),
);

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-conformance-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function build({ model, compressed }: Bundled): Promise<string> {
  const [path, out] = [join(folder, 'model.onnx'), join(folder, 'model.ewb')];
  writeFileSync(path, model.onnx);
  if (!compressed) {
    await buildFloat({ path }, { target: 'host', out });
    return out;
  }
  const calibration = join(folder, 'calib.npz');
  await writeArrays(calibration, model.samples(CALIBRATION));
  const request = { target: 'host', calibration, budget: { factor: 4 }, minQuality: 0, cwd: folder, out, force: true };
  const built = await buildCompressed({ path }, request);
  assert.ok(built.bundleBytes);
  return out;
}

interface Result {
  readonly outputs: Record<string, Tensor>[];
  readonly proof: SelfTest;
}

async function runOn(path: string, model: SmallModel, engine: EngineName, threads: number): Promise<Result> {
  const session = await openSession(path, { engine, threads });
  try {
    const samples = samplesOf(model.samples(CASES), session.inputs);
    const outputs: Record<string, Tensor>[] = [];
    for (let i = 0; i < CASES; i++) outputs.push(await session.run(samples.at(i)));
    return { outputs, proof: await session.selfTest() };
  } finally {
    session.close();
  }
}

function sameBytes(a: Tensor, b: Tensor): boolean {
  return Buffer.from(bytesOf(a.data)).equals(Buffer.from(bytesOf(b.data)));
}

for (const bundled of BUNDLES) {
  test(`${bundled.name}: every engine gives the same`, async () => {
    const path = await build(bundled);
    const reference = await runOn(path, bundled.model, 'reference', 1);
    assert.is(reference.proof.cases, 2);
    let first: Result | undefined;
    for (const { engine, threads } of KERNELS) {
      if (engine === 'dot7' && !probeDot7().right) continue;
      const got = await runOn(path, bundled.model, engine, threads);
      assert.is(got.proof.comparison, 'hashes');
      first ??= got;
      got.outputs.forEach((outputs, i) => {
        for (const [name, t] of Object.entries(outputs)) {
          assert.ok(sameBytes(t, first!.outputs[i]![name]!), `${engine}, ${threads} threads: ${name} of sample ${i}`);
          const error = relativeError(reference.outputs[i]![name]!, t);
          assert.ok(error <= ROUNDING, `${engine}: ${name} of sample ${i} is ${error} from the reference`);
        }
      });
    }
  });
}

if (!probeDot7().right)
  test('dot7', () => skip('every bundle on dot7', 'this Node has no right relaxed dot product', 'unsupported'));

test.run();
