// timeout: 600
/** TensorFlow.js beside what is compiled from its models: other weights and inputs than those in test/golden/tfjs.jsonl. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { relativeError } from '../../sdk/app/reference-test.ts';
import { engineRunner, openModel } from '../../sdk/pipeline.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { examples, modelJson } from '../support/tfjs/cases.ts';
import { openTfjs } from '../support/tfjs/oracle.ts';

/** Of an output's largest magnitude. */
const ROUNDING = 1e-4;
const tf = await openTfjs();

test('kernels compute what TensorFlow.js computes', async () => {
  if (!tf) return skip('kernels beside TensorFlow.js', 'it cannot be installed here');
  const folder = await mkdtemp(join(tmpdir(), 'ew-tfjs-'));
  try {
    for await (const example of examples(tf, 1000)) {
      const path = join(folder, example.name);
      await mkdir(path);
      await writeFile(join(path, 'model.json'), JSON.stringify(modelJson(example, 'group1-shard1of1.bin')));
      await writeFile(join(path, 'group1-shard1of1.bin'), new Uint8Array(example.artifacts.weightData));
      const { graph } = await openModel({ path });
      const engine = await engineRunner({}).open(graph);
      const got = await engine.run(example.inputs);
      engine.close();
      graph.outputs.forEach((output, i) => {
        const error = relativeError(got[output]!, example.outputs[i]!);
        assert.ok(error < ROUNDING, `${example.name}, ${output}: differs by ${error}`);
      });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
