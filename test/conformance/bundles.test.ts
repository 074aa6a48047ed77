// timeout: 240
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relativeError } from '../../sdk/app/reference-test.ts';
import { openBundle } from '../../sdk/bundle/index.ts';
import { probeDot7 } from '../../sdk/device/engine/probe.ts';
import { processorFlags, runnable } from '../../sdk/device/engine/processor.ts';
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
import { thisPlatform } from '../../sdk/wire/kernels.ts';
import { hostTarget } from '../../targets/host/index.ts';
import { compilesFor, WITHOUT_COMPILER } from '../support/compilers.ts';
import { type SmallModel, smallCnn, smallEmbedding, smallLstm, smallPerceptron } from '../support/small-models.ts';

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
  /** Run from a part of the bundle too. */
  readonly prefix?: boolean;
}

const BUNDLES: readonly Bundled[] = [
  { name: 'cnn, float', model: smallCnn(), compressed: false },
  { name: 'cnn, int8', model: smallCnn(), compressed: true },
  { name: 'perceptron, int8', model: smallPerceptron(), compressed: true, prefix: true },
  { name: 'lstm', model: smallLstm(), compressed: false },
  { name: 'embedding and linear', model: smallEmbedding(), compressed: false },
];

const compiles = await compilesFor(hostTarget);

const KERNELS: readonly { engine: EngineName; threads: number }[] = (
  [...(['simd128', 'dot7', 'dot7x16'] as const), ...nativeVariants()] as const
).flatMap((engine) => [1, 2].map((threads) => ({ engine, threads })));

/** Variants of native kernels that this machine builds and runs. */
function nativeVariants(): ('sse4' | 'avx2' | 'avxvnni' | 'avx512vnni')[] {
  const platform = thisPlatform();
  return (['sse4', 'avx2', 'avxvnni', 'avx512vnni'] as const).filter(
    (variant) => compiles && runnable([{ platform: 'linux-x64', variant }], platform, processorFlags()).length > 0,
  );
}

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

interface Setting {
  readonly engine: EngineName;
  readonly threads: number;
  readonly firstBytes?: number | undefined;
}

async function runOn(path: string, model: SmallModel, setting: Setting): Promise<Result> {
  const session = await openSession(path, setting);
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

/** Outputs of the kernels, which must be the same everywhere. */
async function compareEngines(path: string, model: SmallModel, firstBytes?: number): Promise<Result> {
  const reference = await runOn(path, model, { engine: 'reference', threads: 1, firstBytes });
  assert.is(reference.proof.cases, 2);
  let first: Result | undefined;
  for (const { engine, threads } of KERNELS) {
    if (engine === 'dot7' && !probeDot7().whole.right) continue;
    if (engine === 'dot7x16' && !probeDot7().chained.right) continue;
    const got = await runOn(path, model, { engine, threads, firstBytes });
    assert.is(got.proof.comparison, firstBytes === undefined ? 'hashes' : 'none');
    first ??= got;
    got.outputs.forEach((outputs, i) => {
      for (const [name, t] of Object.entries(outputs)) {
        assert.ok(sameBytes(t, first!.outputs[i]![name]!), `${engine}, ${threads} threads: ${name} of sample ${i}`);
        const error = relativeError(reference.outputs[i]![name]!, t);
        assert.ok(error <= ROUNDING, `${engine}: ${name} of sample ${i} is ${error} from the reference`);
      }
    });
  }
  return first!;
}

for (const bundled of BUNDLES) {
  test(`${bundled.name}: every engine gives the same`, async () => {
    const path = await build(bundled);
    const whole = await compareEngines(path, bundled.model);
    if (!bundled.prefix) return;
    // The end of the weights, padding and the two blocks that end the archive: the last plane is cut off.
    const { segments } = openBundle(readFileSync(path)).manifest.parts.at(-1)!;
    const part = await compareEngines(path, bundled.model, statSync(path).size - 2048 - segments!.at(-1)!.bytes / 2);
    assert.not(sameBytes(part.outputs[0]!.y!, whole.outputs[0]!.y!));
  });
}

if (!compiles) test('native kernels', () => skip('every bundle on native kernels', WITHOUT_COMPILER));

if (!probeDot7().whole.right)
  test('dot7', () => skip('every bundle on dot7', 'this Node has no right relaxed dot product', 'unsupported'));

test.run();
