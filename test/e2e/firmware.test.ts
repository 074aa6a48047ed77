// timeout: 600
/** Compressed models as firmware on Cortex-M under an emulator: the hashes of WebAssembly, and the sizes that fit promises. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildCompressed, fitPath, writeFirmware } from '../../sdk/index.ts';
import { skip } from '../../sdk/testing/index.ts';
import { sha256OfTensor } from '../../sdk/util/hash.ts';
import { conformanceGraph } from '../support/conformance-graph.ts';
import {
  CORES,
  exists,
  FirmwareFolder,
  hostCompilers,
  libraryOf,
  missingCortexTools,
  onWasm,
} from '../support/firmware.ts';
import { inPlaceGraph } from '../support/in-place-graph.ts';
import { shared } from '../support/shared.ts';

const BOARD = 'raspberry-pi-pico-2';
/** Kernels of DS-CNN, bytes of Thumb-2 at most. */
const MOST_CODE = 30 * 1024;

for (const model of ['kws_dscnn', 'cifar_resnet8', 'mnist_mlp']) {
  test(`${model} on Cortex-M has the hashes of WebAssembly and the sizes that were promised`, async () => {
    const path = shared('models', model, 'model.onnx');
    if (!path) return skip(`${model} as firmware`, 'the measuring data is not beside the checkout');
    const missing = missingCortexTools();
    if (missing) return skip(`${model} as firmware`, `there is no ${missing}`);
    const work = await mkdtemp(join(tmpdir(), 'eigenweights-firmware-'));
    try {
      const bundle = join(work, 'model.ewb');
      const calibration = shared('models', model, 'calib.npz')!;
      const built = await buildCompressed(
        { path },
        { target: BOARD, calibration, cwd: work, budget: { factor: 8 }, force: true, out: bundle },
      );
      const report = await writeFirmware({ path: bundle }, { name: 'model', out: join(work, 'c') });
      const fit = await fitPath({ path: bundle }, BOARD);
      assert.equal(fit, report.fit, 'fit says of the bundle what the library says of itself');
      assert.equal(built.fit, report.fit, 'and what was said when it was made');
      const files = new Map<string, string>();
      for (const name of Object.keys(report.files)) files.set(name, await readFile(join(work, 'c', name), 'utf8'));
      const folder = await FirmwareFolder.with(files);
      if (exists('g++')) await folder.includeInCpp();
      for (const compiler of hostCompilers()) assert.is((await folder.runHere(compiler, ['-O2'])).at(-1), 'right');
      for (const core of CORES) {
        for (const optimization of ['-Os', '-O2']) {
          const run = await folder.runOn(core, optimization);
          console.log(
            `# ${model}, ${core.name}, ${optimization}: ${run.code} bytes of code, ${run.memory} of RAM, ${run.constants} of constants, ${run.stack} of stack, ${(run.instructions / 1e6).toFixed(2)} million instructions`,
          );
          assert.ok(run.lines.includes('right'), `${core.name}: ${run.lines.join('\n')}`);
          assert.is(run.memory, report.arenaBytes + report.scratchBytes);
          assert.is(run.constants, report.weightBytes);
          assert.ok(run.stack <= report.stackBytes, `${run.stack} bytes of stack`);
          if (optimization === '-Os') assert.ok(run.code <= report.codeBytes, `${run.code} bytes of code`);
          if (model === 'kws_dscnn') assert.ok(run.code <= MOST_CODE, `${run.code} bytes of code`);
        }
      }
      await folder.close();
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

test('results that are written over images on Cortex-M', async () => {
  const missing = missingCortexTools();
  if (missing) return skip('layers in place as firmware', `there is no ${missing}`);
  const { graph, inputs, expected } = inPlaceGraph(25_000);
  const folder = await FirmwareFolder.with(libraryOf(graph, inputs, expected));
  for (const core of CORES) assert.ok((await folder.runOn(core, '-Os')).lines.includes('right'), core.name);
  await folder.close();
});

test('every operator on Cortex-M has the hashes of WebAssembly', async () => {
  const missing = missingCortexTools();
  if (missing) return skip('operators as firmware', `there is no ${missing}`);
  const { graph, inputs, placed } = conformanceGraph();
  const outputs = await onWasm(graph, inputs);
  const folder = await FirmwareFolder.with(libraryOf(graph, inputs, outputs));
  for (const core of CORES) {
    const run = await folder.runOn(core, '-Os');
    const wrong = placed.flatMap((p) =>
      p.outputs.filter((o) => !run.lines.includes(sha256OfTensor(outputs[o]!))).map((o) => `${p.opCase.name}: ${o}`),
    );
    assert.equal(wrong, [], core.name);
  }
  await folder.close();
});

test.run();
