import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relativeError } from '../../../sdk/app/reference-test.ts';
import { openOracle, samplesOf, writeArrays } from '../../../sdk/index.ts';
import { valueNamed } from '../../../sdk/ir/graph.ts';
import { openModel } from '../../../sdk/pipeline.ts';
import { builtModels } from '../../../tools/speed/built.ts';
import { samplesFor } from '../../../tools/speed/models.ts';
import { PLANS, type Plan, quantizedModel } from '../../../tools/speed/qdq.ts';

let folder = '';
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eigenweights-qdq-'));
});
test.after(() => rm(folder, { recursive: true, force: true }));

for (const plan of Object.keys(PLANS) as Plan[]) {
  test(`plan ${plan}: the quantized models compute nearly what the originals do`, async () => {
    for (const model of (await builtModels(folder)).filter((m) => m.id !== 'built/depthwise_cnn')) {
      const { graph } = await openModel(model);
      const inputs = graph.inputs.map((name) => ({ name, ...valueNamed(graph, name).type }));
      const arrays = await samplesFor(model, inputs, 4);
      await writeArrays(join(folder, 'samples.npz'), arrays);
      const sample = samplesOf(arrays, inputs).at(0);
      const outputs = [];
      for (const file of [await readFile(model.path), await quantizedModel(model, join(folder, 'samples.npz'), plan)]) {
        const oracle = await openOracle('onnxruntime-web', file);
        outputs.push(Object.values(await oracle.run(sample))[0]!);
        await oracle.close();
      }
      const error = relativeError(outputs[1]!, outputs[0]!);
      assert.ok(error > 0 && error < 0.1, `${model.id}: ${error}`);
    }
  });
}

test.run();
