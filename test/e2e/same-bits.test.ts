// timeout: 2400
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { graphOfBundle } from '../../sdk/app/bundle-graph.ts';
import { goldenInputsOf, readBundle } from '../../sdk/bundle/index.ts';
import { compileGraph } from '../../sdk/compile/index.ts';
import { samplesOf } from '../../sdk/data/samples.ts';
import { probeDot7 } from '../../sdk/device/engine/probe.ts';
import { processorFlags, runnable } from '../../sdk/device/engine/processor.ts';
import {
  buildCompressed,
  type EngineName,
  inspectPath,
  ROUND_TO_NEAREST,
  type Tensor,
  writeArrays,
} from '../../sdk/index.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { skip } from '../../sdk/testing/index.ts';
import { sha256OfTensor } from '../../sdk/util/hash.ts';
import { raspberryPiTarget } from '../../targets/aarch64/index.ts';
import { hostTarget } from '../../targets/host/index.ts';
import { type SampleModel, samplesFor, sharedModels } from '../../tools/speed/models.ts';
import { bundled } from '../../tools/speed/process.ts';
import { Emulator, missingTools } from '../support/emulator.ts';
import { selfTests } from '../support/self-tests.ts';
import { projectRoot } from '../support/shared.ts';

/**
 * One bundle of every model, compressed, gives the outputs of its golden hashes on every engine: WebAssembly on two versions of Node,
 * x86-64 with each of its instruction sets, and 64-bit Arm cores under an emulator; with 1, 2 and 4 threads. Prints a table of it.
 */
const THREADS = [1, 2, 4];
const SAMPLES = 4;
/** Sizes that an emulator runs in seconds; all other dimensions are as the models are used. */
const SMALLER: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  ocr_ppocr4_det: { 'p2o.DynamicDimension.1': 96, 'p2o.DynamicDimension.2': 128 },
  ocr_ppocr4_rec: { 'p2o.DynamicDimension.1': 96 },
  lm_gpt_shakespeare: { T: 32 },
};
const OTHER_NODE = 24;

const folder = await mkdtemp(join(tmpdir(), 'eigenweights-same-bits-'));
const models = sharedModels().map((m): SampleModel => (SMALLER[m.id] ? { ...m, dims: SMALLER[m.id]! } : m));
const bundleOf = (m: SampleModel): string => join(folder, `${m.id.replaceAll('/', '-')}.ewb`);
/** Model -> engine -> 'equal', or what is wrong. */
const table = new Map<string, Record<string, string>>(models.map((m) => [m.id, {}]));

function note(engine: string, results: Readonly<Record<string, string>>): void {
  for (const m of models) table.get(m.id)![engine] = results[m.id] ?? 'no result';
  assert.equal(
    models.filter((m) => results[m.id] !== 'equal').map((m) => `${m.id}: ${results[m.id]}`),
    [],
    engine,
  );
}

/** Results of bundles as those of models. */
function ofEngine(results: Readonly<Record<string, Readonly<Record<string, string>>>>, engine: string) {
  return Object.fromEntries(models.map((m) => [m.id, results[bundleOf(m)]?.[engine] ?? 'no result']));
}

async function build(model: SampleModel): Promise<void> {
  const inspected = await inspectPath(model);
  if (inspected.kind !== 'model') throw new Error(`${model.path} is no model`);
  const calibration = join(folder, 'samples.npz');
  await writeArrays(calibration, await samplesFor(model, inspected.inputs, SAMPLES));
  await buildCompressed(model, {
    target: 'host',
    calibration,
    budget: { factor: 8 },
    minQuality: 0,
    stages: { ...ROUND_TO_NEAREST, frontierPoints: 0 },
    cwd: folder,
    force: true,
    out: bundleOf(model),
  });
}

if (models.length === 0) {
  test('models', () => skip('the same bits of all models', '../shared/models is not there'));
} else {
  test('every model is built', async () => {
    for (const m of models) await build(m);
  });

  for (const engine of ['simd128', 'dot7', 'dot7x16'] as const) {
    const name = `wasm ${engine}, Node ${process.versions.node.split('.')[0]}`;
    test(name, async () => {
      const { whole, chained } = probeDot7();
      if ((engine === 'dot7' && !whole.right) || (engine === 'dot7x16' && !chained.right))
        return skip(name, 'no relaxed dot product that is right', 'unsupported');
      note(
        name,
        ofEngine(await selfTests({ bundles: models.map(bundleOf), engines: [engine], threads: THREADS }), engine),
      );
    });
  }

  test(`wasm on Node ${OTHER_NODE}`, async () => {
    const script = await bundled(
      projectRoot,
      'test/support/self-tests-child.ts',
      join(projectRoot, 'out/test/self-tests.mjs'),
    );
    const engines: EngineName[] = ['simd128', 'dot7', 'dot7x16'];
    const request = JSON.stringify({ bundles: models.map(bundleOf), engines, threads: THREADS });
    const node = ['-y', '-p', `node@${OTHER_NODE}`, 'node'];
    const ran = spawnSync('npx', [...node, script, request], { encoding: 'utf8', maxBuffer: 1 << 24 });
    if (ran.status !== 0 && /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH/.test(ran.stderr))
      return skip(`wasm on Node ${OTHER_NODE}`, `Node ${OTHER_NODE} cannot be fetched`);
    assert.is(ran.status, 0, ran.stderr);
    for (const engine of engines) note(`wasm ${engine}, Node ${OTHER_NODE}`, ofEngine(JSON.parse(ran.stdout), engine));
  });

  for (const { id } of hostTarget.variants) {
    const name = `x86-64 ${id}`;
    test(name, async () => {
      if (process.arch !== 'x64' || (await hostTarget.toolchain()) === undefined)
        return skip(name, 'no C compiler for x86-64 here');
      if (runnable([{ platform: 'linux-x64', variant: id }], 'linux-x64', processorFlags()).length === 0)
        return skip(name, 'this processor does not run it', 'unsupported');
      const engine = id as EngineName;
      note(
        name,
        ofEngine(await selfTests({ bundles: models.map(bundleOf), engines: [engine], threads: THREADS }), engine),
      );
    });
  }

  for (const { id } of raspberryPiTarget.variants) {
    const name = `aarch64 ${id}`;
    test(name, async () => {
      const missing = missingTools();
      if (missing) return skip(name, `no ${missing}`);
      const emulator = await Emulator.open();
      const results: Record<string, string> = {};
      for (const m of models) results[m.id] = await emulated(emulator, m, id);
      await emulator.close();
      note(name, results);
    });
  }
}

/** A model's golden inputs on an emulated core. */
async function emulated(emulator: Emulator, model: SampleModel, core: string): Promise<string> {
  const bundle = await readBundle(bundleOf(model));
  const compiled = await compileGraph(graphOfBundle(bundle), raspberryPiTarget, { variants: [core] });
  const golden = samplesOf(goldenInputsOf(bundle)!, compiled.program.inputs);
  const cases = Array.from({ length: golden.count }, (_, i): Record<string, Tensor> => golden.at(i));
  const outputs = await emulator.run({
    core,
    kernels: compiled.modules[0]!.bytes,
    program: compiled.program,
    weights: residentBlock(compiled),
    cases,
    threads: THREADS,
  });
  for (const [t, runs] of outputs.entries())
    for (const [i, run] of runs.entries())
      for (const { name, sha256 } of bundle.manifest.golden!.outputs)
        if (sha256OfTensor(run[name]!) !== sha256[i])
          return `${THREADS[t]} threads, golden input ${i}: '${name}' differs`;
  return 'equal';
}

test('the table', () => {
  const engines = [...new Set([...table.values()].flatMap((row) => Object.keys(row)))];
  const width = Math.max(0, ...models.map((m) => m.id.length));
  console.log(`\nOutputs of one bundle a model; = has the golden hashes with ${THREADS.join(', ')} threads`);
  for (const [i, e] of engines.entries()) console.log(`${''.padEnd(width)}  ${'|  '.repeat(i)}${e}`);
  for (const m of models) {
    const marks = engines.map((e) => (table.get(m.id)![e] === 'equal' ? '=' : 'x'));
    console.log(`${m.id.padEnd(width)}  ${marks.join('  ')}`);
  }
});
test.after(() => rm(folder, { recursive: true, force: true }));

test.run();
